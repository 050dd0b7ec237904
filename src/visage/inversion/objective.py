"""The whole loss of one image: L = d[F(p), e] + R(p), eq. 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

from visage.inversion.colour import ColourStatistics, colour_shift
from visage.inversion.embedding_distance import Distance, embedding_distance
from visage.inversion.errors import (
    InversionError,
    check_embeddings,
    check_pictures,
    check_positive,
    check_weight,
)
from visage.inversion.gaussian_activations import ActivationStatistics, gaussian_regulariser
from visage.inversion.guiding_image import guide_distance
from visage.inversion.laplacian_pyramid import pyramid_distance
from visage.inversion.mirror import mirror_asymmetry
from visage.inversion.spectrum import band_mismatch, spectrum_regulariser
from visage.inversion.total_variation import total_variation
from visage.photos.jitter import moved
from visage.recognition.encoder import Encoder


@dataclass(frozen=True)
class ObjectiveConfig:
    """Weights of all terms; a weight of 0 leaves the term out. The paper prints no weight at all.

    The defaults are for dlib's recogniser and a guide that is the mean of many faces.
    """

    distance: Distance = "l2"  # fig. 1g uses "dot": sharper, slightly less recognisable (5.1)
    embedding_weight: float = 1.0
    normalised: bool = False  # the paper: normalised embeddings give "much worse" images (5.1)
    target_scale: float = 1.0  # fig. 8: a longer target makes "l2" behave like "dot"
    mirrored: bool = False  # take the mean embedding of an image and its mirror, at twice the cost
    tv_weight: float = 3e-4  # of a sum over pixels; a photograph's chip has a sum of about 300
    tv_alpha: float = 2.0  # the paper leaves it open
    guide_weight: float = 0.05  # higher keeps the guide's face, lower gives fragments (section 2)
    guide_layers: tuple[str, ...] = ("stem", "block_3", "block_7", "block_10")  # low to high
    guide_exponent: float = 2.0  # r, which the paper leaves open
    guide_relative: bool = True  # norms of layers differ a hundredfold; see guide_distance
    guide_pixels_weight: float = 0.0  # beyond the paper: a network's pictures are pale without it
    guide_pixels_levels: int = 5
    gauss_weight: float = 0.0  # appendix A; a photograph has 600 at the stem, 300 at block_10
    gauss_nu: float = 0.01  # "a small parameter"
    spectrum_weight: float = 0.0  # appendix C
    spectrum_norm: float = 6.0  # N_L; photographs' chips of 150 pixels have about this
    spectrum_beta: float = -1.0  # a power spectrum of 1/f²
    spectrum_levels: int = 4
    bands_weight: float = 0.0  # as the spectrum, with measured energies; needs bands
    bands_slack: float = 1.2  # photographs differ among themselves
    colour_weight: float = 0.0  # against tints, which a recogniser does not see; needs colours
    mirror_weight: float = 0.0  # appendix C; only for a frontal guide in even light
    precision: Literal["float32", "bfloat16"] = (
        "float32"  # of the encoder; half is 1.4 times faster
    )

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name.endswith("_weight"):
                check_weight(field.name, getattr(self, field.name))
        for name in ("target_scale", "tv_alpha", "guide_exponent", "gauss_nu"):
            check_positive(name, getattr(self, name))
        if self.distance not in ("l2", "dot"):
            raise InversionError(f"distance is 'l2' or 'dot', not {self.distance!r}.")
        if self.precision not in ("float32", "bfloat16"):
            raise InversionError(f"precision is 'float32' or 'bfloat16', not {self.precision!r}.")


@dataclass(frozen=True)
class References:
    """What images are compared with, beside their target embeddings; None where not used.

    Attributes:
        guide: p_G, (1, 3, S, S) for all images or (B, 3, S, S).
        activations: statistics by layer, from `gather_statistics`.
        bands: (levels,) or (levels, 3), from `mean_band_energy`.
        colours: of photographs, from `colour_statistics`.
        centre: (dim,), the mean embedding of many people, subtracted from embeddings and targets.
    """

    guide: Tensor | None = None
    activations: Mapping[str, ActivationStatistics] | None = None
    bands: Tensor | None = None
    colours: ColourStatistics | None = None
    centre: Tensor | None = None


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of the objective.

    Attributes:
        terms: by name, each (B,), weighted: they sum to the loss.
        embeddings: (B, dim), of the images.
    """

    terms: dict[str, Tensor]
    embeddings: Tensor

    def total(self) -> Tensor:
        """The loss (B,)."""
        return torch.stack(list(self.terms.values())).sum(0)


class Objective:
    """An encoder, the weights and the references; evaluates images.

    Raises:
        InversionError: a term has a weight and lacks its reference, or the encoder lacks a layer.
    """

    def __init__(self, encoder: Encoder, config: ObjectiveConfig, references: References):
        self.encoder, self.config, self.references = encoder, config, references
        needs = {
            "guide": "guide",
            "guide_pixels": "guide",
            "gauss": "activations",
            "bands": "bands",
            "colour": "colours",
        }
        for weight, reference in needs.items():
            given = getattr(references, reference) is not None
            if getattr(config, f"{weight}_weight") and not given:
                raise InversionError(
                    f"{weight}_weight is {getattr(config, f'{weight}_weight')} and there is no "
                    f"{reference} in the references; give it, or set the weight to 0."
                )
        self._guide_layers = config.guide_layers if config.guide_weight else ()
        self._gauss_layers = tuple(references.activations or ()) if config.gauss_weight else ()
        layers = {*self._guide_layers, *self._gauss_layers}
        if unknown := layers - set(encoder.feature_names):
            raise InversionError(
                f"{encoder.name} has no layer {', '.join(sorted(unknown))}; choose among "
                f"{', '.join(encoder.feature_names)}."
            )
        if config.guide_weight and not config.guide_layers:
            raise InversionError("guide_weight is set and guide_layers is empty; name one layer.")
        self._wanted = (*layers, "embedding")
        self._still: dict[str, Tensor] | None = None

    def check(self, targets: Tensor) -> None:
        """Refuse targets, or a guide, that do not fit the encoder or each other."""
        check_embeddings(targets, self.encoder.dim)
        if self.references.guide is not None:
            size = self.encoder.crop.size
            check_pictures(self.references.guide, size, len(targets), "guide")

    def evaluate(
        self,
        images: Tensor,
        targets: Tensor,
        *,
        tv_weight: float | None = None,
        similarities: Tensor | None = None,
    ) -> Evaluation:
        """All terms for images (B, 3, S, S) and targets (B, dim).

        Args:
            images: in [0, 1], S the crop's size.
            targets: e.
            tv_weight: in place of the configuration's, for a schedule.
            similarities: (1 or B, 2, 3), from `Jitter.draws`: the encoder sees the images, and the
                guide, moved so; the terms on pixels see them where they are.
        """
        config, references = self.config, self.references
        seen = images if similarities is None else moved(images, similarities)
        features = self._features(seen)
        embeddings = features["embedding"]
        distance = embedding_distance(
            embeddings,
            targets,
            config.distance,
            normalised=config.normalised,
            target_scale=config.target_scale,
            centre=references.centre,
        )
        terms = {"embedding": config.embedding_weight * distance}
        if self._guide_layers:
            terms["guide"] = config.guide_weight * guide_distance(
                {name: features[name] for name in self._guide_layers},
                self._guide_features(similarities),
                config.guide_exponent,
                relative=config.guide_relative,
            )
        if self._gauss_layers:
            terms["gauss"] = config.gauss_weight * gaussian_regulariser(
                {name: features[name] for name in self._gauss_layers},
                references.activations,
                config.gauss_nu,
            )
        return Evaluation(terms | self._pixel_terms(images, tv_weight), embeddings)

    def _pixel_terms(self, images: Tensor, tv_weight: float | None) -> dict[str, Tensor]:
        config, terms = self.config, {}
        weight = config.tv_weight if tv_weight is None else tv_weight
        if weight:
            terms["tv"] = weight * total_variation(images, config.tv_alpha)
        if config.guide_pixels_weight:
            guide = self.references.guide.to(images).expand_as(images)
            terms["guide_pixels"] = config.guide_pixels_weight * pyramid_distance(
                images, guide, config.guide_pixels_levels
            )
        if config.spectrum_weight:
            terms["spectrum"] = config.spectrum_weight * spectrum_regulariser(
                images, config.spectrum_norm, config.spectrum_beta, config.spectrum_levels
            )
        if config.bands_weight:
            bands = self.references.bands.to(images)
            terms["bands"] = config.bands_weight * band_mismatch(images, bands, config.bands_slack)
        if config.colour_weight:
            terms["colour"] = config.colour_weight * colour_shift(images, self.references.colours)
        if config.mirror_weight:
            terms["mirror"] = config.mirror_weight * mirror_asymmetry(images)
        return terms

    def _features(self, images: Tensor) -> dict[str, Tensor]:
        """Activations of the wanted layers and "embedding"."""
        if not self.config.mirrored:
            return self._run(images, self._wanted)
        both = self._run(torch.cat([images, images.flip(-1)]), self._wanted)
        half = {name: value[: len(images)] for name, value in both.items()}
        return half | {"embedding": 0.5 * sum(both["embedding"].chunk(2))}

    @torch.no_grad()
    def _guide_features(self, similarities: Tensor | None) -> dict[str, Tensor]:
        """Activations of the guide, computed once where it does not move."""
        if similarities is not None:
            return self._run(moved(self.references.guide, similarities), self._guide_layers)
        if self._still is None:
            self._still = self._run(self.references.guide, self._guide_layers)
        return self._still

    def _run(self, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        """The encoder's features, in its own precision or in half, returned in the images' own."""
        half = self.config.precision == "bfloat16"
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            features = self.encoder.features(images, layers)
        return {name: value.to(images.dtype) for name, value in features.items()}
