"""Synthesis of a complete texture from correlations and low frequencies.

Saito et al. (2017, section 5): from the low-frequency albedo, L-BFGS changes the luminance of the
face until its features and feature correlations are those that were inferred (eq. 3). Colours stay
those of the low-frequency albedo, as I and Q of YIQ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.texture.backbones import Backbone
from visage.texture.blend import Blend
from visage.texture.descent import DescentState, begin, step
from visage.texture.energy import Energy
from visage.texture.errors import SynthesisError
from visage.texture.grain import grain
from visage.texture.gram import Grams, mask_out
from visage.texture.long_waves import held, spread_out, toned
from visage.texture.synthesis_state import load_state, problem_of, save_state
from visage.texture.window import face_region, feather
from visage.texture.yiq import luminance as luminance_of
from visage.texture.yiq import with_luminance

Preview = Callable[[int, Tensor], None]
"""Called with the number of steps done and the luminance (1, 1, S, S) so far."""

_INNER = 4.0  # times `visage.texture.window.feather`: detail is whole 1.4 % of the side inside


@dataclass(frozen=True)
class SynthesisConfig:
    """How a texture is synthesised."""

    alpha: float = 2000.0  # of correlations; the paper's, but see `visage.texture.energy`
    iterations: int = 300  # of L-BFGS; the paper's timing is of 1000
    gram_layers: tuple[str, ...] | None = None  # L_G; all that there are targets for if None
    feature_layers: tuple[str, ...] | None = None  # L_F; the backbone's own if None
    history: int = 10  # pairs of L-BFGS: two luminances of memory each
    noise: float = (
        0.025  # of luminance, standard deviation of the pink noise that detail grows from
    )
    share: float = 0.7  # of a blend's detail that the grain has: the rest grows
    seed: int = 0  # of the grain
    hold: bool = True  # whether long waves are the low-frequency albedo's again at the end
    first_step: float = 0.01  # of luminance, largest change in the first step
    save_every: int = 50  # steps between two writes of the resume file

    def __post_init__(self):
        if not (math.isfinite(self.alpha) and self.alpha >= 0):
            raise SynthesisError(f"alpha is {self.alpha}; give a finite number of at least 0")
        if not (math.isfinite(self.noise) and self.noise >= 0):
            raise SynthesisError(f"noise is {self.noise}; give a finite number of at least 0")
        if min(self.iterations, self.history, self.save_every) < 1 or self.first_step <= 0:
            raise SynthesisError("give at least one iteration, pair and step between saves")


@dataclass(frozen=True, eq=False)
class Synthesis:
    """What came out, and how."""

    texture: Tensor  # (1, 3, S, S), sRGB-encoded, in [0, 1]
    luminance: Tensor  # (1, 1, S, S), not clipped; the low-frequency albedo's beyond the face
    history: tuple[float, ...]  # energy after each step, of the start first
    terms: dict[str, float]  # relative squared error by layer, at the end
    evaluations: int  # of energy and gradient
    finished: bool  # False after an interruption


def synthesise(
    low_frequency: Tensor,
    grams: Grams,
    backbone: Backbone,
    config: SynthesisConfig = SynthesisConfig(),
    *,
    features: Mapping[str, Tensor] | None = None,
    region: Tensor | None = None,
    start: Tensor | None = None,
    blend: Blend | None = None,
    preview: Preview | None = None,
    resume: str | Path | None = None,
    progress: bool = True,
) -> Synthesis:
    """Synthesise a texture (eq. 3).

    An interruption (Ctrl-C) ends the descent and returns what there is; the energy never rises, so
    that it is also the best.

    Args:
        low_frequency: I(α_al), (1, 3, S, S), sRGB-encoded, in [0, 1]: start, colours, and source
            of the features.
        grams: Ĝ, (1, C, C) by layer, of textures of the same size and region.
        backbone: of both.
        config: how.
        features: F̂ by layer; those of `low_frequency` in the config's layers if None.
        region: (1, 1, S, S), 1 where there is skin; the face's if None.
        start: luminance (1, 1, S, S) to begin from; that of `low_frequency` and faint grain if
            None.
        blend: of the people whose correlations `grams` are. The grain is in proportion to its
            detail; while the correlations are matched, the texture has its long waves, which they
            tell too (with others, they would be made up for by specks at outlines, brows and
            lips); and single texels go no farther than its people's. Without one, the grain is the
            config's noise everywhere.
        preview: called after each step.
        resume: a file from which an interrupted run goes on, written every `save_every` steps and
            at the end.
        progress: whether to show it.

    Raises:
        SynthesisError: targets, settings or the saved state do not fit.
    """
    base = _checked(low_frequency)
    whole = region is None
    region = face_region(base.shape[-1]) if whole else region
    region = (region > 0.5).to(base)
    if region.shape != base.shape or not region.any():
        raise SynthesisError(
            f"the region is {tuple(region.shape)}; expected {tuple(base.shape)}, not empty"
        )
    ground = base if blend is None else toned(base, blend.tone.to(base), region)
    energy = _energy(ground, grams, backbone, config, features, region)
    if start is None:
        level = config.noise if blend is None else config.share * blend.strength.to(base)
        start = base + level * grain(base.shape[-1], config.seed).to(base)
    initial = torch.where(region > 0, start.to(base) - base + ground, ground)

    def function(point: Tensor):
        value, gradient, terms = energy(point.view_as(base))
        return value, gradient.flatten(), terms

    def show(steps: int, point: Tensor) -> None:
        preview(steps, point - ground + base)

    run = _Run(function, config, show if preview else None, progress)
    state, history = run.descend(initial.flatten(), resume, problem_of(energy, repr(config)))
    detail = state.point.view_as(base) - ground
    if config.hold:
        detail = held(torch.zeros_like(detail), detail, region)
        if blend is not None:
            detail = detail.clamp(blend.darkest.to(base), blend.brightest.to(base))
    made = base + detail
    if whole:  # what features make of the mask's edge is no skin
        made = torch.lerp(base, made, (_INNER * feather(base.shape[-1])).clamp(max=1).to(base))
    made = spread_out(base, made, region)
    return Synthesis(
        texture=with_luminance(low_frequency, made),
        luminance=made,
        history=tuple(history),
        terms=state.terms,
        evaluations=state.evaluations,
        finished=state.stuck or state.steps >= config.iterations,
    )


@dataclass(frozen=True)
class _Run:
    """A descent with its files and its progress."""

    function: Callable
    config: SynthesisConfig
    preview: Preview | None
    progress: bool

    def descend(
        self, point: Tensor, resume: str | Path | None, problem: str
    ) -> tuple[DescentState, list[float]]:
        config = self.config
        if resume is not None and Path(resume).exists():
            state, history = load_state(resume, problem, point.device)
        else:
            state = begin(self.function, point)
            if state.stuck:
                raise SynthesisError(
                    "the energy of the low-frequency albedo is not finite; check that it is in "
                    "[0, 1]"
                )
            history = [state.value]
        side = math.isqrt(len(point))
        shown = tqdm(total=config.iterations, initial=state.steps, desc="synthesis", unit="step",
                     leave=False, disable=None if self.progress else True)  # fmt: skip
        saved = state.steps
        try:
            with shown:
                while state.steps < config.iterations and not state.stuck:
                    before = state.steps
                    state = step(self.function, state, history=config.history,
                                 first=config.first_step)  # fmt: skip
                    history += [state.value] * (state.steps - before)
                    shown.update(state.steps - before)
                    shown.set_postfix(energy=f"{state.value:.4g}", refresh=False)
                    if self.preview is not None:
                        self.preview(state.steps, state.point.view(1, 1, side, side))
                    if resume is not None and state.steps >= saved + config.save_every:
                        save_state(resume, state, history, problem)
                        saved = state.steps
        except KeyboardInterrupt:
            shown.write("interrupted: the texture so far is kept")
        if resume is not None:
            save_state(resume, state, history, problem)
        return state, history


def _checked(low_frequency: Tensor) -> Tensor:
    """Its luminance (1, 1, S, S)."""
    shape = low_frequency.shape
    if len(shape) != 4 or shape[:2] != (1, 3) or shape[2] != shape[3]:
        raise SynthesisError(
            f"the low-frequency albedo is {tuple(shape)}; expected (1, 3, S, S), one texture"
        )
    return luminance_of(low_frequency.detach())


def _energy(
    base: Tensor,
    grams: Grams,
    backbone: Backbone,
    config: SynthesisConfig,
    features: Mapping[str, Tensor] | None,
    region: Tensor,
) -> Energy:
    names = tuple(grams) if config.gram_layers is None else config.gram_layers
    missing = [name for name in names if name not in grams]
    if missing:
        raise SynthesisError(
            f"there is no target for layer {missing[0]!r}; there are {', '.join(grams) or 'none'}"
        )
    wanted = backbone.feature_layers if config.feature_layers is None else config.feature_layers
    if features is None:
        with torch.no_grad():
            features = backbone.features(mask_out(base, region), wanted) if wanted else {}
    targets = {name: grams[name].to(base) for name in names} if config.alpha > 0 else {}
    return Energy(backbone, targets, features, region, config.alpha)
