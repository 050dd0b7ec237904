"""How an avatar is made: how much work goes into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from visage.avatar.errors import AvatarError

if TYPE_CHECKING:
    from visage.texture.infer import InferenceConfig

FILTERS = (8, 16, 32, 50)
"""Of the inversion networks that are shipped."""

LEAST_TEXELS = 32
"""Below, the texture's network has nothing left to look at."""


@dataclass(frozen=True)
class AvatarConfig:
    """Sized for less than a minute on two cores.

    Part V's own defaults (512 texels, 256 people, 300 iterations) take minutes, and as long again
    the first time, when the people's textures are painted.
    """

    texels: int = 256  # of the face texture's side: 0.75 mm each, about a photograph's pixel
    people: int = 32  # whose skins are blended; painted once, before the first avatar
    iterations: int = 100  # of the texture's synthesis
    filters: int = 50  # of the inversion network, the largest that is shipped
    decoder: Literal["synthetic", "lfw"] = "synthetic"  # what normalized faces were learned from
    pixels: int = 512  # of the square window round the face that all parts are shown
    detail: int = 200  # of the window that FineNet sees, a multiple of 100; 200 is its own
    shown: int = 256  # pixels of the stages' pictures

    def __post_init__(self) -> None:
        least = {"texels": LEAST_TEXELS, "people": 1, "iterations": 1, "pixels": 64, "detail": 100,
                 "shown": 16}  # fmt: skip
        for name, limit in least.items():
            if getattr(self, name) < limit:
                raise AvatarError(f"{name} is {getattr(self, name)}; give at least {limit}")
        if self.filters not in FILTERS:
            known = ", ".join(map(str, FILTERS))
            raise AvatarError(
                f"there is no inversion network of {self.filters} filters; choose among {known}"
            )
        if self.detail % 100:
            raise AvatarError(f"detail is {self.detail} pixels; give a multiple of 100")

    def inference(self) -> InferenceConfig:
        """Part V's settings."""
        from visage.texture.infer import InferenceConfig
        from visage.texture.synthesis import SynthesisConfig

        return InferenceConfig(
            size=self.texels,
            people=self.people,
            synthesis=SynthesisConfig(iterations=self.iterations),
        )
