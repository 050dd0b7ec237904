import math

import pytest
import torch

from visage.faces.camera import WeakPerspective
from visage.faces.hair import strands
from visage.faces.hair import strands_torch as strand_torch
from visage.faces.hair.compiled_strands import BURIED, END, RAMP, THINNEST
from visage.faces.hair.polylines import TIP
from visage.faces.hair.strands import StrandError, Strands, cast_strands, draw_strands
from visage.faces.harmonics import shade
from visage.faces.light import Light
from visage.faces.shadow import shadow_map

SIZE = 24


def camera(count=1, size=SIZE, scale=1.0, angles=(0.0, 0.0, 0.0)):
    angles = torch.tensor([angles]).expand(count, 3)
    return WeakPerspective(
        angles, torch.zeros(count, 2), size, size, scale=torch.full((count,), scale)
    )


def light(count=1, sky=1.0, key=1.0, towards=(0.4, 0.6, 0.7)):
    ambient = torch.zeros(count, 9, 3)
    ambient[:, 0] = sky * math.sqrt(4 * math.pi)
    ambient[:, 1:] = 0.2 * sky * torch.randn(8, 3, generator=torch.Generator().manual_seed(1))
    direction = torch.nn.functional.normalize(torch.tensor([towards]), dim=1)
    return Light(
        ambient, direction.expand(count, 3), torch.full((count, 3), key), torch.full((count,), 0.1)
    )


def background(count=1, size=SIZE):
    return torch.full((count, size, size), torch.inf)


def random_strands(count=60, points=6, seed=0, width=1.0, spread=8.0, step=2.5):
    g = torch.Generator().manual_seed(seed)
    root = spread * torch.randn(count, 1, 3, generator=g)
    steps = step * torch.randn(count, points, 3, generator=g) + torch.tensor([0.5, -1.0, 0.3])
    places = root + steps.cumsum(1)
    return Strands.even(
        places,
        width * (0.2 + torch.rand(count, generator=g)),
        0.05 + 0.6 * torch.rand(count, 3, generator=g),
        0.3 + 0.7 * torch.rand(count, points, generator=g),
    )


def straight(start, end, width=1.0, count=1, points=2):
    t = torch.linspace(0, 1, points)[None, :, None]
    start, end = torch.tensor(start), torch.tensor(end)
    places = (start + t * (end - start)).expand(count, -1, -1)
    return Strands.even(places, torch.full((count,), width), torch.full((count, 3), 0.3))


def naive(points, width, starts, radiance, head):
    """Blend every segment over every pixel, in order of depth, with the formulas written out."""
    height, wide = head.shape
    segments = []
    for s in range(len(width)):
        first, last = int(starts[s]), int(starts[s + 1]) - 1
        for j in range(first, last):
            part = (2 * (j - first) + 1) / (last - first)
            segments.append((float(points[j, 2] + points[j + 1, 2]) / 2, len(segments), j, s, part))
    colour, through = torch.zeros(3, height, wide), torch.ones(height, wide)
    for _, _, j, s, part in sorted(segments):
        a, b = points[j].double(), points[j + 1].double()
        d = b[:2] - a[:2]
        length = float(d.norm())
        ux, uy = (d / length).tolist()
        half = 0.5 * float(width[s]) * (1 - (1 - TIP) / 2 * part)
        ax, ay = a[:2].tolist()
        for y in range(height):
            for x in range(wide):
                px, py = x - ax, y - ay
                along, aside = px * ux + py * uy, px * uy - py * ux
                drawn, edge = max(half, THINNEST), max(abs(ux), abs(uy)) / 2
                cover = min(aside + edge, drawn) - max(aside - edge, -drawn)
                cover *= half / (drawn * 2 * edge)
                begin = -half if j == starts[s] else 0
                finish = length + half if j + 2 == starts[s + 1] else length
                run = min(along + END / 2, finish) - max(along - END / 2, begin)
                if cover <= 0 or run <= 0:
                    continue
                t = min(max(along / length, 0), 1)
                z = float(a[2] + t * (b[2] - a[2]))
                seen = min(max((float(head[y, x]) + BURIED + RAMP - z) / RAMP, 0), 1)
                weight = float(through[y, x]) * min(cover, 1) * run / END * seen
                colour[:, y, x] += weight * torch.lerp(radiance[j], radiance[j + 1], t)
                through[y, x] -= weight
    return colour, 1 - through


def test_a_naive_loop_draws_the_same():
    # Steps of pixels, so that no point is left out, and depths apart, so that no bin is shared.
    hair, cam, lights = random_strands(12, 3, spread=3.0, step=3.0), camera(size=12), light()
    head = background(size=12)
    head[:, :, :4] = -2.0
    layer = draw_strands([hair], cam, lights, head)
    points = cam.project(hair.points[None])[0]
    radiance = strand_torch.light_up(
        hair.points, cam.view(hair.points[None])[0], hair.starts, hair.colour, hair.openness,
        cam.rotation()[0], False, strands._polynomial(lights.ambient)[0],
        torch.cat([lights.key_direction, lights.key_colour]),
        (torch.zeros(3, 4), torch.full((2, 2), 1e6)), 1.0,
    )  # fmt: skip
    colour, alpha = naive(points, hair.width, hair.starts, radiance, head[0])
    assert alpha.max() > 0.5
    torch.testing.assert_close(layer.alpha[0, 0], alpha, atol=0.01, rtol=0)
    torch.testing.assert_close(layer.colour[0], colour, atol=0.01, rtol=0)


@pytest.mark.parametrize("perspective", [False, True])
def test_torch_draws_what_the_compiled_loops_draw(perspective, monkeypatch):
    hair, cam = random_strands(200, 8), camera(size=40, scale=0.9, angles=(0.2, 0.5, 0.1))
    if perspective:
        cam = cam.at_distance(torch.tensor([400.0]))
    head = background(size=40)
    head[:, 10:30, 10:30] = 400.0 if perspective else 0.0
    corners = torch.tensor([[[-9.0, -9, 2], [9, -9, 2], [0, 9, 8]]])
    lights = light()
    shadows = shadow_map(
        cam.view(corners), torch.tensor([[0, 1, 2]]), lights.key_direction, size=32
    )
    first = draw_strands([hair], cam, lights, head, shadows=shadows)
    monkeypatch.setattr(strands, "_draw_compiled", strands._draw_torch)
    second = draw_strands([hair], cam, lights, head, shadows=shadows)
    assert first.alpha.max() > 0.9
    for name in ("colour", "alpha"):
        gap = (getattr(first, name) - getattr(second, name)).abs()
        assert gap.mean() < 2e-4
        assert gap.max() < 0.02  # what is all but opaque may be left out
    where = first.depth.isfinite() & second.depth.isfinite()
    assert (first.depth.isfinite() == second.depth.isfinite()).float().mean() > 0.995
    assert (first.depth - second.depth)[where].abs().quantile(0.99) < 0.1


def test_torch_casts_what_the_compiled_loop_casts():
    hair, cam = random_strands(300, 8, width=3.0), camera()
    corners = torch.tensor([[[-30.0, -30, -20], [30, -30, -20], [0, 30, -20]]])
    shadows = shadow_map(
        cam.view(corners), torch.tensor([[0, 1, 2]]), light().key_direction, size=24
    )
    turn, shift = shadows.frame[0].split([3, 1], 1)
    places = cam.view(hair.points[None])[0] @ turn.T + shift[:, 0]
    cover, nearest = strand_torch.cast(places, hair.starts, hair.width, shadows.scale[0], 24)
    drawn = cast_strands(shadows, [hair], cam).depth[0]
    hidden = cover > strands._HIDING
    assert hidden.any()
    expected = torch.where(hidden, torch.minimum(nearest, shadows.depth[0]), shadows.depth[0])
    torch.testing.assert_close(drawn, expected, atol=1e-3, rtol=0)


def test_hair_only_takes_light_away():
    cam, lights = camera(), light()
    corners = torch.tensor([[[-30.0, -30, -20], [30, -30, -20], [0, 30, -20]]])
    shadows = shadow_map(cam.view(corners), torch.tensor([[0, 1, 2]]), lights.key_direction)
    hairy = cast_strands(shadows, [random_strands(500, 8, width=3.0)], cam)
    assert (hairy.depth <= shadows.depth).all()
    assert (hairy.depth < shadows.depth).any()
    sparse = straight([0.0, 0, 0], [0.0, 20, 0], width=0.05)
    assert torch.equal(cast_strands(shadows, [sparse], cam).depth, shadows.depth)
    short = straight([0.0, 0, 0], [0.0, 5, 0], width=9.0)
    assert torch.equal(cast_strands(shadows, [short], cam).depth, shadows.depth)


def test_hair_in_the_shadow_of_hair_is_darker():
    cam, lights, head = camera(), light(sky=0.1, towards=(1.0, 0.0, 0.1)), background()
    hair = random_strands(1500, 8, width=4.0, spread=15.0)
    corners = torch.tensor([[[-40.0, -50, -50], [40, -50, 50], [0, 60, 0]]])
    shadows = shadow_map(cam.view(corners), torch.tensor([[0, 1, 2]]), lights.key_direction)
    hairy = cast_strands(shadows, [hair], cam)
    lit = draw_strands([hair], cam, lights, head).colour.sum()
    assert draw_strands([hair], cam, lights, head, shadows=hairy).colour.sum() < 0.95 * lit


@pytest.mark.parametrize("width", [0.05, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("angle", [0.0, 0.3, 0.8, 1.5])
def test_a_line_covers_its_area(width, angle):
    end = [8 * math.cos(angle), 8 * math.sin(angle), 0.0]
    start = [-end[0], -end[1], 0.0]
    hair = straight(start, end, width)
    alpha = draw_strands([hair], camera(), light(), background()).alpha
    mean = width * (1 + TIP) / 2
    assert alpha.sum().item() == pytest.approx((16 + mean) * mean, rel=0.05)  # square ends


def test_joints_of_a_straight_line_do_not_show():
    many = straight([-8.0, -3, 0], [8.0, 3, 0], 1.0, points=9)
    one = straight([-8.0, -3, 0], [8.0, 3, 0], 1.0)
    drawn = [draw_strands([hair], camera(), light(), background()).alpha for hair in (many, one)]
    assert drawn[0].sum() == pytest.approx(drawn[1].sum().item(), rel=0.08)


def test_alpha_and_depth_are_in_range():
    layer = draw_strands([random_strands(400, width=4)], camera(), light(), background())
    assert (layer.alpha >= 0).all()
    assert (layer.alpha <= 1).all()
    assert torch.equal(layer.depth[:, None].isfinite(), layer.alpha > 0.5)
    assert (layer.colour >= 0).all()


def test_a_head_hides_what_is_behind_it():
    behind, before = straight([-8.0, 0, -20], [8.0, 0, -20]), straight([-8.0, 4, 5], [8.0, 4, 5])
    head = background()
    head[:, :, : SIZE // 2] = 0.0
    layer = draw_strands([Strands.joined([behind, before])], camera(), light(), head)
    rows = layer.alpha[0, 0].sum(1)
    assert layer.alpha[0, 0, 11:13, : SIZE // 2].max() == 0
    assert layer.alpha[0, 0, 11:13, SIZE // 2 :].max() > 0.3
    assert rows[7:9].sum() > 0.6 * 16 * 0.65


def test_roots_just_under_the_skin_are_not_buried():
    head = torch.zeros(1, SIZE, SIZE)
    shallow = straight([-8.0, 0, -BURIED], [8.0, 0, -BURIED])
    deep = straight([-8.0, 0, -BURIED - RAMP], [8.0, 0, -BURIED - RAMP])
    assert draw_strands([shallow], camera(), light(), head).alpha.max() > 0.3
    assert draw_strands([deep], camera(), light(), head).alpha.max() == 0


def test_the_nearest_strand_is_on_top():
    red, green = straight([-8.0, 0, 0], [8.0, 0, 0], 3.0), straight([0.0, -8, 5], [0.0, 8, 5], 3.0)
    red.colour[:] = torch.tensor([0.9, 0.0, 0.0])
    green.colour[:] = torch.tensor([0.0, 0.9, 0.0])
    for order in ([red, green], [green, red]):
        layer = draw_strands([Strands.joined(order)], camera(), light(), background(), shine=0.0)
        r, g, _ = layer.colour[0, :, 12, 12]
        assert g > 5 * r


def test_thinned_strands_cover_as_much():
    g = torch.Generator().manual_seed(3)
    root = 16 * torch.rand(4000, 1, 3, generator=g) - 8
    way = torch.linspace(0, 1, 5)[None, :, None] * torch.tensor([3.0, -5.0, 0.0])
    hair = Strands.even(root + way, torch.full((4000,), 0.02), torch.full((4000, 3), 0.2))
    thin = hair.thinned(500)
    assert len(thin) == 500
    assert thin.width.sum() == pytest.approx(hair.width.sum().item(), rel=1e-4)
    full, part = (
        draw_strands([h], camera(), light(), background()).alpha.mean() for h in (hair, thin)
    )
    assert part == pytest.approx(full.item(), rel=0.05)
    assert hair.thinned(9999) is hair
    assert len(hair.thinned(0)) == 0


def test_ambient_light_is_that_of_the_harmonics():
    normals = torch.nn.functional.normalize(
        torch.randn(1, 3, 5, 1, generator=torch.Generator().manual_seed(0)), dim=1
    )
    for count in (4, 9):
        ambient = torch.randn(1, count, 3, generator=torch.Generator().manual_seed(2))
        x, y, z = normals[0, :, :, 0]
        basis = torch.stack([x**0, y, z, x, x * y, y * z, z * z, x * z, x * x - y * y], 1)
        found = basis @ strands._polynomial(ambient)[0]
        torch.testing.assert_close(found, shade(normals, ambient)[0, :, :, 0].T)


def test_batches_are_drawn_one_by_one():
    hairs = [random_strands(seed=seed) for seed in (1, 2)]
    both = draw_strands(hairs, camera(2), light(2), background(2))
    for image, hair in enumerate(hairs):
        one = draw_strands([hair], camera(), light(), background())
        assert torch.equal(both.colour[image], one.colour[0])
    none = draw_strands([Strands.none(), hairs[0]], camera(2), light(2), background(2))
    assert none.alpha[0].max() == 0
    assert none.alpha[1].max() > 0


def test_points_that_cannot_be_seen_are_left_out():
    good = straight([-8.0, 0, 0], [8.0, 0, 0], points=4)
    bad = straight([-8.0, 5, 0], [8.0, 5, 0], points=4)
    bad.points[2] = torch.nan
    layer = draw_strands([Strands.joined([good, bad])], camera(), light(), background())
    assert layer.colour.isfinite().all()
    assert layer.alpha.isfinite().all()
    assert layer.alpha[0, 0, 6:8, :10].max() > 0.2  # before the bad point
    near = camera().at_distance(torch.tensor([50.0]))
    behind = straight([-8.0, 0, 60], [8.0, 0, 60])
    assert draw_strands([behind], near, light(), background()).alpha.max() == 0
    dot = straight([0.0, 0, 0], [0.0, 0, 5])
    assert draw_strands([dot], camera(), light(), background()).alpha.isfinite().all()


def test_an_empty_batch_gives_empty_layers():
    empty = draw_strands([], camera(0), light(0), background(0))
    assert empty.colour.shape == (0, 3, SIZE, SIZE)
    assert empty.alpha.shape == (0, 1, SIZE, SIZE)
    assert empty.over(torch.zeros(0, 3, SIZE, SIZE)).shape == (0, 3, SIZE, SIZE)


def test_strands_are_checked():
    even = straight([0.0, 0, 0], [1.0, 0, 0])
    with pytest.raises(StrandError, match="width"):
        Strands(even.points, even.starts, torch.ones(2), even.colour, even.openness)
    with pytest.raises(StrandError, match="starts"):
        Strands(even.points, torch.tensor([0, 1]), even.width, even.colour, even.openness)
    with pytest.raises(StrandError, match="float32"):
        Strands(even.points.double(), even.starts, even.width, even.colour, even.openness)
    with pytest.raises(StrandError, match="cameras"):
        draw_strands([even], camera(2), light(), background())
    with pytest.raises(StrandError, match="depth"):
        draw_strands([even], camera(), light(), background(size=9))
    with pytest.raises(StrandError):
        even.thinned(-1)
    with pytest.raises(StrandError, match="shadow"):
        cast_strands(shadow_map(torch.zeros(2, 3, 3), torch.tensor([[0, 1, 2]]),
                                light(2).key_direction), [even], camera())  # fmt: skip


def test_joined_strands_keep_their_points():
    groups = [random_strands(3, 4), Strands.none(), random_strands(2, 7, seed=5)]
    joined = Strands.joined(groups)
    assert len(joined) == 5
    assert joined.starts.tolist() == [0, 4, 8, 12, 19, 26]
    assert torch.equal(joined.points[12:], groups[2].points)
    picked = joined.chosen(torch.tensor([4, 0]))
    assert torch.equal(picked.points[:7], groups[2].points[7:])
    assert torch.equal(picked.points[7:], groups[0].points[:4])
    assert len(Strands.joined([])) == 0
