"""Make skin and hair of one person agree: what the roots tint, and where the head is bald."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from visage.faces.hair.colour import melanin_colour
from visage.faces.hair.traits import BALD, SHAVEN, Hair
from visage.faces.skin.parameters import Skin, SkinError

# What roots hide of the scalp: a shaved head keeps a shadow, a bald crown hardly one.
_SCALPS = {BALD: 0.14, "horseshoe": 0.08, "receding": 0.35, "buzz": 0.62}
_COVERED = 0.72  # under any other style, for strands of thickness 1

# Roots lie in each other's shade, and hair without pigment is clear, not white, at its root.
_ROOT, _GREY = 0.5, (0.16, 0.155, 0.15)


def skin_under(skin: Skin, hair: Sequence[Hair]) -> Skin:
    """The same people, with scalp, brows and shaved beards in the colour of their hair.

    `sample_skin` and `visage.faces.hair.sample_hair` draw independently of each other; this is
    where they meet. A beard that grows stands on a faint shadow of its own; one that is shaved
    keeps the shadow that was drawn.

    Args:
        skin: of B people.
        hair: of the same B people.

    Raises:
        SkinError: there are not as many of both.
    """
    if len(hair) != len(skin):
        raise SkinError(f"{len(skin)} people's skin and {len(hair)} people's hair; give as many")
    roots = torch.tensor(np.array([_roots(one) for one in hair]).reshape(-1, 3)).to(skin.melanin)
    scalp = [_SCALPS.get(one.style, min(_COVERED * one.thickness, 1)) for one in hair]
    # Moustache and goatee leave the cheeks shaved, with the shadow that was drawn.
    grown = [0.0 if one.beard in (SHAVEN, "moustache", "goatee") else 0.3 for one in hair]
    return replace(
        skin,
        scalp=skin.scalp.new_tensor(scalp),
        scalp_colour=roots,
        stubble=skin.stubble.maximum(skin.stubble.new_tensor(grown)),
        stubble_colour=roots,
    )


def _roots(hair: Hair) -> np.ndarray:
    tuft = _ROOT * melanin_colour(hair.eumelanin, hair.pheomelanin)
    return np.clip(tuft + hair.greyness * (np.array(_GREY) - tuft), 0, 1)
