"""What becomes of a head's numbers when its picture is mirrored."""

from dataclasses import dataclass

import torch
from torch import Tensor

from visage.faces.shape import MorphableModel


@dataclass(frozen=True, eq=False)
class Mirror:
    """Identity, expression and pose of the window, mirrored: each becomes another one, or minus it.

    Identity's modes are symmetric or antisymmetric, so this is exact for heads at rest; facial
    actions have partners that are their mirror images to a fraction of a millimetre.
    """

    order: Tensor  # (138,) int64, whose place each takes
    sign: Tensor  # (138,)

    @classmethod
    def of(cls, model: MorphableModel) -> "Mirror":
        """The model's."""
        basis = model.identity_basis
        turned = basis[:, model.mirror] * basis.new_tensor([-1, 1, 1])
        signs = (basis * turned).sum((1, 2)).sign()
        names, modes = model.expression_names, len(basis)
        partners = [name.replace("Left", "*").replace("Right", "Left").replace("*", "Right")
                    for name in names]  # fmt: skip
        actions = torch.tensor([names.index(partner) for partner in partners]) + modes
        pose = modes + len(names) + torch.arange(6)
        # Yaw, roll and the way to the right change their signs.
        sign = [signs, torch.ones(len(names)), torch.tensor([1.0, -1, -1, -1, 1, 1])]
        return cls(torch.cat([torch.arange(modes), actions, pose]), torch.cat(sign))

    def __call__(self, numbers: Tensor) -> Tensor:
        """(..., 138), mirrored."""
        return numbers[..., self.order] * self.sign

    def where(self, which: Tensor, numbers: Tensor) -> Tensor:
        """(B, 138), mirrored where `which` (B,)."""
        return torch.where(which[:, None], self(numbers), numbers)
