"""Using CoarseNet: again and again on its own answer (Richardson et al. 2017, section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from visage.geometry.coarse_network import CoarseNet
from visage.geometry.errors import GeometryError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.representation import FaceNumbers

ITERATIONS = 4
"""As often as the paper propagates a picture through CoarseNet (section 4.4)."""


@dataclass(frozen=True, eq=False)
class CoarseFit:
    """B faces' numbers from step to step."""

    steps: tuple[FaceNumbers, ...]  # r_0, which is zero, to the last
    change: Tensor  # (iterations, B), mm: how far each iteration moved the vertices, on average

    @property
    def last(self) -> FaceNumbers:
        """The answer."""
        return self.steps[-1]

    def __len__(self) -> int:
        """Faces in the batch."""
        return len(self.last)


@torch.no_grad()
def reconstruct_coarse(
    network: CoarseNet,
    mesh: FaceMesh,
    faces: Tensor,
    iterations: int = ITERATIONS,
    *,
    enough: float = 0.0,
) -> CoarseFit:
    """Start from the mean face, and correct it.

    Args:
        network: in evaluation mode.
        mesh: of the face.
        faces: (B, 1, 200, 200), grey, in [0, 1]; any multiple of the network's size does.
        iterations: at most so many.
        enough: mm; when no face's vertices move by more on average, the iteration has converged
            and stops.

    Returns:
        CoarseFit with at most `iterations` steps after the first.

    Raises:
        GeometryError: there are no iterations, or a picture holds NaN.
        CoarseNetworkError: the pictures' size does not fit.

    >>> faces = torch.zeros(1, 1, 200, 200)
    >>> fit = reconstruct_coarse(CoarseNet().eval(), FaceMesh.load(), faces, 4)
    >>> len(fit.steps)  # untrained, it has nothing to correct, and has converged at once
    2
    """
    if iterations < 1:
        raise GeometryError(f"{iterations} iterations; give at least 1")
    if not faces.isfinite().all():
        raise GeometryError("the pictures hold NaN or infinity; check how they were read")
    small = network.reduced(faces)
    steps, moved = [FaceNumbers.zeros(len(faces), str(faces.device))], []
    before = _placed(mesh, steps[0])
    for _ in range(iterations):
        steps.append(network.step(mesh, small, steps[-1]))
        after = _placed(mesh, steps[-1])
        moved.append((after - before).norm(dim=2).mean(1))
        before = after
        if bool((moved[-1] <= enough).all()):
            break
    return CoarseFit(tuple(steps), torch.stack(moved))


def _placed(mesh: FaceMesh, numbers: FaceNumbers) -> Tensor:
    """(B, N, 3) mm, the vertices in the view frame."""
    return numbers.camera().view(numbers.vertices(mesh))
