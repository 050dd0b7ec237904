"""Who has what hair: drawn from the labels of synthetic people.

Shares here are choices that make varied, believable people, not statistics of any population.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from visage.faces.hair.traits import BALD, SHAVEN, Hair, HairError

_BLACK = 1.8  # eumelanin at which hair looks black in most light
_LABELS = ("sex", "age", "african", "asian", "european")

# How likely styles are, by how hair grows and by sex; ages come on top.
_MEN = {
    "straight": {
        "buzz": 14, "crop": 30, "side_part": 24, "quiff": 16, "slicked": 5, "shoulder": 3,
        "long_straight": 1.5, "bun": 1.5,
    },
    "curly": {"crop": 26, "curly": 34, "quiff": 12, "buzz": 14, "coils": 10, "shoulder": 4},
    "coily": {"buzz": 26, "coils": 42, "afro": 20, "curly": 8, BALD: 4},
}  # fmt: skip
_WOMEN = {
    "straight": {
        "bob": 17, "long_straight": 25, "long_wavy": 20, "shoulder": 20, "ponytail": 12, "bun": 9,
        "crop": 4, "side_part": 2,
    },
    "curly": {"curly": 30, "long_wavy": 30, "shoulder": 15, "bun": 10, "ponytail": 10, "crop": 3},
    "coily": {"afro": 36, "coils": 16, "curly": 22, "bun": 12, "ponytail": 6, "shoulder": 6},
}  # fmt: skip
_BEARDS = {
    SHAVEN: 42, "stubble": 26, "moustache": 4, "goatee": 7, "short_beard": 14, "full_beard": 8,
}  # fmt: skip


def sample_hair(labels: Mapping[str, Tensor], seeds: Tensor) -> list[Hair]:
    """Draw hair for people.

    Args:
        labels: (B,) or (1,) each, as `MorphableModel.read` gives them: sex, age, african, asian,
            european.
        seeds: (B,) int64.

    Returns:
        B of them; each depends on its own labels and seed only.

    Raises:
        HairError: a label is missing, or there are not as many as seeds.
    """
    if missing := [name for name in _LABELS if name not in labels]:
        raise HairError(f"labels lack {', '.join(missing)}; give what the model reads")
    rows = []
    for name in _LABELS:
        values = labels[name].detach().double().cpu().reshape(-1).numpy()
        if len(values) not in (1, len(seeds)):
            raise HairError(f"{len(values)} values of {name} for {len(seeds)} seeds; give as many")
        rows.append(np.broadcast_to(values, len(seeds)))
    people = np.stack(rows, 1) if len(seeds) else np.zeros((0, len(_LABELS)))
    return [_draw(row, int(seed)) for row, seed in zip(people, seeds.tolist(), strict=True)]


def with_skin(hair: Sequence[Hair], melanin: Tensor) -> list[Hair]:
    """Hair no fairer than its people's skin allows.

    The same pigment colours both, and fair hair on dark skin is rare: from a melanin index of 0.4,
    eumelanin has a floor, which reaches black at 0.7. Greyness is left as it is.

    Args:
        hair: B of them.
        melanin: (B,), index in [0, 1], see `visage.faces.skin.Skin`.
    """
    floors = _BLACK * ((melanin.double().cpu() - 0.4) / 0.3).clamp(0, 1)
    return [
        replace(one, eumelanin=max(one.eumelanin, floor))
        for one, floor in zip(hair, floors.tolist(), strict=True)
    ]


def _draw(row: np.ndarray, seed: int) -> Hair:
    # A stream of its own, so that skin and hair of one seed have nothing in common.
    random = np.random.default_rng([seed % 2**63, 0x4A1E])
    sex, age = float(np.clip(row[0], 0, 1)), float(row[1])
    african, asian, european = np.clip(row[2:], 0, 1)
    # One draw for everything, used or not, so that labels change only what they should.
    u, z = random.random(16), random.standard_normal(16)
    man = u[0] < 1 / (1 + np.exp(-14 * (sex - 0.5)))
    eumelanin, pheomelanin = _pigments(european, u[1], z[0], z[1])
    # Between 45 and 65, a quarter of the hairs are grey on average (27 % in Panhard et al. 2012,
    # "Greying of the human hair: a worldwide survey"), later in Africa and Asia.
    onset = 60 + 8 * z[2] + 4 * african + 3 * asian
    greyness = float(1 / (1 + np.exp(-(age - onset) / 7)))
    greyness = 0.0 if greyness < 0.03 else min(greyness, 0.97)
    if not man and u[2] < 0.6:
        greyness *= 0.1  # dyed
    texture = _texture(african, asian, u[3])
    beard, length, density = _beard(man, age, asian, u[4], z[3], z[4])
    masculine = 1.0 if man else 0.0
    return Hair(
        style=_style(man, age, texture, african, asian, u[5], u[6]),
        variant=int(4 * u[7]),
        eumelanin=eumelanin,
        pheomelanin=pheomelanin,
        greyness=greyness,
        thickness=float(np.clip(1.0 + 0.1 * z[5] - 0.004 * max(age - 45, 0), 0.7, 1.25)),
        brow_thickness=float(np.clip(0.95 + 0.25 * masculine + 0.3 * z[6], 0.5, 2.0)),
        brow_density=float(np.clip(1.2 + 0.15 * masculine + 0.35 * z[7], 0.45, 2.2)),
        brow_arch=float(np.clip(1.6 - 1.6 * masculine + 1.3 * z[8], -2, 4.5)),
        brow_lift=float(np.clip(0.6 - 0.8 * masculine + 0.8 * z[9], -2.5, 3)),
        lash_length=float(np.clip(9.3 - 1.6 * masculine + 0.8 * z[10], 6, 11.5)),
        beard=beard,
        beard_length=length,
        beard_density=density,
        seed=int(seed) % 2**31,
    )


def _pigments(european: float, u: float, z: float, w: float) -> tuple[float, float]:
    """Eumelanin and pheomelanin: fair or red only where the european share is high, and varied."""
    fair = np.log(0.3) + 0.85 * z
    dark = np.log(2.4) + 0.45 * z
    t = float(np.clip((european - 0.25) / 0.6, 0, 1))
    eumelanin = np.clip(np.exp(t * fair + (1 - t) * dark), 0.025, 6)
    pheomelanin = 0.05 * np.exp(0.5 * w)
    if u < 0.07 * t:
        eumelanin, pheomelanin = min(eumelanin, 0.15), np.clip(0.45 * np.exp(0.3 * w), 0.2, 0.9)
    return float(eumelanin), float(pheomelanin)


def _texture(african: float, asian: float, u: float) -> str:
    coily = 0.92 * np.clip((african - 0.15) / 0.6, 0, 1)
    curly = (1 - coily) * (0.2 - 0.14 * asian + 0.3 * african)
    return "coily" if u < coily else "curly" if u < coily + curly else "straight"


def _style(
    man: bool, age: float, texture: str, african: float, asian: float, u: float, v: float
) -> str:
    if man:
        # Hair is lost with age, less often by some; where much is lost, many shave the rest.
        lost = np.clip((age - 24) / 62, 0, 0.85) * (1 - 0.35 * asian - 0.15 * african)
        if v < lost:
            much = v < lost * np.clip((age - 30) / 50, 0.1, 0.7)
            if u < 0.22:
                return BALD
            if texture == "coily":
                return "buzz" if u < 0.7 else BALD
            return "horseshoe" if much else "receding"
    shares = dict((_MEN if man else _WOMEN)[texture])
    if not man and age > 50:  # shorter with age
        for name in ("long_straight", "long_wavy", "ponytail"):
            shares[name] = shares.get(name, 0) * 0.35
        shares["crop"] = shares.get("crop", 0) + 12 * min((age - 50) / 15, 1)
        shares["side_part"] = shares.get("side_part", 0) + 6
    return _pick(shares, u)


def _beard(
    man: bool, age: float, asian: float, u: float, z: float, w: float
) -> tuple[str, float, float]:
    if not man:
        return SHAVEN, 1.0, 1.0
    shares = dict(_BEARDS)
    shares[SHAVEN] *= 1 + 0.8 * asian + 0.5 * (age < 23)
    shares["full_beard"] *= 1 - 0.6 * asian
    density = float(np.clip(np.exp(0.2 * w) * (1 - 0.45 * asian), 0.35, 1.3))
    return _pick(shares, u), float(np.clip(np.exp(0.25 * z), 0.6, 1.7)), density


def _pick(shares: Mapping[str, float], u: float) -> str:
    names, values = list(shares), np.cumsum(list(shares.values()))
    place = np.searchsorted(values, u * values[-1], side="right")
    return names[min(place, len(names) - 1)]
