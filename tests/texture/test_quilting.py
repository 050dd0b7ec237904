import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import avg_pool2d

from visage.texture.errors import QuiltingError
from visage.texture.quilting import Quilter, QuiltingConfig, minimum_cut

SIZE = 64


class Textures:
    """A library in memory."""

    def __init__(self, textures):
        self._textures = textures

    def __len__(self):
        return len(self._textures)

    def textures(self, indices):
        return self._textures[indices]


def random_library(count=5, size=SIZE, seed=0):
    return Textures(torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)))


def smooth(texture):
    return torch.nn.functional.interpolate(avg_pool2d(texture, 8), texture.shape[-2:],
                                           mode="bilinear")  # fmt: skip


def cheapest_path(errors):
    """Every path, one by one."""
    length, width = errors.shape
    paths = [
        path
        for path in itertools.product(range(width), repeat=length)
        if all(abs(a - b) <= 1 for a, b in itertools.pairwise(path))
    ]
    return min(sum(float(errors[i, c]) for i, c in enumerate(path)) for path in paths)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**31))
def test_minimum_cut_is_the_cheapest_of_all_paths(length, width, seed):
    errors = torch.rand(length, width, generator=torch.Generator().manual_seed(seed)).double()
    path = minimum_cut(errors)
    assert (path.diff().abs() <= 1).all()
    cost = errors[torch.arange(length), path].sum()
    assert float(cost) == pytest.approx(cheapest_path(errors), rel=1e-9)


@pytest.mark.parametrize("errors", [torch.zeros(4), torch.zeros(0, 3)])
def test_minimum_cut_refuses(errors):
    with pytest.raises(QuiltingError):
        minimum_cut(errors)


def test_a_library_of_one_gives_that_texture():
    library = random_library(1)
    config = QuiltingConfig(reach=0, tone=None)
    quilt = Quilter.of(library, config).quilt(smooth(library.textures([0])), 0)
    assert torch.equal(quilt.texture, library.textures([0]))


def test_the_right_person_is_found_for_each_half():
    """Two tones: the left half of the low frequencies is one person's, the right the other's."""
    dark, light = 0.3 * torch.rand(1, 3, SIZE, SIZE), 0.7 + 0.3 * torch.rand(1, 3, SIZE, SIZE)
    library = Textures(torch.cat([dark, light]))
    low = torch.cat([torch.full((1, 3, SIZE, SIZE // 2), 0.15),
                     torch.full((1, 3, SIZE, SIZE // 2), 0.85)], 3)  # fmt: skip
    config = QuiltingConfig(reach=0, tone=None, likeness=100.0, tolerance=0.0)
    quilt = Quilter.of(library, config).quilt(low, 0)
    column = quilt.corners[:, 1]
    assert (quilt.people[column <= SIZE // 2 - 4] == 0).all()
    assert (quilt.people[column >= SIZE // 2] == 1).all()


def test_every_texel_is_one_of_the_librarys_at_its_place():
    library = random_library()
    # Without weight on likeness, one person goes on all over the face: that makes no seams.
    config = QuiltingConfig(reach=0, tone=None, likeness=100.0)
    quilt = Quilter.of(library, config).quilt(torch.full((1, 3, SIZE, SIZE), 0.5), 3)
    same = (library.textures(slice(None)) == quilt.texture).all(1)
    assert same.any(0).all()
    assert len(quilt.people.unique()) > 1


def test_shifts_say_whence_a_patch_came():
    library = random_library(2)
    config = QuiltingConfig(reach=2, tone=None, likeness=100.0)
    quilt = Quilter.of(library, config).quilt(torch.full((1, 3, SIZE, SIZE), 0.5), 1)
    # A patch's middle is under nobody's seam: 4 texels, of which the first and the last overlap.
    place = quilt.corners + 1
    source = place + quilt.shifts
    laid = quilt.texture[0][:, place[:, 0], place[:, 1]]
    taken = library.textures(slice(None))[quilt.people, :, source[:, 0], source[:, 1]].T
    assert torch.equal(laid, taken)
    assert quilt.shifts.abs().max() == 2


def test_broad_tone_follows_the_albedo():
    library = random_library(4)
    low = torch.linspace(0.3, 0.6, SIZE).expand(1, 3, SIZE, SIZE).contiguous()
    quilted = {
        tone: Quilter.of(library, QuiltingConfig(tone=tone)).quilt(low, 0).texture
        for tone in (4, None)
    }
    error = {tone: (avg_pool2d(made - low, 16)).abs().mean() for tone, made in quilted.items()}
    assert error[4] < 0.5 * error[None]


def test_outside_of_the_region_the_albedo_stays():
    low = torch.rand(1, 3, SIZE, SIZE)
    region = torch.zeros(1, 1, SIZE, SIZE)
    region[..., 20:40, 10:50] = 1
    quilter = Quilter.of(random_library())
    texture = quilter.quilt(low, 0, region).texture
    assert torch.equal(texture * (1 - region), low * (1 - region))
    assert not torch.equal(texture * region, low * region)
    assert texture.min() >= 0
    assert texture.max() <= 1


def test_the_seed_decides():
    quilter = Quilter.of(random_library(), QuiltingConfig(tolerance=0.5))
    low = torch.full((1, 3, SIZE, SIZE), 0.5)
    first = quilter.quilt(low, 7)
    assert torch.equal(first.texture, quilter.quilt(low, 7).texture)
    assert not torch.equal(first.people, quilter.quilt(low, 8).people)


@pytest.mark.parametrize(
    "config",
    [
        QuiltingConfig(overlap=0),
        QuiltingConfig(overlap=4),
        QuiltingConfig(patch=65),
        QuiltingConfig(people=0),
        QuiltingConfig(tolerance=-0.1),
        QuiltingConfig(tone=0),
    ],
)
def test_settings_without_sense(config):
    with pytest.raises(QuiltingError):
        Quilter.of(random_library(), config)


def test_bad_libraries():
    with pytest.raises(QuiltingError, match="empty"):
        Quilter.of(Textures(torch.zeros(0, 3, SIZE, SIZE)))
    with pytest.raises(QuiltingError, match="multiple"):
        Quilter.of(random_library(1, 70))


def test_bad_input():
    quilter = Quilter.of(random_library())
    with pytest.raises(QuiltingError, match="albedo"):
        quilter.quilt(torch.zeros(1, 3, 32, 32), 0)
    with pytest.raises(QuiltingError, match="region"):
        quilter.quilt(torch.zeros(1, 3, SIZE, SIZE), 0, torch.ones(1, SIZE, SIZE))
    with pytest.raises(QuiltingError, match="empty"):
        quilter.quilt(torch.zeros(1, 3, SIZE, SIZE), 0, torch.zeros(1, 1, SIZE, SIZE))
