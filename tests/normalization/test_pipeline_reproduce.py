"""What figures 6 and 7 and the filter's table measure."""

import pytest
import torch

from visage.normalization.compositing import Compositor, equation_residual
from visage.normalization.faces import NormalFaces, stored
from visage.normalization.filter_reproduce import blurred, kept_rows
from visage.normalization.morphing import FaceMorpher
from visage.normalization.morphs import MorphSettings
from visage.normalization.pipeline_reproduce import average_rows, morph_rows, morph_sheet
from visage.normalization.quality import Measures, Quality
from visage.normalization.sittings import Sittings, face_light
from visage.photos.alignment import MEAN_FACE

SIZE = 48


class Colours:
    """As a recogniser, the mean colour of a chip."""

    name, dim, threshold = "colours", 3, 0.1

    def embed(self, chips):
        return chips.mean((2, 3))

    def distance(self, a, b):
        return (a - b).norm(dim=-1)


@pytest.fixture(scope="module")
def faces():
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(12, 3, 6, 6, generator=generator)
    images = torch.nn.functional.interpolate(coarse, (SIZE, SIZE), mode="bilinear")
    inner = torch.tensor([MEAN_FACE[i] for i in range(17, 68)])
    angle = torch.linspace(0.2, 2.94, 17)
    jaw = torch.stack([0.5 - 0.55 * angle.cos(), 0.3 + 0.8 * angle.sin()], 1)
    landmarks = 24 * torch.cat([jaw, inner]) + 12
    landmarks = landmarks + 0.3 * torch.randn(12, 68, 2, generator=generator)
    return images, landmarks


def test_residual_is_least_for_the_solution(faces):
    images, _ = faces
    mask = torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    face, background = images[:2], images[2:4]
    solved = Compositor(mask)(face, background)
    least = equation_residual(solved, face, background, mask)
    assert torch.allclose(equation_residual(face, face, face, mask), torch.zeros(2))
    for other in (face, background, background + mask * (face - background), solved + 0.01):
        assert (equation_residual(other, face, background, mask) > least).all()


def test_morph_rows_and_sheet(faces):
    images, landmarks = faces
    base = NormalFaces(tuple("abcdefghijkl"), stored(images), landmarks)
    morpher = FaceMorpher(base, MorphSettings(neighbours=3))
    rows = {row.name: row for row in morph_rows(morpher, 0, 6, Colours(), "_x")}
    assert all(name.endswith("_x") for name in rows)
    assert rows["residual_x"].ours < rows["residual_blended_x"].ours
    assert rows["neighbour_x"].ours < rows["stranger_x"].ours
    assert rows["distance_to_first_x"].n == 6
    assert len(morph_sheet(morpher, 0).axes) == 5 * 7


def test_light_is_measured_in_grey_levels():
    faces = torch.full((1, 3, 8, 8), 0.4)
    faces[..., 4:] += 0.2
    light = face_light(faces, torch.ones(8, 8))
    assert torch.allclose(light.colour, torch.full((1, 3), 255 * 0.5))
    assert float(light.sides) == pytest.approx(255 * 0.2, rel=1e-3)
    assert float(light.detail) == pytest.approx(255 * 0.2 / 7, rel=1e-3)


def test_averages_vary_less_in_light(faces):
    """One face, lit from the left, from the right, and dimly, twice."""
    images, landmarks = faces
    ramp = torch.linspace(-0.2, 0.2, SIZE)
    lights = [ramp, -ramp, -0.3 * torch.ones(SIZE)]
    lit = torch.stack([0.3 * images[0] + 0.4 + light for light in (*lights, *lights[::-1])])
    same = landmarks[:1].expand(6, -1, -1)
    sittings = Sittings(("a", "b"), torch.stack([lit, lit]), torch.stack([same, same]))
    rows = {row.name: row.ours for row in average_rows(sittings, Colours(), "")}
    assert rows["colour_averaged"] < 0.1 * rows["colour_single"]
    assert rows["sides_averaged"] < 0.5 * rows["sides_single"]
    assert rows["distance_averaged"] < 0.1 * rows["distance_single"]


def test_kept_counts_people():
    values = torch.tensor([0.6, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.8])[:, None].repeat(1, 6)
    values[2] = torch.tensor([0.0, 2.0, 4.0, 9.0, 40.0, 0.0])
    rows = kept_rows(Measures(*values), ["a", "a", "a", "a", "a", "b"], Quality())
    found = {row.name: row.ours for row in rows}
    assert found["kept_frontal"] == pytest.approx(5 / 6)
    assert found["people"] == 2
    assert found["kept_all_at_5_degrees"] == pytest.approx(4 / 6)
    assert found["people_with_three_at_5_degrees"] == 1


def test_blur_keeps_the_mean_and_lowers_the_contrast():
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    soft = blurred(pictures)
    assert soft.shape == pictures.shape
    assert torch.allclose(soft.mean((2, 3)), pictures.mean((2, 3)), atol=0.02)
    assert (soft.std((2, 3)) < 0.4 * pictures.std((2, 3))).all()
    flat = torch.full((1, 3, 16, 16), 0.3)
    assert torch.allclose(blurred(flat), flat)
