"""The browser's arithmetic is Python's arithmetic."""

from pathlib import Path

import numpy as np
import pytest
import torch

from visage.explore import javascript
from visage.explore.javascript import bundle, stylesheet
from visage.photos.alignment import DLIB_CHIP_FIVE, similarity_transform
from visage.photos.corruption import Corruption, corrupt

FOLDER = Path(javascript.__file__).parent / "js"
WIDGETS = sorted(p.name for p in FOLDER.glob("*.js") if "export default" in p.read_text("utf-8"))
SHEETS = sorted(path.name for path in FOLDER.glob("*.css"))

CORRUPT = """
import { corrupt } from "./image.js";
const source = { width: given.width, height: given.height, data: Float32Array.from(given.data) };
console.log(JSON.stringify(Array.from(corrupt(source, given.settings).data)));
"""

CASES = {
    "plain": Corruption(),
    "blur": Corruption(blur=2.3),
    "dark": Corruption(exposure=-2.5),
    "bright": Corruption(exposure=1.5),
    "placement": Corruption(rotation=0.4, zoom=1.3, shift_x=11, shift_y=-7),
    "out of the picture": Corruption(rotation=-1.2, zoom=0.6, shift_x=50, shift_y=50),
    "sunglasses": Corruption(occluder="sunglasses", cover=0.7),
    "mask": Corruption(occluder="mask", cover=0.5),
    "patch": Corruption(occluder="patch", cover=1.0),
    "mirror": Corruption(mirror=True, shift_x=9),
    "everything": Corruption(1.1, -0.7, 0.0, 0.2, 0.8, 5, 3, "mask", 0.4, True),
}


def settings(corruption: Corruption) -> dict:
    values = dict(vars(corruption))
    values["rotation"] = float(np.degrees(corruption.rotation))  # screens speak degrees
    return values


@pytest.mark.parametrize("name", CASES)
def test_corruptions_agree_with_python(run_js, name):
    generator = torch.Generator().manual_seed(3)
    source = torch.nn.functional.interpolate(
        torch.rand(1, 3, 40, 40, generator=generator), size=(300, 300), mode="bilinear"
    )
    given = {
        "width": 300,
        "height": 300,
        "data": source.flatten().tolist(),
        "settings": settings(CASES[name]),
    }
    browser = torch.tensor(run_js(CORRUPT, given)).view(1, 3, 150, 150)
    torch.testing.assert_close(browser, corrupt(source, CASES[name]), atol=2e-5, rtol=0)


def test_grain_has_the_stated_spread_and_repeats(run_js):
    script = """
    import { addNoise } from "./image.js";
    const grey = { width: 100, height: 100, data: new Float32Array(30000).fill(0.5) };
    console.log(JSON.stringify([addNoise(grey, 0.1, 1), addNoise(grey, 0.1, 1), addNoise(grey, 0.1, 2)]
      .map((image) => Array.from(image.data))));
    """
    first, again, other = (np.array(values) for values in run_js(script, {}))
    assert (first == again).all()
    assert (first != other).mean() > 0.99
    assert abs(first.mean() - 0.5) < 0.003
    assert abs(first.std() - 0.1) < 0.003


def test_five_point_template_is_the_library_s(run_js):
    script = 'import { CHIP_FIVE_POINTS } from "./geometry.js"; console.log(JSON.stringify(CHIP_FIVE_POINTS));'
    np.testing.assert_allclose(run_js(script, {}), DLIB_CHIP_FIVE.template, atol=1e-9)


def test_similarity_fit_agrees_with_python(run_js):
    script = """
    import { fitSimilarity, invertSimilarity, applySimilarity } from "./geometry.js";
    const t = fitSimilarity(given.from, given.to);
    const back = given.from.map((p) => applySimilarity(invertSimilarity(t), applySimilarity(t, p)));
    console.log(JSON.stringify({ t, back }));
    """
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 1, 5, 2, generator=generator, dtype=torch.float64) * 40 + 70
    found = run_js(script, {"from": a[0].tolist(), "to": b[0].tolist()})
    matrix = similarity_transform(a, b)[0]
    t = found["t"]
    np.testing.assert_allclose(
        [[t["a"], -t["b"], t["tx"]], [t["b"], t["a"], t["ty"]]], matrix, atol=1e-9
    )
    np.testing.assert_allclose(found["back"], a[0], atol=1e-9)


def test_coincident_points_are_refused(run_js):
    script = """
    import { fitSimilarity } from "./geometry.js";
    let message = "";
    try { fitSimilarity([[1, 1], [1, 1]], [[0, 0], [1, 1]]); } catch (error) { message = error.message; }
    console.log(JSON.stringify(message));
    """
    assert "coincide" in run_js(script, {})


@pytest.mark.parametrize("script", WIDGETS)
def test_a_widget_s_bundle_is_one_module_without_imports(script, run_js):
    source = bundle(script)
    assert 'from "./' not in source
    assert source.count("export default") == 1
    # The joined text parses, runs, and exports what anywidget calls.
    load = """
    const url = "data:text/javascript," + encodeURIComponent(given);
    const { default: widget } = await import(url);
    console.log(JSON.stringify(typeof widget.render));
    """
    assert run_js(load, source) == "function"


def test_a_bundle_holds_each_function_once():
    source = bundle("embedding_explorer.js")
    assert source.count("export ") == 1
    assert source.count("function fitSimilarity") == 1


def test_bundle_refuses_an_unknown_module():
    with pytest.raises(FileNotFoundError):
        bundle("missing.js")


@pytest.mark.parametrize("sheet", SHEETS)
def test_a_style_sheet_names_only_the_explorers(sheet):
    for block in stylesheet(sheet).split("}"):
        selector = block.split("{")[-2 if block.count("{") > 1 else 0].strip()
        if selector and not selector.startswith("@"):
            assert ".vx" in selector, selector


def test_locator_template_is_the_network_s(run_js):
    # The template is a constant of the module; a crop fitted to it maps it onto itself.
    from visage.recognition.locator import LOCATOR_CROP

    script = """
    import fs from "node:fs";
    const source = fs.readFileSync(new URL("locator.js", import.meta.url), "utf8");
    fs.writeFileSync(new URL("opened.js", import.meta.url), source + "\\nexport { LOCATOR_TEMPLATE };");
    const { LOCATOR_TEMPLATE } = await import("./opened.js");
    console.log(JSON.stringify(LOCATOR_TEMPLATE));
    """.replace('import fs from "node:fs";', "")
    np.testing.assert_allclose(run_js(script, {}), LOCATOR_CROP.template, atol=1e-9)


def test_squares_leave_no_gap(run_js):
    script = """
    import { squares } from "./locator.js";
    console.log(JSON.stringify(given.map(([width, height, side]) => squares({ width, height }, side))));
    """
    cases = [(640, 480, 200), (480, 640, 700), (300, 1200, 90), (100, 100, 100)]
    for (width, height, side), maps in zip(cases, run_js(script, cases), strict=True):
        xs = sorted({round(m["a"] * 47.5 - m["b"] * 47.5 + m["tx"], 6) for m in maps})
        ys = sorted({round(m["b"] * 47.5 + m["a"] * 47.5 + m["ty"], 6) for m in maps})
        assert len(maps) == len(xs) * len(ys)
        for centres, length in ((xs, width), (ys, height)):
            gaps = np.diff(centres) if len(centres) > 1 else [0]
            assert max(gaps) <= 0.5 * side  # a face between two is a quarter off at most
            assert centres[0] - 0 <= 0.5 * side + 1 or len(centres) == 1
            assert length - centres[-1] <= 0.5 * side + 1 or len(centres) == 1


def test_pyramid_keeps_positions_and_means(run_js):
    script = """
    import { pyramid, samplePyramid } from "./image.js";
    const [width, height] = [512, 512];
    const data = new Float32Array(3 * width * height);
    for (let c = 0; c < 3; c++) for (let y = 0; y < height; y++) for (let x = 0; x < width; x++)
      data[(c * height + y) * width + x] = (x + 2 * y) / 1536;
    const levels = pyramid({ width, height, data });
    const map = { a: 4.6, b: 0.3, tx: 40, ty: 35 };
    const out = samplePyramid(levels, map, 64);
    console.log(JSON.stringify({ levels: levels.length, data: Array.from(out.data.slice(0, 64 * 64)) }));
    """
    found = run_js(script, {})
    assert found["levels"] == 4
    y, x = np.mgrid[:64, :64]
    expected = ((4.6 * x - 0.3 * y + 40) + 2 * (0.3 * x + 4.6 * y + 35)) / 1536
    np.testing.assert_allclose(np.array(found["data"]).reshape(64, 64), expected, atol=1e-5)
