"""What a person's skin, eyes and teeth look like, as numbers."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor


class SkinError(ValueError):
    """Parameters of skin that cannot be painted."""


COLOURS = ("stubble_colour", "scalp_colour", "lipstick_colour", "eye_shadow_colour")


@dataclass(frozen=True, eq=False)
class Skin:
    """B people. Strengths are in [0, 1] if nothing else is said; colours are linear.

    Raises:
        SkinError: a shape does not fit, or a value is not finite or out of range.
    """

    melanin: Tensor  # (B,) index of `skin_tone.MELANIN`: 0.1 very light, 0.5 tan, 0.9 very dark
    haemoglobin: Tensor  # (B,) index of `skin_tone.BLOOD`: 0.25 pale, 0.55 ruddy
    carotene: Tensor  # (B,) yellow from what one eats, and warmth of the tone
    redness: Tensor  # (B,) of cheeks, nose, ears and chin
    lip_redness: Tensor  # (B,) blood that shows through the lips
    lip_contrast: Tensor  # (B,) how much less melanin the lips have
    under_eye: Tensor  # (B,) dark rings
    freckles: Tensor  # (B,) how many: 1 is about 2,000 from ear to ear
    freckle_strength: Tensor  # (B,) how dark
    moles: Tensor  # (B,) how many, 0 to 40
    mottling: Tensor  # (B,) unevenness; 0.4 is usual, 0 is a mask of wax
    age: Tensor  # (B,) years, 0 to 120: age spots, thin lips, dull skin
    wrinkles: Tensor  # (B,) depth of lines; 0 smooth, 1 deeply furrowed
    pores: Tensor  # (B,) depth of pores
    oiliness: Tensor  # (B,) shine, most on forehead, nose and chin
    stubble: Tensor  # (B,) shadow of a shaved beard
    stubble_colour: Tensor  # (B, 3)
    scalp: Tensor  # (B,) share of the scalp that the roots of hair hide: 0 bald, 0.8 thick hair
    scalp_colour: Tensor  # (B, 3) of hair, on the scalp and under the brows
    brows: Tensor  # (B,) tint under the brows
    iris_melanin: Tensor  # (B,) 0 blue, 0.3 green or hazel, 0.6 brown, 1 nearly black
    iris_yellow: Tensor  # (B,) lipochrome: turns blue to green and grey to hazel
    iris_ring: Tensor  # (B,) darkness of the ring at the limbus
    iris_contrast: Tensor  # (B,) of the fibres
    pupil: Tensor  # (B,) width, 0 narrow to 1 wide: rounded to one of `eyes.PUPILS`
    sclera_yellow: Tensor  # (B,) tint of the white of the eye
    sclera_red: Tensor  # (B,) veins
    teeth: Tensor  # (B,) shade, 0 white to 1 stained
    lipstick: Tensor  # (B,) how much of the lips' own colour it hides
    lipstick_colour: Tensor  # (B, 3)
    eye_shadow: Tensor  # (B,)
    eye_shadow_colour: Tensor  # (B, 3)
    blush: Tensor  # (B,) on the cheekbones
    eyeliner: Tensor  # (B,)
    pattern: Tensor  # (B,) int64 at least 0: seed of where spots, veins and unevenness are

    def __post_init__(self):
        batch = len(self.melanin)
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            shape = (batch, 3) if name in COLOURS else (batch,)
            if tuple(value.shape) != shape:
                raise SkinError(f"{name} is {tuple(value.shape)}; expected {shape}")
            if name == "pattern":
                if value.dtype != torch.int64 or (value < 0).any():
                    raise SkinError("pattern holds seeds: give int64, none negative")
                continue
            top = {"moles": 40, "age": 120}.get(name, 1)
            if not ((value >= 0) & (value <= top)).all():
                low, high = value.min().item(), value.max().item()
                raise SkinError(f"{name} is from {low:.3g} to {high:.3g}; give 0 to {top}")

    def __len__(self) -> int:
        """People in the batch."""
        return len(self.melanin)

    def __getitem__(self, index: slice | Tensor) -> "Skin":
        """Some of the people; a slice, or a tensor of indices."""
        return Skin(*(getattr(self, field.name)[index] for field in fields(self)))

    def cpu(self) -> "Skin":
        """The same people in the CPU's memory."""
        return Skin(*(getattr(self, field.name).cpu() for field in fields(self)))
