"""FineNet: from a coarse depth map and the picture to a depth map with wrinkles.

Richardson et al. (2017), section 4.2: a face network cut short, hypercolumns, and 1 x 1
convolutions that read the depth off each column. What is read off is the difference to the coarse
depth. All of it is convolutional, so that any size will do.

The network is told slopes, not millimetres: depth goes in and comes out in pixels. A face seen at
twice the size is then twice as deep, as a picture of a wrinkle is the same picture whatever the
size of the wrinkle, and what was learned at 200 pixels holds at 400 (fig. 11).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.checkpoints import load_into
from visage.geometry.errors import FineNetError
from visage.geometry.fine_inputs import LIT, PLAIN, fine_inputs
from visage.geometry.hypercolumn import Hypercolumn
from visage.geometry.vgg_base import VGGBase

_MULTIPLE = 4  # of which the base's pictures are: it halves them twice


@dataclass(frozen=True)
class FineConfig:
    """How large FineNet is."""

    width: float = 0.25  # of VGG-Face's maps; the paper's is 1, whose 200-pixel face takes 0.5 s
    lit: bool = True  # whether it is told the light, see `fine_inputs`; the paper's is not
    regressor: tuple[int, ...] = (48, 32)  # maps between columns and depth; the paper gives none


class FineNet(nn.Module):
    """Coarse depth to fine depth.

    >>> network = FineNet()
    >>> flat = torch.zeros(1, 1, 10, 14)
    >>> network(flat, flat, flat + 1, torch.ones(1)).shape
    torch.Size([1, 1, 10, 14])
    """

    def __init__(self, config: FineConfig | None = None, base: VGGBase | None = None):
        """An untrained network, whose output is the coarse depth.

        Args:
            config: its size.
            base: in place of a random one of the config's width, such as `vgg_face_base` reads.

        Raises:
            FineNetError: the base takes other channels than it is given.
        """
        super().__init__()
        self.config = config or FineConfig()
        given = LIT if self.config.lit else PLAIN
        self.base = base or VGGBase(given, self.config.width, normalised=True)
        if self.base.conv1_1.in_channels != given:
            raise FineNetError(
                f"the base takes {self.base.conv1_1.in_channels} channels; FineNet gives {given}"
            )
        self.columns = Hypercolumn(self.base.outputs)
        # The picture and the depth are the rest of a column: 448 + 2 numbers in the paper.
        widths = (self.columns.channels + 2, *self.config.regressor)
        layers = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 1), nn.ReLU()]
        self.regressor = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 1))
        nn.init.zeros_(self.regressor[-1].weight)
        nn.init.zeros_(self.regressor[-1].bias)

    def forward(self, faces: Tensor, depth: Tensor, mask: Tensor, scale: Tensor) -> Tensor:
        """Refine depth maps.

        Args:
            faces: (B, 1, H, W), grey, sRGB in [0, 1].
            depth: (B, 1, H, W) mm, larger is farther; anything where the mask is 0.
            mask: (B, 1, H, W), 1 where the face is.
            scale: (B,) pixels a millimetre.

        Returns:
            (B, 1, H, W) mm; the depth that was given where the mask is 0.

        Raises:
            FineNetError: shapes do not fit, or the faces hold NaN.
            visage.geometry.errors.DepthError: depth is not finite where the mask is 1.
        """
        _check(faces, depth, mask, scale)
        height, width = faces.shape[2:]
        with torch.autocast(faces.device.type, enabled=False):  # depth needs all its digits
            seen = fine_inputs(faces, depth, mask, scale, lit=self.config.lit)
        seen = F.pad(seen, (0, -width % _MULTIPLE, 0, -height % _MULTIPLE))
        columns = self.columns(self.base(seen))
        columns = torch.cat([columns, seen[:, :2].to(columns)], 1)  # one type: else all is copied
        moved = self.regressor(columns)[..., :height, :width].float()
        return torch.where(mask > 0, depth + moved / scale.view(-1, 1, 1, 1), depth)


@lru_cache(maxsize=2)
def load_fine_net(name: str = "fine_net") -> FineNet:
    """The shipped network, in evaluation mode.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    network = FineNet()
    load_into(network, name)
    return network.eval().requires_grad_(False)


def _check(faces: Tensor, depth: Tensor, mask: Tensor, scale: Tensor) -> None:
    shapes = [tuple(x.shape) for x in (faces, depth, mask)]
    if faces.ndim != 4 or faces.shape[1] != 1 or len(set(shapes)) > 1:
        raise FineNetError(
            f"faces, depth and mask are {shapes[0]}, {shapes[1]} and {shapes[2]}; expected "
            "(B, 1, H, W) of each"
        )
    if scale.shape != faces.shape[:1]:
        raise FineNetError(f"scale is {tuple(scale.shape)}; expected ({len(faces)},)")
    if not faces.isfinite().all():
        raise FineNetError("the faces hold NaN or infinity; check how they were read")
