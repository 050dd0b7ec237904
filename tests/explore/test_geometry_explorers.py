"""What the explorers of Part IV hold, and that their JavaScript computes as Python does."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from visage.explore import geometry_faces, relief_faces, shading_grid
from visage.explore.coarse_steps_explorer import (
    FARTHEST,
    PLACINGS,
    CoarseStepsExplorer,
    coarse_courses,
    error_colours,
)
from visage.explore.geometry_faces import resized, shown_faces, write_sheet
from visage.explore.inversion_data import ExplorerDataError
from visage.explore.mesh_viewer import MeshViewer, glb_text
from visage.explore.relief_explorer import STEP, ReliefExplorer, ReliefFace, packed
from visage.explore.shading_weights_explorer import ShadingWeightsExplorer, ground_tiles
from visage.faces.camera import rotation_matrix
from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.geometry.coarse_network import CoarseNet
from visage.geometry.export import surface_of_depth, surface_of_numbers
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.fine_network import FineNet
from visage.geometry.pipeline import Networks, reconstruct_windows
from visage.geometry.representation import FaceNumbers
from visage.geometry.surface_normals import normals_of_depth

SURFACE = 'import * as surface from "./relief_surface.js";\n'


@pytest.fixture(scope="module")
def people():
    return shown_faces()[[1, 2]]


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    return CoarseNet().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def shaded():
    return shading_grid.shaded_people((1,))


def decoded(url):
    """A picture of a data URL, (H, W, 4) bytes, as a browser reads it."""
    data = base64.b64decode(url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


def numbers_of(values):
    """JSON's null is JavaScript's NaN."""
    return torch.tensor([float("nan") if v is None else v for v in values])


def bumpy(seed=0, size=24):
    """A rough depth map (1, 1, size, size) mm, with a ragged mask."""
    generator = torch.Generator().manual_seed(seed)
    depth = resized(8 * torch.rand(1, 1, 6, 6, generator=generator), size)
    mask = torch.rand(1, 1, size, size, generator=generator) > 0.2
    return depth.masked_fill(~mask, torch.inf), mask


def as_heights(depth):
    """What the page holds: heights towards the viewer, null where there is none."""
    return [None if not np.isfinite(v) else -v for v in depth.flatten().tolist()]


HEIGHTS = "const heights = (values) => Float32Array.from(values, (v) => (v === null ? NaN : v));\n"


def test_the_shown_faces_are_faces_with_answers():
    people = shown_faces()
    assert len(people) == 8
    assert len(set(people.names)) == 8
    assert people.photos.shape == (8, 3, 400, 400)
    coarse, mask = people.coarse_depth()
    fine, _ = people.depth()
    inside = mask > 0
    assert 0.15 < inside.float().mean() < 0.5
    assert torch.equal(coarse.isfinite(), inside)
    apart = (fine - coarse)[inside].abs()
    assert 0.002 < apart.mean() < 0.1
    assert apart.max() > 0.1  # mm: a wrinkle
    # Skin is under the mask: its red is above its blue, more than that of what is beside it.
    photo = people.photos_at(200)
    warmth = photo[:, :1] - photo[:, 2:]
    assert warmth[inside].mean() > warmth[~inside].mean() + 0.05


def test_a_sheet_comes_back(people, tmp_path, monkeypatch):
    monkeypatch.setattr(geometry_faces, "FOLDER", tmp_path / "new")
    write_sheet(people, columns=2)
    again = shown_faces.__wrapped__()
    assert again.names == people.names
    torch.testing.assert_close(again.relief, people.relief, atol=0.006, rtol=0)
    torch.testing.assert_close(again.numbers.numbers, people.numbers.numbers, rtol=1e-4, atol=1e-5)
    assert (again.photos - people.photos).abs().mean() < 0.01


def test_a_missing_sheet_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(geometry_faces, "FOLDER", tmp_path)
    with pytest.raises(ExplorerDataError, match="build_geometry_faces"):
        shown_faces.__wrapped__()


def test_resizing_by_half_takes_means():
    picture = torch.rand(1, 2, 8, 8)
    half = resized(picture, 4)
    assert half.shape == (1, 2, 4, 4)
    torch.testing.assert_close(
        resized(torch.full_like(picture, 0.3), 4), torch.full_like(half, 0.3)
    )
    assert resized(picture, 8) is picture


def test_packed_surfaces_are_what_the_page_unpacks(run_js):
    depth, mask = bumpy()
    nearer = depth - 0.5 * torch.rand(depth.shape)
    face = ReliefFace("one", torch.rand(3, 24, 24), {"coarse": depth[0, 0], "true": nearer[0, 0]},
                      0.8, torch.tensor([0.6, 0.0, 0.1, 0.3]))  # fmt: skip
    found = packed(face)
    assert (found["width"], found["height"], found["pitch"]) == (24, 24, 1.25)
    script = SURFACE + (
        "const { maps, width, height, step, names } = given;\n"
        "const found = surface.unpackSurfaces(maps, width, height, { step, names });\n"
        "console.log(JSON.stringify(Object.values(found).map((z) => Array.from(z))));"
    )
    given = {"maps": decoded(found["maps"]).flatten().tolist(), "width": 24, "height": 48,
             "step": STEP, "names": ["coarse", "true"]}  # fmt: skip
    for heights, true in zip(run_js(script, given), (depth, nearer), strict=True):
        heights = numbers_of(heights)
        assert torch.equal(~heights.isnan(), mask.flatten())
        wanted = (true[mask].max() - true).flatten()
        assert (heights - wanted)[mask.flatten()].abs().max() <= STEP / 2 + 1e-4


def test_a_face_is_cut_to_its_surface():
    depth = torch.full((40, 60), torch.inf)
    depth[12:20, 30:50] = 1.0
    found = packed(ReliefFace("one", torch.rand(3, 40, 60), {"coarse": depth}, 1.0,
                              torch.ones(4)), margin=2)  # fmt: skip
    assert (found["width"], found["height"]) == (24, 12)
    assert decoded(found["photo"]).shape == (12, 24, 4)


def test_a_face_without_a_coarse_surface_is_refused():
    with pytest.raises(ValueError, match="coarse"):
        ReliefFace("one", torch.rand(3, 4, 4), {"fine": torch.zeros(4, 4)}, 1.0, torch.ones(4))
    with pytest.raises(ValueError, match="size"):
        ReliefFace("one", torch.rand(3, 4, 5), {"coarse": torch.zeros(4, 4)}, 1.0, torch.ones(4))


def test_the_page_s_normals_are_the_library_s(run_js):
    depth, mask = bumpy(1)
    script = SURFACE + HEIGHTS + (
        "console.log(JSON.stringify(Array.from(surface.surfaceNormals(heights(given), 24, 24, 1.25))));"  # noqa: E501
    )  # fmt: skip
    found = torch.tensor(run_js(script, as_heights(depth))).view(24, 24, 3).permute(2, 0, 1)
    wanted = normals_of_depth(depth, mask, torch.tensor([0.8]))[0]
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_the_page_s_errors_are_those_of_the_surfaces(run_js):
    (one, mask), noise = bumpy(2), torch.randn(1, 1, 24, 24)
    other = one + 3 + 0.2 * noise
    script = SURFACE + HEIGHTS + (
        "const [one, other] = given.map(heights);\n"
        "console.log(JSON.stringify(surface.surfaceDifference(one, other, 24, 24, 1.25)));"
    )  # fmt: skip
    found = run_js(script, [as_heights(one), as_heights(other)])
    apart = (one - other)[mask]
    wanted = (apart - torch.quantile(apart, 0.5)).abs().mean()
    assert found["millimetres"] == pytest.approx(float(wanted), abs=1e-4)
    scale = torch.tensor([0.8])
    both = [normals_of_depth(depth, mask, scale) for depth in (one, other)]
    angle = (both[0] * both[1]).sum(1, keepdim=True).clamp(-1, 1).acos()[mask].rad2deg().mean()
    assert found["degrees"] == pytest.approx(float(angle), abs=0.02)


def test_detail_can_be_left_out_and_exaggerated(run_js):
    script = SURFACE + HEIGHTS + (
        "const [coarse, fine] = given.map(heights);\n"
        "console.log(JSON.stringify([0, 1, 3].map((k) => Array.from(surface.exaggerate(coarse, fine, k)))));"  # noqa: E501
    )  # fmt: skip
    coarse, fine = [0.0, 1.0, 2.0, None], [10.0, 11.0, 12.5, 12.0]
    none, same, more = run_js(script, [coarse, fine])
    assert none[:3] == pytest.approx([0, 1, 2])
    assert same[:3] == pytest.approx([0, 1, 2.5])
    assert more[:3] == pytest.approx([0, 1, 3.5])
    assert same[3] == pytest.approx(2.0)  # where the coarse surface has nothing


def test_triangles_face_the_viewer_and_are_torn_at_jumps(run_js):
    script = SURFACE + HEIGHTS + (
        "const z = heights(given);\n"
        "console.log(JSON.stringify({ triangles: Array.from(surface.surfaceTriangles(z, 3, 2, 5)),"
        " points: Array.from(surface.surfacePoints(z, 3, 2, 1)) }));"
    )  # fmt: skip
    found = run_js(script, [0, 1, 9, 0, 1, 9])
    corners = torch.tensor(found["triangles"]).view(-1, 3)
    points = torch.tensor(found["points"]).view(-1, 3)
    assert len(corners) == 2  # the right square jumps by 8 mm
    a, b, c = points[corners].unbind(1)
    assert (torch.linalg.cross(b - a, c - a)[:, 2] > 0).all()


def test_the_page_turns_heads_as_the_camera_does(run_js):
    script = (
        SURFACE + "console.log(JSON.stringify(given.map(([t, n]) => surface.turnMatrix(t, n))));"
    )
    given = [[30.0, 0.0], [0.0, -20.0], [25.0, 15.0]]
    for (turn, nod), found in zip(given, run_js(script, given), strict=True):
        wanted = rotation_matrix(torch.deg2rad(torch.tensor([nod, turn, 0.0])))
        torch.testing.assert_close(torch.tensor(found).view(3, 3), wanted, atol=1e-6, rtol=0)


def test_a_lamp_lights_clay_as_it_says(run_js):
    script = (
        'import { lit, CLAY, AMBIENT, GLOSS, SHADING_GLSL } from "./surface_shading.js";\n'
        'const shown = given.map(([n, lamp]) => lit("clay", n, lamp, [0, 0, 0], [0, 0, 0], 0));\n'
        "console.log(JSON.stringify({ shown, CLAY, AMBIENT, GLOSS, glsl: SHADING_GLSL }));"
    )
    cases = [
        ([0, 0, 1], [0, 0, 1]),
        ([0.6, 0, 0.8], [-0.8, 0, 0.6]),
        ([0, 0.6, 0.8], [0.6, 0, 0.8]),
    ]
    found = run_js(script, cases)
    clay = torch.tensor(found["CLAY"])
    for (n, lamp), shown in zip(cases, found["shown"], strict=True):
        n, lamp = torch.tensor(n).float(), torch.tensor(lamp).float()
        facing = float(n @ lamp)
        halfway = torch.nn.functional.normalize(lamp + torch.tensor([0.0, 0.0, 1.0]), dim=0)
        gloss = found["GLOSS"][0] * max(0.0, float(n @ halfway)) ** found["GLOSS"][1]
        shading = max(facing, 0.0) + found["AMBIENT"] * (1 + 0.5 * float(n[1]))
        linear = clay * shading + (gloss if facing >= 0 else 0.0)
        wanted = encode_srgb(linear.clamp(0, 1))
        torch.testing.assert_close(torch.tensor(shown), wanted, atol=2e-3, rtol=0)
    assert "0.620, 0.580, 0.530" in found["glsl"]


def test_light_that_is_divided_out_leaves_the_colour(run_js):
    normals = torch.nn.functional.normalize(torch.randn(30, 3) + torch.tensor([0, 0, 2.0]), dim=1)
    light = torch.tensor([0.7, 0.1, 0.1, 0.2])
    shading = light[0] + normals @ light[1:]
    colour = torch.rand(30, 3) * 0.4
    photo = (255 * encode_srgb(colour * shading[:, None])).round()
    rgba = torch.cat([photo, torch.full((30, 1), 255.0)], 1)
    script = SURFACE + (
        "console.log(JSON.stringify(Array.from(surface.unlitColours(given.photo, given.normals, given.light))));"  # noqa: E501
    )  # fmt: skip
    given = {"photo": rgba.flatten().tolist(), "normals": normals.flatten().tolist(),
             "light": light.tolist()}  # fmt: skip
    found = torch.tensor(run_js(script, given)).view(30, 3)
    torch.testing.assert_close(found, colour, atol=0.01, rtol=0)


def test_a_glb_file_is_read_as_it_was_written(people, run_js):
    mesh = FaceMesh.load()
    surface = surface_of_numbers(mesh, people.numbers[[0]], people.photos[[0]])
    script = (
        'import { readGlb, meshNormals } from "./glb.js";\n'
        "const bytes = Uint8Array.from(Buffer.from(given, 'base64'));\n"
        "const mesh = readGlb(bytes.buffer);\n"
        "const own = meshNormals(mesh.points, mesh.triangles);\n"
        "let broken = '';\n"
        "try { readGlb(new ArrayBuffer(40)); } catch (error) { broken = error.message; }\n"
        "console.log(JSON.stringify({ points: Array.from(mesh.points), triangles: Array.from(mesh.triangles),"  # noqa: E501
        " colours: Array.from(mesh.colours), normals: Array.from(mesh.normals), own: Array.from(own), broken }));"  # noqa: E501
    )  # fmt: skip
    found = run_js(script, glb_text(surface))
    points = torch.tensor(found["points"]).view(-1, 3)
    torch.testing.assert_close(points, surface.vertices, atol=2e-3, rtol=0)
    assert torch.equal(torch.tensor(found["triangles"]).view(-1, 3), surface.triangles)
    colours = torch.tensor(found["colours"]).view(-1, 3)
    torch.testing.assert_close(colours, surface.colours, atol=0.003, rtol=0)
    normals, own = (torch.tensor(found[key]).view(-1, 3) for key in ("normals", "own"))
    assert ((normals * own).sum(1) > 0.99).float().mean() > 0.99
    assert "binary glTF" in found["broken"]


def test_the_viewer_names_its_files():
    flat = surface_of_depth(torch.zeros(1, 1, 3, 3), torch.ones(1, 1, 3, 3), 1.0)
    widget = MeshViewer({"FineNet, 400 px": flat, "???": flat}, {"wire": True})
    assert [one["file"] for one in widget.files] == ["finenet_400_px.glb", "face.glb"]
    assert base64.b64decode(widget.files[0]["glb"])[:4] == b"glTF"
    assert widget.values == {"wire": True}
    with pytest.raises(ValueError, match="no surface"):
        MeshViewer({})


def test_courses_of_a_network_that_changes_nothing(people, untrained):
    first, second = coarse_courses(untrained, people, PLACINGS[0], 2)
    for course in (first, second):
        assert course.error.shape == (3,)
        assert (course.error - course.error[0]).abs().max() < 1e-4
        assert course.change[0].isnan()
        assert course.change[1:].abs().max() < 1e-4
    assert first.error[0] > 1
    # The mean face looks at the viewer; the faces are turned by 22 and 28 degrees.
    assert 20 < float(first.turned[0]) < 26
    assert 26 < float(second.turned[0]) < 31


def test_courses_know_where_the_face_is_in_a_window_that_is_off(people):
    class Knows(CoarseNet):
        """Answers with the truth of the window."""

        def step(self, mesh, faces, current):
            return self.truth

    for placing in PLACINGS:
        network = Knows().eval()
        window = geometry_faces.LARGE * placing.growth
        # Placed by hand: mm of the picture, right and down, against right and up of the numbers.
        numbers = people.numbers
        growth = numbers.pose[:, 5] - np.log(placing.growth) / 0.08
        shift = torch.tensor([-placing.shift[0], placing.shift[1]]) / 8.0
        assert window >= geometry_faces.LARGE
        scale = numbers.camera().scale / FaceNumbers.zeros(1).camera().scale
        pose = torch.cat([numbers.pose[:, :3], numbers.pose[:, 3:5] + shift / scale[:, None],
                          growth[:, None]], 1)  # fmt: skip
        network.truth = FaceNumbers(numbers.identity, numbers.expression, pose)
        for course in coarse_courses(network, people, placing, 1):
            assert course.error[1] < 0.02
            assert course.turned[1] < 0.1


def test_errors_are_blue_where_too_near_and_grey_where_unknown():
    shown = error_colours(torch.tensor([-FARTHEST, 0.0, 2 * FARTHEST, torch.nan]).view(1, 1, 1, 4))
    near, right, far, unknown = shown[0, :, 0].T
    assert near[2] > near[0]
    assert far[0] > far[2]
    assert torch.equal(right, torch.ones(3))
    assert torch.equal(unknown, torch.full((3,), 0.5))


def test_the_steps_explorer_holds_a_row_a_course(people, untrained):
    courses = [[course] for course in coarse_courses(untrained, people, PLACINGS[1], 1)]
    widget = CoarseStepsExplorer(people.names, ["off"], courses)
    assert decoded(widget.sheet).shape == (2 * widget.tile, 2 * 4 * widget.tile, 4)
    assert widget.steps == 2
    assert widget.numbers[0][0]["change"][0] is None
    json.dumps(widget.get_state(["names", "numbers", "sheet", "placings"]))


def test_relief_faces_of_the_truth_and_of_networks(people, untrained):
    one = people[[0]]
    true = relief_faces.true_face(one, 200)
    assert list(true.surfaces) == ["coarse", "true"]
    assert packed(true)["surfaces"][0]["name"] == "The truth without wrinkles"
    networks = Networks(untrained, FineNet().eval())
    found = relief_faces.recovered_face(one, reconstruct_windows(networks, one.grey(200)))
    assert list(found.surfaces) == ["coarse", "fine", "true"]
    # A FineNet that has learnt nothing adds nothing.
    coarse, fine = found.surfaces["coarse"], found.surfaces["fine"]
    assert torch.equal(coarse.isfinite(), fine.isfinite())
    assert (coarse - fine)[coarse.isfinite()].abs().max() < 1e-3
    widget = ReliefExplorer([true, found], {"look": "skin"})
    assert [face["name"] for face in widget.faces] == [one.names[0]] * 2
    json.dumps(widget.get_state(["faces", "values"]))


def test_the_light_of_a_photograph_is_its_light(people):
    depth, mask = people[[0]].coarse_depth()
    scale = people.numbers[[0]].camera().scale
    normals = normals_of_depth(depth, mask, scale)
    true = torch.tensor([0.4, 0.2, 0.1, 0.3])
    linear = 0.5 * (true[0] + (normals * true[1:].view(1, 3, 1, 1)).sum(1, keepdim=True))
    photo = encode_srgb(linear.clamp(0, 1)).expand(-1, 3, -1, -1)
    found = relief_faces.light_of(photo, depth, mask, scale)
    assert float(found[0] + found[3]) == pytest.approx(1.0, abs=1e-4)
    wanted = true / (true[0] + true[3])
    assert (found - wanted).norm() < 0.1


def test_shaded_people_begin_at_the_truth_and_near_it(shaded):
    assert len(shaded) == len(shading_grid.STARTS)
    inside = shaded.mask > 0
    apart = (shaded.coarse - shaded.truth).abs()
    assert apart[0][inside[0]].mean() < 0.1
    assert 0.2 < apart[1][inside[1]].mean() < 6
    for number in range(2):
        shift = (shaded.coarse - shaded.truth)[number][inside[number]].median()
        assert abs(float(shift)) < 1e-3
    assert not shaded.coarse[~inside].any()
    error = (shaded.recovered.picture - shaded.linear)[inside].abs().mean()
    assert error < 0.05  # the recovered light explains the picture


def test_a_grid_comes_back(shaded, tmp_path, monkeypatch):
    monkeypatch.setattr(shading_grid, "FOLDER", tmp_path / "new")
    shape = (2, len(shading_grid.FIDELITIES), len(shading_grid.SMOOTHNESSES))
    noise = torch.randn(*shape, 1, 1).expand(*shape, *shading_grid.TILE)
    grid = shading_grid.ShadingGrid(noise, {"error": torch.rand(shape)})
    shading_grid.write_grid(grid)
    again = shading_grid.shading_grid()
    limit = 127 * shading_grid.STEP
    torch.testing.assert_close(again.offsets, noise.clamp(-limit, limit), atol=0.03, rtol=0)
    torch.testing.assert_close(again.terms["error"], grid.terms["error"], rtol=1e-3, atol=0)


def test_a_missing_grid_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(shading_grid, "FOLDER", tmp_path)
    with pytest.raises(ExplorerDataError, match="build_shading_grid"):
        shading_grid.shading_grid()


GRID = 'import { groundOf, offsetOf } from "./shading_weights.js";\n'


def test_the_page_reads_grounds_and_blends_offsets(shaded, run_js):
    sheet = ground_tiles(shaded)
    rows, columns = shading_grid.TILE
    assert sheet.shape == (2 * rows, 2 * columns, 3)
    rgba = np.concatenate([sheet, np.full((*sheet.shape[:2], 1), 255, np.uint8)], 2)
    script = GRID + (
        "const found = groundOf({ width: given.width, data: given.data }, 1, given.tile, given.steps);\n"  # noqa: E501
        "console.log(JSON.stringify(Object.fromEntries(Object.entries(found).map(([k, v]) => [k, Array.from(v)]))));"  # noqa: E501
    )  # fmt: skip
    given = {"width": 2 * columns, "data": rgba.flatten().tolist(), "tile": [rows, columns],
             "steps": [shading_grid.STEP, 0.005]}  # fmt: skip
    found = run_js(script, given)
    inside = (shaded.mask[1] > 0).flatten()
    heights = numbers_of(found["coarse"])
    assert torch.equal(~heights.isnan(), inside)
    wanted = -shaded.coarse[1].flatten()[inside]
    apart = heights[inside] - wanted
    assert (apart - apart.mean()).abs().max() < 0.004
    albedo = torch.tensor(found["albedo"])[inside]
    torch.testing.assert_close(
        albedo, shaded.recovered.albedo[1].clamp(0, 1).flatten()[inside], atol=0.01, rtol=0.02
    )
    level = torch.tensor(found["picture"])[inside] / 255
    torch.testing.assert_close(
        decode_srgb(level), shaded.linear[1].flatten()[inside], atol=0.01, rtol=0
    )
    # Two people, two by two knots of 1 × 2 pixels: number 100 p + 10 f + s, and one more at the right.  # noqa: E501
    knots = [
        [100 * p + 10 * f + s + x for s in (0, 1) for x in (0, 1)] for p in (0, 1) for f in (0, 1)
    ]
    script = GRID + (
        "const data = given.flatMap((row) => row.flatMap((v) => [128 + v, 0, 0, 255]));\n"
        "const blend = offsetOf({ width: 4, data }, 0, [[1, 0.25], [2, 0.75]], [1, 2], 2, 2, 0.1);\n"  # noqa: E501
        "console.log(JSON.stringify(Array.from(blend)));"
    )
    assert run_js(script, knots) == pytest.approx([0.775, 0.875], abs=1e-5)


def test_the_weights_explorer_knows_the_paper(shaded):
    shape = (2, len(shading_grid.FIDELITIES), len(shading_grid.SMOOTHNESSES))
    terms = {"error": torch.rand(shape), "recovered": torch.full(shape, torch.nan)}
    grid = shading_grid.ShadingGrid(torch.zeros(*shape, *shading_grid.TILE), terms)
    widget = ShadingWeightsExplorer(shaded, grid, "data:,")
    assert widget.paper == [1.0, 5e-3, 1.0]
    assert widget.paper[1] in shading_grid.FIDELITIES
    assert widget.paper[2] in shading_grid.SMOOTHNESSES
    assert widget.people[0]["terms"]["recovered"][0] is None
    assert len(widget.people[1]["terms"]["error"]) == shape[1] * shape[2]
    json.dumps(widget.get_state(["people", "grounds", "values", "units"]))
