"""The methods that the figures compare, each from what is visible to a complete texture.

``convex`` is the paper's; ``unconstrained`` and ``closest`` are its own baselines, which find other
weights (section 4); ``pca`` is the low-frequency albedo (Blanz and Vetter 1999) and ``quilting``
stands for visio-lization (Mohammed et al. 2009). ``patch_match`` and ``biharmonic`` keep what is
visible and know nothing of faces (figure 17).

Weights and syntheses are kept in the cache folder under all that they follow from, so that a
stopped measurement goes on where it was, and nothing old is taken for something new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from visage.files import written_whole
from visage.photos.downloads import cache_folder
from visage.texture.albedo_layer import with_albedo
from visage.texture.analysis import METHODS as BLENDS
from visage.texture.analysis import AnalysisConfig, blend_weights
from visage.texture.backbones import Backbone, load_backbone
from visage.texture.blend import Blend
from visage.texture.database import TextureDatabase
from visage.texture.errors import MethodError
from visage.texture.gram_database import GramDatabase
from visage.texture.inpainting import METHODS as INPAINTING
from visage.texture.inpainting import inpaint
from visage.texture.observation import Observation
from visage.texture.quilting import Quilter
from visage.texture.regional import Regional
from visage.texture.synthesis import SynthesisConfig, synthesise
from visage.texture.window import face_region
from visage.texture.yiq import luminance, with_luminance

METHODS = (*BLENDS, "quilting", "pca", *INPAINTING)
"""Names of the methods: ours first, with the paper's weights, then with others, then baselines."""


@dataclass(frozen=True, eq=False)
class Bench:
    """What the methods share at one size of texture."""

    database: TextureDatabase  # K people
    grams: GramDatabase  # of the same
    synthesis: SynthesisConfig
    folder: Path  # of what is kept

    @classmethod
    def load(
        cls,
        size: int,
        people: int,
        synthesis: SynthesisConfig,
        *,
        backbone: Backbone | None = None,
        regional: bool = True,
        folder: Path | None = None,
    ) -> Bench:
        """The bench with the default backbone and training people.

        Args:
            size: S, texels.
            people: K, of the database.
            synthesis: how textures are synthesised.
            backbone: of the correlations, as it is; the default one if None.
            regional: whether the default one's correlations are of regions of the face; else they
                are of the whole face, as the paper's.
            folder: of the cache, `cache_folder()` if None.
        """
        folder = folder or cache_folder()
        stored = TextureDatabase.load(size, people, folder=folder)
        # In memory, at the size that is asked for: it is read anew for every photograph.
        database = stored if stored.kept.shape[-1] == size else TextureDatabase.of(_all(stored))
        if backbone is None:
            backbone = Regional(load_backbone()) if regional else load_backbone()
        grams = GramDatabase.of(backbone, database, folder=folder)
        return cls(database, grams, synthesis, folder / "texture" / "inferred")

    @property
    def backbone(self) -> Backbone:
        """Of the correlations."""
        return self.grams.backbone

    @property
    def judge(self) -> Backbone:
        """Whose correlations, of the whole face, textures are measured by, as the paper's are."""
        return self.backbone.base if isinstance(self.backbone, Regional) else self.backbone

    @property
    def size(self) -> int:
        """S."""
        return self.database.size

    @cached_property
    def quilter(self) -> Quilter:
        """Ready to quilt from the database."""
        return Quilter.of(self.database)

    def weights(self, seen: Observation, methods: Sequence[str] = BLENDS) -> dict[str, Tensor]:
        """Weights (K,) of the database's people, by method."""
        everybody = [getattr(self.grams, name) for name in ("layers", "sizes")]
        key = _key(self.backbone.key, everybody, len(self.database), self.grams.full(self._even),
                   luminance(seen.texture), seen.visible, seen.pixels, seen.low_frequency,
                   AnalysisConfig())  # fmt: skip

        def make() -> dict[str, Tensor]:
            compared = self.grams.compare(
                luminance(seen.texture), seen.visible, pixels=seen.pixels, progress=False
            )
            count = AnalysisConfig().albedo
            compared = with_albedo(compared, self.database, seen.low_frequency, count)
            return {
                name: blend_weights(compared, AnalysisConfig(method=name)).float()
                for name in BLENDS
            }

        found = _kept(self.folder / f"weights-{key}.safetensors", make)
        return {name: found[name] for name in methods}

    def synthesised(self, seen: Observation, weights: Tensor) -> Tensor:
        """The texture (1, 3, S, S) that has a blend's correlations, from the low-frequency albedo.

        Args:
            seen: whose low frequencies it has.
            weights: (K,), of the database's people.
        """
        grams, blend = self.grams.full(weights), Blend.of(self.database, weights)
        key = _key(self.backbone.key, self.synthesis, seen.low_frequency, grams, vars(blend))

        def make() -> dict[str, Tensor]:
            made = synthesise(
                seen.low_frequency, grams, self.backbone, self.synthesis, blend=blend,
                progress=False,
            )  # fmt: skip
            return {"luminance": made.luminance.half()}

        kept = _kept(self.folder / f"synthesis-{key}.safetensors", make)["luminance"].float()
        return with_luminance(seen.low_frequency, kept).clamp(0, 1)

    @cached_property
    def _even(self) -> Tensor:
        return torch.full((len(self.database),), 1 / len(self.database))


def infer(
    seen: Observation, bench: Bench, methods: Sequence[str] = METHODS, seed: int = 0
) -> dict[str, Tensor]:
    """Complete a texture by several methods.

    Args:
        seen: of one photograph.
        bench: of the same size.
        methods: some of `METHODS`.
        seed: of what is drawn at random (quilting).

    Returns:
        (1, 3, S, S) by method, sRGB-encoded, in [0, 1].

    Raises:
        MethodError: there is no such method.
    """
    for name in methods:
        if name not in METHODS:
            raise MethodError(f"no method {name!r}; choose among {', '.join(METHODS)}")
    blended = [name for name in methods if name in BLENDS]
    weights = bench.weights(seen, blended) if blended else {}
    region, found = face_region(bench.size), {}
    for name in methods:
        if name in BLENDS:
            found[name] = bench.synthesised(seen, weights[name])
        elif name == "quilting":
            found[name] = bench.quilter.quilt(seen.low_frequency, seed, region).texture
        elif name == "pca":
            found[name] = seen.low_frequency
        else:
            known = torch.where(seen.visible > 0, seen.texture, seen.low_frequency)
            found[name] = inpaint(known, seen.visible, name, region=region, seed=seed)
    return found


def _all(database: TextureDatabase) -> Tensor:
    parts = torch.arange(len(database)).split(16)
    return torch.cat([database.textures(some.tolist()) for some in parts])


def _key(*parts: object) -> str:
    """Of everything that a result follows from; tensors count by their values."""
    digest = hashlib.sha256()
    for part in parts:
        values = part.values() if isinstance(part, dict) else (part,)
        for value in values:
            if isinstance(value, Tensor):
                digest.update(value.detach().cpu().contiguous().numpy().tobytes())
            else:
                digest.update(repr(value).encode())
    return digest.hexdigest()[:20]


def _kept(path: Path, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    if not path.exists():
        made = make()
        with written_whole(path) as temporary:
            safetensors.torch.save_file(made, temporary)
    return safetensors.torch.load_file(path)
