"""What the journey's explorer holds, and that its JavaScript computes as Python does."""

import base64
import gzip
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from torch.nn.functional import interpolate

from visage.explore import journey_sheets as sheets_module
from visage.explore.inversion_data import ExplorerDataError
from visage.explore.journey_explorer import (
    MOST_ERROR,
    JourneyExplorer,
    face_errors,
    journey_heads,
)
from visage.explore.journey_sheets import (
    RELIEF,
    STAGES,
    STEP_SIDE,
    Journey,
    JourneySheets,
    JourneyStage,
    Shape,
    Skin,
    journey_sheets,
)
from visage.explore.turning_head_explorer import STEP, drawn_vertices
from visage.faces.shape import MorphableModel
from visage.texture.yiq import luminance

HEAD = 'import * as head from "./journey_head.js";\n'
BOOK = Path(__file__).parents[2] / "book"
BOX = [0.25, 0.125, 0.5, 0.5]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Sheets are written to and read from a folder of their own."""
    monkeypatch.setattr(sheets_module, "FOLDER", tmp_path / "journey")
    return tmp_path / "journey"


def bumpy(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, shape[0], 5, 5, generator=generator)
    return interpolate(small, shape[-2:], mode="bilinear")[0]


def shape(seed, size=0.5):
    generator = torch.Generator().manual_seed(seed)
    return Shape(size * torch.randn(80, generator=generator), torch.zeros(52))


def skin(seed):
    return Skin(bumpy(3, 64, 64, seed=seed), bumpy(3, 96, 96, seed=seed + 1))


def made_up(name="Nobody", seed=0, *, real=False):
    stages = tuple(
        JourneyStage(key, bumpy(3, 40, 40, seed=seed + i), None if i < 2 else 0.1 * i)
        for i, key in enumerate(STAGES)
    )
    return Journey(
        name=name,
        about="Does not exist.",
        stages=stages,
        embedding=torch.linspace(-1, 1, 128),
        coarse=shape(seed),
        head=shape(seed + 1),
        skin=skin(seed),
        visible=(bumpy(1, 64, 64, seed=seed) > 0.4).float(),
        relief=2 * bumpy(1, 64, 64, seed=seed + 3) - 1,
        truth=None if real else (shape(seed + 2), skin(seed + 5)),
    )


def decoded(data):
    """A picture as a browser reads it, (H, W, 4) bytes."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


def as_picture(pixels):
    return {"width": pixels.shape[1], "height": pixels.shape[0], "data": pixels.ravel().tolist()}


def unpacked(data):
    """Header and the uint8 and uint16 arrays of `visage.explore.face_basis.pack`'s file."""
    whole = gzip.decompress(data)
    length = int(np.frombuffer(whole, np.uint32, 1)[0])
    header = json.loads(whole[4 : 4 + length])
    arrays = {
        one["name"]: np.frombuffer(
            whole, one["type"], int(np.prod(one["shape"])), 4 + length + one["offset"]
        ).reshape(one["shape"])
        for one in header["arrays"]
    }
    return header, arrays


def test_a_journey_has_all_stages_in_order():
    one = made_up()
    with pytest.raises(ValueError, match="expected photograph, embedding"):
        replace(one, stages=one.stages[::-1])


def test_sheets_come_back_from_disk(folder):
    made = journey_sheets([made_up(), made_up("Somebody", 10, real=True)], 0.6)
    size = made.write()
    assert size == sum(path.stat().st_size for path in folder.iterdir())
    read = JourneySheets.read()
    assert read == made
    assert [person["name"] for person in read.words["people"]] == ["Nobody", "Somebody"]
    assert read.words["people"][1]["truth"] is None
    assert [s["key"] for s in read.words["people"][0]["stages"]] == list(STAGES)
    assert read.words["people"][0]["stages"][2]["distance"] == pytest.approx(0.2)


def test_missing_sheets_are_a_sentence(folder):
    with pytest.raises(ExplorerDataError, match=r"python -m tools\.build_journey"):
        JourneyExplorer.standard()


def test_pictures_lie_where_the_page_looks_for_them():
    journeys = [made_up(), made_up("Somebody", 10, real=True)]
    made = journey_sheets(journeys, 0.6)
    steps = decoded(made.pictures["steps"])
    assert steps.shape[:2] == (2 * STEP_SIDE, len(STAGES) * STEP_SIDE)
    stage = journeys[1].stages[3].picture[None]
    wanted = interpolate(stage, (STEP_SIDE,) * 2, mode="bilinear", antialias=True)[0]
    found = steps[STEP_SIDE:, 3 * STEP_SIDE : 4 * STEP_SIDE, :3] / 255
    assert np.abs(found - wanted.permute(1, 2, 0).numpy()).mean() < 0.02
    high, wide = made.words["tile"]
    assert decoded(made.pictures["skins"]).shape[:2] == (2 * high, 3 * wide)
    colours = decoded(made.pictures["colours"])
    assert colours.shape[1] % (3 * 2) == 0
    atlases = decoded(made.pictures["atlases"])
    assert atlases.shape[1] == 4 * atlases.shape[0]


def test_relief_fits_the_sheet():
    one = made_up()
    deep = replace(one, relief=torch.full((1, 64, 64), -0.4 * RELIEF))
    made = journey_sheets([deep], 0.6)
    wide = made.words["tile"][1]
    level = decoded(made.pictures["skins"])[:, wide : 2 * wide, 0] / 255
    assert np.abs(level - 0.1).mean() < 0.01  # of WebP


def test_heads_and_errors_are_those_of_the_coefficients():
    words = journey_sheets([made_up(), made_up("Somebody", 10, real=True)], 0.6).words
    model = MorphableModel.load()
    told, data = journey_heads(words, model)
    header, arrays = unpacked(data)
    nobody, somebody = told["people"]
    rows = [nobody[key] for key in ("coarse", "head", "truth")]
    rows += [somebody[key] for key in ("coarse", "head")]
    assert sorted(rows) == [0, 1, 2, 3, 4]
    assert somebody["truth"] is somebody["coarse_errors"] is somebody["head_mm"] is None
    assert nobody["file"] == "nobody"
    assert told["most_error"] == MOST_ERROR
    used = drawn_vertices(model, ("skin", "neck", "sockets", "eyes", "mouth", "teeth", "tongue"))
    assert arrays["errors"].shape == (2, len(used))
    numbers = [words["people"][0][key]["identity"] for key in ("coarse", "truth")]
    wanted = face_errors(model, *(model.vertices(torch.tensor([one])) for one in numbers))[0, used]
    level = arrays["errors"][nobody["coarse_errors"]]
    known = ~wanted.isnan().numpy()
    np.testing.assert_array_equal(level == 255, ~known)
    np.testing.assert_allclose(
        level[known] * header["error_step"], wanted.numpy()[known], atol=header["error_step"]
    )
    assert nobody["coarse_mm"] == pytest.approx(float(wanted.nanmean()), rel=0.1)


def test_errors_forgive_place_and_size_and_nothing_else():
    model = MorphableModel.load()
    true = model.vertices(shape(3).identity[None])
    moved = 1.1 * true + torch.tensor([5.0, -2.0, 9.0])
    assert face_errors(model, moved, true).nanmean() < 1e-3
    other = face_errors(model, model.vertices(torch.zeros(1, 80)), true)
    assert other.nanmean() > 0.2
    np.testing.assert_array_equal(other.isnan()[0].numpy(), (model.regions["face"] <= 0.5).numpy())


def page_heads(run_js, journeys, then):
    """What a script says of the heads that the page makes of journeys."""
    made = journey_sheets(journeys, 0.6)
    told, data = journey_heads(made.words, MorphableModel.load())
    given = {"told": told, "mesh": base64.b64encode(data).decode()}
    given |= {name: as_picture(decoded(made.pictures[name]))
              for name in ("skins", "colours", "atlases")}  # fmt: skip
    return (
        made,
        run_js(
            HEAD + 'import { unpackFace } from "./face_model.js";\n'
            "for (const name of ['skins', 'colours', 'atlases']) given[name].data = Uint8ClampedArray.from(given[name].data);\n"  # noqa: E501
            "const file = await unpackFace(Uint8Array.from(Buffer.from(given.mesh, 'base64')));\n"
            "const heads = head.journeyHeads({ told: given.told, file, sheet: given.skins, strip: given.colours, atlases: given.atlases });\n"  # noqa: E501
            f"{then}",
            given,
        ),
    )


def test_the_page_makes_heads_of_the_sheets(run_js):
    journeys = [made_up(), made_up("Somebody", 10, real=True)]
    _, found = page_heads(
        run_js, journeys,
        "const brief = ({ positions, paint, tiles, low, atlas }) => ({ positions: Array.from(positions.subarray(0, 3)), painted: paint !== null, tiles: [tiles.width, tiles.height], low: [low.width, low.height], atlas: [atlas.width, atlas.height] });\n"  # noqa: E501
        "console.log(JSON.stringify(heads.map((one) => Object.fromEntries(Object.entries(one).map(([key, h]) => [key, h && brief(h)])))));",  # noqa: E501
    )  # fmt: skip
    nobody, somebody = found
    assert somebody["trueClay"] is somebody["trueSkin"] is None
    assert nobody["skin"]["painted"]
    assert not somebody["skin"]["painted"]
    assert nobody["clay"]["low"] == nobody["clay"]["atlas"] == [1, 1]
    assert nobody["skin"]["atlas"] == nobody["trueSkin"]["atlas"]
    assert nobody["skin"]["atlas"][0] == nobody["skin"]["atlas"][1] > 100
    model = MorphableModel.load()
    first = int(drawn_vertices(model)[0])
    for key, one in (("clay", "coarse"), ("skin", "head")):
        wanted = model.vertices(getattr(journeys[0], one).identity[None])[0, first]
        torch.testing.assert_close(
            torch.tensor(nobody[key]["positions"]), wanted, atol=2 * STEP, rtol=0
        )


def test_the_file_s_picture_is_the_skin(run_js):
    """Inside of the window the face, outside the atlas, and the window where it lies."""
    journeys = [made_up()]
    made, found = page_heads(
        run_js, journeys,
        "const { width, data } = head.skinPicture(heads[0].skin, given.told.box, 96);\n"
        "console.log(JSON.stringify({ width, data: Array.from(data) }));",
    )  # fmt: skip
    pixels = torch.tensor(found["data"]).view(96, 96, 4)[..., :3].permute(2, 0, 1) / 255
    atlas = journeys[0].skin.atlas
    assert (pixels[:, :10] - atlas[:, :10]).abs().mean() < 0.03
    left, top, wide, high = made.words["box"]
    u, v = left + wide / 2, top + high / 2
    middle = pixels[:, int(96 * v), int(96 * u)]
    # The middle of the window's face is in the middle of its box.
    x, y = ((u - 0.3125) / 0.375, (v - 0.1484375) / 0.375)
    wanted = journeys[0].skin.face[:, int(64 * y), int(64 * x)]
    own = luminance(wanted.view(1, 3, 1, 1)).item()
    assert luminance(middle.view(1, 3, 1, 1)).item() == pytest.approx(own, abs=0.06)
    assert (middle - wanted).abs().max() < 0.15  # colours are stored small


def test_errors_are_painted_in_the_scale_s_colours(run_js):
    levels = [0, 60, 120, 255]
    given = {
        "header": {"error_step": 0.05, "error_rows": 1},
        "arrays": {"errors": levels, "corner_vertices": [3, 2, 1, 0, 0]},
    }
    found = run_js(
        HEAD + "console.log(JSON.stringify({ paint: Array.from(head.paintOfErrors(given, 0, 6)), ends: [0, 0.5, 1].map(head.errorColour) }));",  # noqa: E501
        given,
    )  # fmt: skip
    paint = 255 * np.array(found["paint"]).reshape(-1, 3)
    np.testing.assert_allclose(paint[0], [120] * 3, atol=0.5)  # not compared
    for row, end in ((1, 2), (2, 1), (3, 0), (4, 0)):
        np.testing.assert_allclose(paint[row], found["ends"][end], atol=0.5)


def test_carving_moves_along_the_normals_inside_of_the_window(run_js):
    grid = [[x / 8, y / 8] for y in range(9) for x in range(9)]
    given = {
        "positions": [v for x, y in grid for v in (100 * x, -100 * y, 0)],
        "normals": [0, 0, 1] * 81,
        "places": [v for place in grid for v in place],
        "triangles": [v for y in range(8) for x in range(8)
                      for v in (9 * y + x, 9 * y + 9 + x, 9 * y + x + 1)],
        "level": 255,
    }  # fmt: skip
    script = (
        "const tiles = { width: 4, height: 4, data: new Uint8ClampedArray(64).fill(given.level) };\n"  # noqa: E501
        "const one = { positions: Float32Array.from(given.positions), normals: Float32Array.from(given.normals), places: Float32Array.from(given.places), tiles };\n"  # noqa: E501
        f"const made = head.carved(one, Uint16Array.from(given.triangles), {BOX}, 2);\n"
        "console.log(JSON.stringify({ z: Array.from(made.positions).filter((_, i) => i % 3 === 2), normals: Array.from(made.normals) }));"  # noqa: E501
    )
    found = run_js(HEAD + script, given)
    heights = np.array(found["z"]).reshape(9, 9)
    inside = np.zeros((9, 9), bool)
    inside[2:5, 3:6] = True  # away from the soft edge
    np.testing.assert_allclose(heights[inside], 1.0, atol=0.01)
    np.testing.assert_allclose(heights[:, [0, 1, 7, 8]], 0, atol=1e-6)
    np.testing.assert_allclose(heights[[0, 6, 7, 8]], 0, atol=1e-6)
    lengths = np.linalg.norm(np.array(found["normals"]).reshape(-1, 3), axis=1)
    assert np.allclose(lengths[lengths > 0], 1, atol=1e-5)


def test_the_page_s_file_is_read_by_others(run_js, tmp_path):
    picture = io.BytesIO()
    Image.fromarray(np.tile(np.arange(32, dtype=np.uint8) * 8, (32, 1))).convert("RGB").save(
        picture, "PNG"
    )
    given = {
        "positions": [0, 0, 0, 100, 0, 0, 0, 50, 0, 0, 0, 25],
        "normals": [0, 0, 1] * 4,
        "places": [0, 0, 1, 0, 0, 1, 0.5, 0.25],
        "triangles": [0, 1, 2, 0, 1, 3],
        "picture": base64.b64encode(picture.getvalue()).decode(),
    }
    script = (
        'import { writeGlb } from "./glb_writer.js";\nimport { readGlb } from "./glb.js";\n'
        "const file = writeGlb({ ...given, picture: { bytes: new Uint8Array(Buffer.from(given.picture, 'base64')), type: 'image/png' } });\n"  # noqa: E501
        "const back = readGlb(file.buffer);\n"
        "console.log(JSON.stringify({ file: Buffer.from(file).toString('base64'), points: Array.from(back.points), triangles: Array.from(back.triangles) }));"  # noqa: E501
    )
    found = run_js(script, given)
    np.testing.assert_allclose(found["points"], given["positions"], atol=1e-4)
    assert found["triangles"] == given["triangles"]
    path = tmp_path / "head.glb"
    path.write_bytes(base64.b64decode(found["file"]))
    mesh = trimesh.load(path, force="mesh", process=False, maintain_order=True)
    np.testing.assert_allclose(mesh.vertices, np.reshape(given["positions"], (4, 3)) / 1000)
    np.testing.assert_allclose(mesh.visual.uv[3], [0.5, 0.75])  # trimesh counts v from below
    assert mesh.visual.material.baseColorTexture.size == (32, 32)


def test_distances_are_said_in_words(run_js):
    found = run_js(
        'import { distanceWords } from "./journey.js";\n'
        "console.log(JSON.stringify(given.map((d) => distanceWords(d, 0.6))));",
        [None, 0.3, 0.6, 0.9],
    )
    assert "compared with" in found[0]
    assert found[1].startswith("the same person")
    assert found[2].startswith("somebody else")
    assert found[2] == found[3]


def test_the_page_knows_every_stage(run_js):
    stages = run_js(
        'import { JOURNEY_STAGES } from "./journey_stages.js";\n'
        "console.log(JSON.stringify(JOURNEY_STAGES));",
        None,
    )
    assert [one["key"] for one in stages] == list(STAGES)
    keys = set(STAGES)
    for number, one in enumerate(stages):
        assert set(one["from"]) <= keys - {one["key"]}
        assert all(STAGES.index(key) < number for key in one["from"])
        assert one["page"] is None or (BOOK / f"{one['page']}.md").is_file()


def test_the_tracked_journeys_are_those_of_the_explorer():
    """What is in the repository fits what the page expects of it, and stays small."""
    try:
        sheets = JourneySheets.read()
    except ExplorerDataError as missing:
        pytest.skip(str(missing))
    people = sheets.words["people"]
    assert len(people) >= 3
    assert sum(one["truth"] is not None for one in people) >= 2
    steps = decoded(sheets.pictures["steps"])
    assert steps.shape[:2] == (len(people) * STEP_SIDE, len(STAGES) * STEP_SIDE)
    for one in people:
        assert len(one["embedding"]) == 128
        assert all(stage["distance"] > 0 for stage in one["stages"][2:])
    assert sum(p.stat().st_size for p in sheets_module.FOLDER.iterdir()) < 400_000
    widget = JourneyExplorer(sheets)
    names = ["told", "steps", "sheet", "colours", "atlases", "mesh"]
    assert len(json.dumps(widget.get_state(names))) < 4_000_000
