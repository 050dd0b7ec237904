"""What the explorers of Part V hold, and that their JavaScript computes as Python does."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from tools.build_texture_simplex import negative_share
from visage.explore import texture_sheets
from visage.explore.alpha_layers_explorer import AlphaLayersExplorer
from visage.explore.inversion_data import ExplorerDataError
from visage.explore.simplex_explorer import BEYOND, STEPS, SimplexExplorer, lattice_weights
from visage.explore.texture_sheets import (
    TextureSheet,
    face_box,
    picture_urls,
    pictures,
    sheet_urls,
    sheet_words,
    write_picture,
    write_sheet,
)
from visage.explore.turning_head_explorer import (
    STEP,
    TurningHeadExplorer,
    atlas_box,
    pack_heads,
    shown_photographs,
)
from visage.faces.shape import MorphableModel
from visage.texture.window import crop, face_region
from visage.texture.yiq import luminance, with_luminance

TILES = 'import * as tiles from "./texture_tiles.js";\n'
TRIANGLE = 'import * as triangle from "./simplex_triangle.js";\n'
STANDARD = (AlphaLayersExplorer, SimplexExplorer, TurningHeadExplorer)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Sheets are written to and read from a folder of their own."""
    monkeypatch.setattr(texture_sheets, "FOLDER", tmp_path / "texture")
    return tmp_path / "texture"


def decoded(url):
    """A picture of a data URL, (H, W, 4) bytes, as a browser reads it."""
    data = base64.b64decode(url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


def as_picture(pixels):
    return {"width": pixels.shape[1], "height": pixels.shape[0], "data": pixels.ravel().tolist()}


def bumpy(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, int(np.prod(shape[:-2])), 6, 5, generator=generator)
    return interpolate(small, shape[-2:], mode="bilinear").view(shape)


@pytest.mark.parametrize("size", [64, 256])
def test_the_box_holds_the_face_and_little_more(size):
    rows, columns = face_box(size)
    face = face_region(size)[0, 0]
    assert face[rows, columns].sum() == face.sum()
    inside = face[rows, columns] > 0
    for edge in (inside[:2], inside[-2:], inside[:, :2], inside[:, -2:]):
        assert edge.float().mean() < 0.9
    assert columns.stop - columns.start <= size


def test_the_box_lies_in_the_atlas_where_the_window_does():
    size = 96
    atlas = torch.zeros(1, 1, 256, 256)
    rows, columns = face_box(size)
    left, top, wide, high = (round(256 * v) for v in atlas_box(size))
    atlas[..., top : top + high, left : left + wide] = 1
    window = crop(atlas, size)[0, 0]
    outside = window.clone()
    outside[rows, columns] = 0
    assert window[rows, columns].min() > 0.9
    assert outside.sum() < 3  # a rounding


def test_a_sheet_comes_back_as_the_page_reads_it(folder, run_js):
    luminances = bumpy(2, 3, 20, 16)
    colours = torch.stack([bumpy(3, 20, 16, seed=k) for k in (1, 2)])
    size = write_sheet("one", TextureSheet(luminances, colours, {"who": [0.123456]}), 95)
    assert size == sum(path.stat().st_size for path in folder.iterdir())
    words = sheet_words("one", "build_one")
    assert words == {"who": [0.1235], "tile": [20, 16]}
    grey, _ = map(decoded, sheet_urls("one"))
    assert grey.shape == (40, 48, 4)
    script = TILES + (
        "const found = [];\n"
        "for (let r = 0; r < 2; r++) for (let c = 0; c < 3; c++) found.push(Array.from(tiles.tileOf(given, r, c, [20, 16])));\n"  # noqa: E501
        "console.log(JSON.stringify(found));"
    )  # fmt: skip
    found = torch.tensor(run_js(script, as_picture(grey))).view(2, 3, 20, 16) / 255
    assert (found - luminances).abs().mean() < 0.02


def test_colours_are_enlarged_as_torch_enlarges_them(run_js):
    strip = (255 * torch.rand(3, 6, 10)).round()
    rgba = torch.cat([strip, torch.full((1, 6, 10), 255.0)]).permute(1, 2, 0).numpy()
    script = TILES + (
        "console.log(JSON.stringify([0, 1].map((k) => Array.from(tiles.colourOf(given, k, 2, [17, 14])))));"  # noqa: E501
    )  # fmt: skip
    for k, found in enumerate(run_js(script, as_picture(rgba))):
        part = strip[None, :, :, 5 * k : 5 * k + 5]
        wanted = interpolate(part, (17, 14), mode="bilinear", align_corners=False)[0]
        found = torch.tensor(found).view(17, 14, 3).permute(2, 0, 1)
        torch.testing.assert_close(found, wanted, atol=1e-3, rtol=0)


def test_the_page_changes_luminance_as_the_library_does(run_js):
    texture, grey = torch.rand(1, 3, 5, 4), torch.rand(1, 1, 5, 4)
    given = {
        "colours": (255 * texture[0].permute(1, 2, 0)).flatten().tolist(),
        "grey": (255 * grey).flatten().tolist(),
    }
    script = TILES + (
        "const own = tiles.luminanceOf(given.colours);\n"
        "const some = [1, 3].map((gain) => Array.from(tiles.colouredBytes(given.grey, given.colours, own, gain)));\n"  # noqa: E501
        "console.log(JSON.stringify({ own: Array.from(own), some }));"
    )  # fmt: skip
    found = run_js(script, given)
    own = torch.tensor(found["own"]).view(1, 1, 5, 4) / 255
    torch.testing.assert_close(own, luminance(texture), atol=1e-4, rtol=0)
    for gain, some in zip((1, 3), found["some"], strict=True):
        some = torch.tensor(some).view(5, 4, 4)
        wanted = with_luminance(texture, own + gain * (grey - own))[0].permute(1, 2, 0)
        torch.testing.assert_close(some[..., :3] / 255, wanted, atol=0.003, rtol=0)
        assert (some[..., 3] == 255).all()


def test_a_missing_sheet_is_a_sentence(folder):
    for explorer in STANDARD:
        with pytest.raises(ExplorerDataError, match=r"python -m tools\.build_texture_"):
            explorer.standard()
    with pytest.raises(ExplorerDataError, match="build_texture_heads"):
        shown_photographs()


def test_pictures_side_by_side_come_back(folder):
    squares = bumpy(3, 1, 24, 24).expand(-1, 3, -1, -1)
    write_picture("some.webp", torch.cat(tuple(squares), 2), 95)
    assert (pictures("some.webp", "one") - squares).abs().mean() < 0.02
    assert [decoded(url).shape for url in picture_urls("some.webp", "one")] == [(24, 24, 4)] * 3


def test_the_page_s_lattice_is_the_library_s(run_js):
    script = TRIANGLE + (
        "console.log(JSON.stringify(given.map(([steps, beyond]) => triangle.latticeWeights({ steps, beyond }))));"  # noqa: E501
    )  # fmt: skip
    cases = [[STEPS, BEYOND], [2, 0], [4, 2]]
    for (steps, beyond), found in zip(cases, run_js(script, cases), strict=True):
        wanted = lattice_weights(steps, beyond)
        torch.testing.assert_close(torch.tensor(found), wanted, atol=1e-6, rtol=0)
        assert (wanted.sum(1) - 1).abs().max() < 1e-6
        assert float(wanted.min()) == pytest.approx(-beyond / steps)


def test_weights_lie_between_the_corners_that_the_page_blends(run_js):
    lattice = lattice_weights()
    generator = torch.Generator().manual_seed(0)
    shares = -torch.rand(200, 3, generator=generator).log()
    least = -BEYOND / STEPS
    inside = least + (1 - 3 * least) * shares / shares.sum(1, keepdim=True)
    asked = torch.cat([inside, lattice])
    script = TRIANGLE + (
        "console.log(JSON.stringify(given.weights.map((w) => triangle.latticeCells(w, given))));"
    )
    given = {"weights": asked.tolist(), "steps": STEPS, "beyond": BEYOND}
    for weights, cells in zip(asked, run_js(script, given), strict=True):
        assert 1 <= len(cells) <= 3
        assert all(share > 0 for _, share in cells)
        corners = lattice[[index for index, _ in cells]]
        sizes = torch.tensor([float(share) for _, share in cells])
        assert float(sizes.sum()) == pytest.approx(1, abs=1e-4)
        torch.testing.assert_close(sizes @ corners, weights, atol=1e-4, rtol=0)
        assert torch.cdist(corners, corners).max() < 1.5 * 2**0.5 / STEPS  # neighbours only


def test_a_weight_that_is_moved_leaves_the_others_in_proportion(run_js):
    script = TRIANGLE + (
        "console.log(JSON.stringify(given.map(([w, k, v]) => triangle.withWeight(w, k, v, -1 / 3))));"  # noqa: E501
    )  # fmt: skip
    cases = [([0.2, 0.3, 0.5], 0, 0.6), ([1.0, 0.0, 0.0], 1, 2.0), ([1 / 3] * 3, 2, -3.0)]
    found = [torch.tensor(one) for one in run_js(script, [list(case) for case in cases])]
    for weights, (_, index, value) in zip(found, cases, strict=True):
        assert float(weights.sum()) == pytest.approx(1, abs=1e-6)
        assert weights.min() >= -1 / 3 - 1e-6
        assert float(weights[index]) == pytest.approx(min(max(value, -1 / 3), 5 / 3), abs=1e-6)
    least = torch.tensor(-1 / 3)
    assert float((found[0][1] - least) / (found[0][2] - least)) == pytest.approx(0.76, abs=1e-6)


def test_a_point_beyond_the_lattice_is_brought_to_its_edge(run_js):
    script = TRIANGLE + ("console.log(JSON.stringify(given.map((w) => triangle.held(w, -1 / 3))));")
    cases = [[3.0, -1.0, -1.0], [0.2, 0.5, 0.3], [-2.0, 2.5, 0.5], [-0.9, 0.95, 0.95]]
    found = torch.tensor(run_js(script, cases))
    assert (found.sum(1) - 1).abs().max() < 1e-5
    assert found.min() >= -1 / 3 - 1e-5
    torch.testing.assert_close(found[1], torch.tensor(cases[1]))
    torch.testing.assert_close(found[0], torch.tensor([5 / 3, -1 / 3, -1 / 3]))


def test_a_negative_eigenvalue_is_told_as_a_share():
    good, bad = torch.diag(torch.tensor([4.0, 1.0])), torch.diag(torch.tensor([4.0, -1.0]))
    assert negative_share({"a": good[None]}) == 0
    assert negative_share({"a": good[None], "b": bad[None]}) == pytest.approx(0.25)


def test_the_page_unpacks_the_heads_that_were_packed(run_js):
    model = MorphableModel.load()
    identity = torch.stack([torch.zeros(80), 0.5 * torch.ones(80)])
    script = (
        'import { unpackFace } from "./face_model.js";\n'
        'import { headArrays } from "./head_arrays.js";\n'
        "const file = await unpackFace(Uint8Array.from(Buffer.from(given, 'base64')));\n"
        "const heads = [0, 1].map((p) => headArrays(file, p));\n"
        "console.log(JSON.stringify({ heads: heads.map((h) => Object.fromEntries(Object.entries(h).map(([k, v]) => [k, Array.from(v)]))), triangles: Array.from(file.arrays.triangles) }));"  # noqa: E501
    )  # fmt: skip
    found = run_js(script, base64.b64encode(pack_heads(identity, model)).decode())
    kept = torch.cat([model.triangles[model.part_triangles[p]]
                      for p in ("skin", "neck", "sockets", "eyes")])  # fmt: skip
    uv = torch.cat([model.uv_triangles[model.part_triangles[p]]
                    for p in ("skin", "neck", "sockets", "eyes")])  # fmt: skip
    corners = torch.tensor(found["triangles"])
    vertices = model.vertices(identity)
    for head, wanted in zip(found["heads"], vertices, strict=True):
        positions = torch.tensor(head["positions"]).view(-1, 3)[corners]
        torch.testing.assert_close(positions, wanted[kept.flatten()], atol=STEP, rtol=0)
        places = torch.tensor(head["places"]).view(-1, 2)[corners]
        torch.testing.assert_close(places, model.uv[uv.flatten()], atol=1e-4, rtol=0)
        normals = torch.tensor(head["normals"]).view(-1, 3)
        assert ((normals.norm(dim=1) - 1).abs() < 1e-3).float().mean() > 0.99


def test_tiles_become_the_channels_of_one_picture(run_js):
    script = (
        'import { packedTiles } from "./head_arrays.js";\n'
        "console.log(JSON.stringify(Array.from(packedTiles(given.tiles, given.visible))));"
    )
    given = {"tiles": [[1, 2], [3, 4], [5, 6]], "visible": [255, 0]}
    assert run_js(script, given) == [1, 3, 5, 255, 2, 4, 6, 0]


def test_the_tracked_sheets_are_those_of_the_explorers():
    """What is in the repository fits what the page expects of it, and stays small."""
    try:
        widgets = [explorer.standard() for explorer in STANDARD]
    except ExplorerDataError as missing:
        pytest.skip(str(missing))
    alpha, simplex, heads = widgets
    high, wide = alpha.told["tile"]
    rows, columns = len(alpha.told["alphas"]) + 1, len(alpha.told["layers"])
    assert decoded(alpha.sheet).shape[:2] == (rows * high, columns * wide)
    assert np.shape(alpha.told["energies"]) == (rows - 1, columns, len(alpha.told["bands"]))
    high, wide = simplex.told["tile"]
    points = len(lattice_weights(simplex.told["steps"], simplex.told["beyond"]))
    rows = 1 + -(-points // simplex.told["columns"])
    assert decoded(simplex.sheet).shape[:2] == (rows * high, simplex.told["columns"] * wide)
    assert len(simplex.told["negative"]) == points
    high, wide = heads.told["tile"]
    people = len(heads.told["people"])
    assert decoded(heads.sheet).shape[:2] == (people * high, 3 * wide)
    assert len(heads.photos) == people == len(shown_photographs())
    page = sum(len(json.dumps(w.get_state(["sheet", "colours", "told"]))) for w in widgets)
    assert page < 1_500_000
    tracked = sum(p.stat().st_size for p in texture_sheets.FOLDER.iterdir() if p.is_file())
    assert tracked < 1_000_000
