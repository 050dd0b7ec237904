"""CoarseNet: a residual network that corrects its own last answer (Richardson et al. 2017, 3.3).

It sees the grey picture, masked by the face of the last answer, and that answer as PNCC and normal
map. The paper says "based on the ResNet architecture" and draws blocks without their widths; ours
are chosen for two CPU cores. It works on pictures of 100 pixels, to which those of 200 are reduced.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu

from visage.checkpoints import load_checkpoint
from visage.geometry.errors import CoarseNetworkError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.feedback import Feedback, feedback
from visage.geometry.representation import NUMBERS, FaceNumbers

_CHANNELS = 1 + 3 + 3  # grey, PNCC, normals


@dataclass(frozen=True)
class CoarseConfig:
    """The network's shape."""

    size: int = 100  # pixels a side that it works on; the paper's 200 takes four times as long
    stem: int = 24  # channels at half the size
    widths: tuple[int, ...] = (48, 96, 160, 224)  # of the stages, each at half the size before
    blocks: tuple[int, ...] = (2, 2, 2, 2)  # residual blocks of each: ResNet-18's
    narrow: int = 64  # channels of the last maps, from which the numbers are read

    def __post_init__(self):
        if self.size < 32 or len(self.widths) != len(self.blocks) or min(self.blocks) < 1:
            raise CoarseNetworkError(
                f"size {self.size}, widths {self.widths} and blocks {self.blocks} make no network; "
                "give at least 32 pixels, and as many blocks as widths"
            )


class Block(nn.Module):
    """Two 3×3 convolutions and a shortcut (He et al. 2016)."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.shortcut = nn.Identity()
        if stride > 1 or before != after:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H/stride, W/stride)."""
        inner = relu(self.first_norm(self.first(maps)))
        return relu(self.second_norm(self.second(inner)) + self.shortcut(maps))


class CoarseNet(nn.Module):
    """(picture, r_t) to r_{t+1}.

    Args:
        config: its shape.
    """

    def __init__(self, config: CoarseConfig = CoarseConfig()):
        super().__init__()
        self.config = config
        self.stem = nn.Sequential(
            nn.Conv2d(_CHANNELS, config.stem, 5, 2, 2, bias=False),
            nn.BatchNorm2d(config.stem),
            nn.ReLU(),
        )
        before, stages, side = config.stem, [], -(-config.size // 2)
        for width, blocks in zip(config.widths, config.blocks, strict=True):
            stages.append(Block(before, width, 2))
            stages += [Block(width, width, 1) for _ in range(blocks - 1)]
            before, side = width, -(-side // 2)
        self.stages = nn.Sequential(*stages)
        # The last maps are not averaged, as ResNet's are: where things are matters here.
        self.narrow = nn.Sequential(
            nn.Conv2d(before, config.narrow, 1, bias=False),
            nn.BatchNorm2d(config.narrow),
            nn.ReLU(),
        )
        features = config.narrow * side * side
        self.head = nn.Linear(features + NUMBERS, NUMBERS)
        # The first answer is the one that was fed back.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, faces: Tensor, seen: Feedback, current: FaceNumbers) -> FaceNumbers:
        """Correct an answer.

        Args:
            faces: (B, 1, size, size), grey, in [0, 1].
            seen: the answer as pictures of that size.
            current: the answer, r_t.

        Returns:
            r_{t+1}: what the last answer and the network's correction add up to.

        Raises:
            CoarseNetworkError: the pictures have another size.
        """
        size = self.config.size
        if faces.shape[1:] != (1, size, size) or seen.pncc.shape[2:] != (size, size):
            raise CoarseNetworkError(
                f"faces are {tuple(faces.shape)}, the feedback {tuple(seen.pncc.shape)}; expected "
                f"pictures of {size} pixels (see `reduced`)"
            )
        # From [0, 1] to about [-1, 1], and zero where the face is not.
        masked = (2 * faces - 1) * seen.mask
        maps = torch.cat([masked, seen.channels], 1)
        features = self.narrow(self.stages(self.stem(maps))).flatten(1)
        numbers = current.numbers
        correction = self.head(torch.cat([features, numbers.to(features)], 1))
        return FaceNumbers.of(numbers + correction.to(numbers))

    def step(self, mesh: FaceMesh, faces: Tensor, current: FaceNumbers) -> FaceNumbers:
        """One iteration: draw the answer, and correct it."""
        return self(faces, feedback(mesh, current, self.config.size), current)

    def reduced(self, faces: Tensor) -> Tensor:
        """Bring pictures (B, 1, k·size, k·size), such as the paper's 200 pixels, to the network's.

        Raises:
            CoarseNetworkError: their size is no multiple of the network's.
        """
        factor, rest = divmod(faces.shape[-1], self.config.size)
        square = faces.ndim == 4 and faces.shape[1] == 1 and faces.shape[2] == faces.shape[3]
        if not square or rest or not factor:
            raise CoarseNetworkError(
                f"faces are {tuple(faces.shape)}; expected (B, 1, k·{self.config.size}, "
                f"k·{self.config.size})"
            )
        return faces if factor == 1 else avg_pool2d(faces, factor)


@lru_cache(maxsize=2)
def load_coarse_net(name: str = "coarse_net") -> CoarseNet:
    """The shipped network, in evaluation mode.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    network = CoarseNet()
    network.load_state_dict(load_checkpoint(name)[0])
    return network.eval().requires_grad_(False)
