"""From one photograph to a complete high-resolution texture: the whole of Saito et al. (2017).

Segmentation and model fit (section 3), partial albedo and low frequencies, analysis (section 4),
synthesis (section 5)::

    found = infer_texture("portrait.jpg")
    found.texture  # (1, 3, 512, 512), sRGB-encoded albedo of the face window
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from visage.faces.reflectance import encode_srgb
from visage.faces.shape import MorphableModel
from visage.photos.landmarks import Which, find_face
from visage.photos.reading import PhotoSource, open_photo
from visage.texture.analysis import AnalysisConfig, InferredGrams, infer_grams
from visage.texture.backbones import load_backbone
from visage.texture.blend import Blend
from visage.texture.database import COUNT, TextureDatabase
from visage.texture.errors import TextureError
from visage.texture.gram_database import GramDatabase
from visage.texture.low_frequency import LowFrequencyAlbedo
from visage.texture.model_fit import FitConfig, ModelFit, fit_model
from visage.texture.mouth import mouth_inside
from visage.texture.partial_albedo import PartialAlbedo, PartialAlbedoConfig, partial_albedo
from visage.texture.regional import Regional
from visage.texture.segmentation import segment
from visage.texture.synthesis import Preview, Synthesis, SynthesisConfig, synthesise
from visage.texture.window import TexelMap, face_region
from visage.texture.yiq import luminance

_LEAST_VISIBLE = 0.05  # of the face, below which there is nothing to infer from


class TooLittleVisibleError(TextureError):
    """A photograph that shows next to nothing of the face's skin."""


@dataclass(frozen=True)
class InferenceConfig:
    """How a photograph becomes a texture."""

    size: int = 512  # texels of the window's side
    people: int = COUNT  # K, of the database
    fit: FitConfig = field(default_factory=FitConfig)
    partial: PartialAlbedoConfig = field(default_factory=PartialAlbedoConfig)
    analysis: AnalysisConfig = field(default_factory=AnalysisConfig)
    synthesis: SynthesisConfig = field(default_factory=SynthesisConfig)


@dataclass(frozen=True, eq=False)
class Sight:
    """What a photograph shows of a face: all that is done before the analysis."""

    fit: ModelFit
    mask: Tensor  # (1, 1, H, W) in [0, 1], how surely a pixel is skin of the face
    partial: PartialAlbedo  # partial high-frequency albedo
    low_frequency: Tensor  # I(α_al), (1, 3, S, S), sRGB-encoded

    @property
    def visible(self) -> Tensor:
        """(1, 1, S, S), 1 on texels that the photograph shows."""
        return self.partial.visible


@dataclass(frozen=True, eq=False)
class InferredTexture:
    """A complete texture, and every step towards it."""

    texture: Tensor  # (1, 3, S, S), sRGB-encoded albedo of the face window, in [0, 1]
    low_frequency: Tensor  # (1, 3, S, S), I(α_al)
    partial: Tensor  # (1, 3, S, S), what the photograph shows; 0.5 elsewhere
    visible: Tensor  # (1, 1, S, S), 1 where it shows something
    weights: Tensor  # (K,), of the database's people
    fit: ModelFit
    grams: InferredGrams
    synthesis: Synthesis


def infer_texture(
    photo: PhotoSource,
    config: InferenceConfig = InferenceConfig(),
    *,
    which: Which = "largest",
    landmarks: Tensor | None = None,
    mask: Tensor | None = None,
    database: GramDatabase | None = None,
    preview: Preview | None = None,
    resume: str | Path | None = None,
    progress: bool = True,
) -> InferredTexture:
    """Infer a complete texture of the face in a photograph.

    The first call computes the database's correlations and keeps them on disk.

    Args:
        photo: whatever `visage.photos.reading.open_photo` takes.
        config: how.
        which: face, where there are several; see `visage.photos.landmarks.find_face`.
        landmarks: (1, 68, 2), pixels, where they are known; else dlib's.
        mask: (1, 1, H, W), 1 where the skin of the face is seen, where that is known; else
            `visage.texture.segmentation.segment`'s.
        database: of another network, size or people than the default.
        preview: as of `visage.texture.synthesis.synthesise`.
        resume: likewise.
        progress: whether to show it.

    Raises:
        visage.photos.reading.PhotoError: the photograph cannot be read, or shows no face.
        TooLittleVisibleError: hardly anything of the face is seen.
        TextureError: sizes do not fit together.
    """
    database = default_database(config, progress=progress) if database is None else database
    if database.database.size != config.size:
        raise TextureError(
            f"the database's textures have {database.database.size} texels a side and "
            f"{config.size} are asked for; load one of that size"
        )
    sight = look(photo, config, which=which, landmarks=landmarks, mask=mask)
    found = infer_grams(
        luminance(sight.partial.texture), sight.visible, database, config.analysis,
        low_frequency=sight.low_frequency, pixels=float(sight.partial.pixels), progress=progress,
    )  # fmt: skip
    made = synthesise(
        sight.low_frequency, found.full, database.backbone, config.synthesis,
        blend=Blend.of(database.database, found.weights),
        preview=preview, resume=resume, progress=progress,
    )  # fmt: skip
    return InferredTexture(
        texture=made.texture,
        low_frequency=sight.low_frequency,
        partial=sight.partial.texture,
        visible=sight.visible,
        weights=found.weights,
        fit=sight.fit,
        grams=found,
        synthesis=made,
    )


@torch.no_grad()
def look(
    photo: PhotoSource,
    config: InferenceConfig = InferenceConfig(),
    *,
    which: Which = "largest",
    landmarks: Tensor | None = None,
    mask: Tensor | None = None,
) -> Sight:
    """All that comes before the analysis: section 3. Arguments as of `infer_texture`.

    Raises:
        visage.photos.reading.PhotoError: the photograph cannot be read, or shows no face.
        TooLittleVisibleError: hardly anything of the face is seen.
        CheckpointError: the network that masks what hides the face is not there; give a mask.
    """
    image = open_photo(photo)
    if landmarks is None:
        landmarks = find_face(image, which=which).landmarks
    given = mask is not None
    mask = mask.to(image) if given else segment(image, landmarks)
    fit = fit_model(image, landmarks, mask, config.fit)
    if not given:  # the network, at its 128 pixels, leaves half a tooth to the lips
        mask = mask * (1 - mouth_inside(landmarks, *image.shape[2:]).to(image))
    partial, low = albedo_of(image, fit, mask, config)
    return Sight(fit, mask, partial, low)


@torch.no_grad()
def albedo_of(
    image: Tensor,
    fit: ModelFit,
    mask: Tensor | None,
    config: InferenceConfig = InferenceConfig(),
) -> tuple[PartialAlbedo, Tensor]:
    """Partial albedo, and the low-frequency albedo I(α_al) that is most probable given it.

    The fit's own albedo, a number a vertex, only tells how bright the skin is: its texels are those
    of the low-frequency model that come nearest to it.

    Args:
        image: (1, 3, H, W), sRGB, in [0, 1].
        fit: of it.
        mask: (1, 1, H, W) in [0, 1], or None.
        config: how.

    Returns:
        The partial albedo, and (1, 3, S, S), sRGB-encoded.

    Raises:
        TooLittleVisibleError: hardly anything of the face is seen.
    """
    model, size, low = _model(), config.size, LowFrequencyAlbedo.load()
    prior = config.partial.prior
    texels = TexelMap.load(size, model)
    region = face_region(size)
    fitted = encode_srgb(texels.interpolate(fit.vertex_albedo()).clamp(0, 1))
    expected = low.texture(low.fit(fitted, region, prior=prior), size)
    partial = partial_albedo(
        image, fit.vertices(model), fit.camera, fit.light, size, mask, expected, config.partial
    )
    share = float((partial.visible * region).sum() / region.sum())
    if share < _LEAST_VISIBLE:
        raise TooLittleVisibleError(
            f"the photograph shows {share:.0%} of the face's skin; {_LEAST_VISIBLE:.0%} are needed "
            "at least, so use another one, or check the mask"
        )
    found = low.fit(partial.texture, partial.visible * region, prior=prior)
    return partial, low.texture(found, size)


@lru_cache(maxsize=2)
def _database(size: int, people: int, progress: bool) -> GramDatabase:
    textures = TextureDatabase.load(size, people, progress=progress)
    return GramDatabase.of(Regional(load_backbone()), textures, progress=progress)


def default_database(
    config: InferenceConfig = InferenceConfig(), *, progress: bool = True
) -> GramDatabase:
    """Correlations of the training people with the default network; read or made once."""
    return _database(config.size, config.people, progress)


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load()
