"""The page's flow is Python's flow, compared in node; and what the explorer holds."""

import numpy as np
import pytest
import torch

from visage.explore.warp_explorer import WarpExplorer, WarpFace
from visage.normalization.warp import boundary_points, dense_flow, sample
from visage.normalization.warp_examples import mean_geometry, person_landmarks

SIZE = 96
SCRIPT = """
import { boundaryOf, fitFlow, flowGrid, flowAt, foldedShare, warpPixels } from "./warp_spline.js";
const say = (value) => console.log(JSON.stringify(value));
const { source, target, order, size, boundary } = given;
const edge = boundary ? boundaryOf(size) : [];
const values = [...target.map(([x, y], k) => [source[k][0] - x, source[k][1] - y]), ...edge.map(() => [0, 0])];
const fit = fitFlow([...target, ...edge], values, order, size);
"""  # noqa: E501


@pytest.fixture(scope="module")
def pair():
    """Two people's landmarks (68, 2) in double precision."""
    return person_landmarks(2, split="test", size=SIZE).double()


def given(pair, order, boundary=True):
    source, target = (points.tolist() for points in pair)
    return {"source": source, "target": target, "order": order, "size": SIZE, "boundary": boundary}


def ours(pair, order, boundary=True):
    source, target = pair[:1], pair[1:]
    each_side = 5 if boundary else 0
    return dense_flow(source, target, SIZE, SIZE, order=order, each_side=each_side)


@pytest.mark.parametrize("boundary", [True, False])
@pytest.mark.parametrize("order", [1, 2])
def test_the_page_has_the_library_s_flow(run_js, pair, order, boundary):
    script = (
        SCRIPT + "const { u, v } = flowGrid(fit, size, 1); say([Array.from(u), Array.from(v)]);"
    )
    found = np.reshape(run_js(script, given(pair, order, boundary)), (2, SIZE, SIZE))
    expected = ours(pair, order, boundary)[0].numpy()
    assert np.abs(expected).max() > 1
    assert np.abs(found - expected).max() < 1e-3


def test_while_moving_the_flow_is_coarser_by_little(run_js, pair):
    script = SCRIPT + (
        "const flow = flowGrid(fit, size, 3); const out = [];"
        "for (let y = 0; y < size; y++) for (let x = 0; x < size; x++)"
        " out.push(flowAt(flow, x, y));"
        "say(out);"
    )
    found = np.array(run_js(script, given(pair, 1))).T.reshape(2, SIZE, SIZE)
    difference = np.abs(found - ours(pair, 1)[0].numpy())
    assert difference.mean() < 0.05
    assert difference.max() < 1.5


def test_the_page_reads_as_the_library_reads(run_js, pair):
    picture = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.avg_pool2d(picture, 5, 1, 2).double()
    rgba = torch.cat([255 * picture, torch.full((1, 1, SIZE, SIZE), 255.0)], 1)
    script = SCRIPT + (
        "const out = new Float64Array(given.picture.length);"
        "warpPixels(given.picture, size, flowGrid(fit, size, 1), out); say(Array.from(out));"
    )
    pixels = rgba[0].permute(1, 2, 0).flatten().tolist()
    found = run_js(script, {**given(pair, 1), "picture": pixels})
    found = np.reshape(found, (SIZE, SIZE, 4))[..., :3].transpose(2, 0, 1)
    expected = 255 * sample(picture, ours(pair, 1))[0].numpy()
    assert np.abs(found - expected).max() < 0.02


def test_boundary_and_folds(run_js, pair):
    script = SCRIPT + (
        "const share = foldedShare(flowGrid(fit, size, 1)); say([boundaryOf(size), share]);"
    )
    points, share = run_js(script, given(pair, 1))
    np.testing.assert_allclose(points, boundary_points(SIZE, SIZE), atol=1e-5)
    assert share == 0
    far = torch.stack([pair[1] + 8 * (pair[0] - pair[1]), pair[1]])
    assert run_js(script, given(far, 2))[1] > 0.01


def test_coincident_points_have_no_spline(run_js, pair):
    pair = pair.clone()
    pair[1, 8] = pair[1, 7]
    assert run_js(SCRIPT + "say(fit);", given(pair, 1)) is None


def test_state_is_what_the_page_needs(pair):
    faces = [
        WarpFace(name, torch.rand(3, SIZE, SIZE), points)
        for name, points in zip("ab", pair, strict=True)
    ]
    state = WarpExplorer(faces, mean_geometry(SIZE), {"order": 2}).get_state()
    assert state["size"] == SIZE
    assert [face["name"] for face in state["faces"]] == ["a", "b"]
    assert state["faces"][0]["image"].startswith("data:image/jpeg;base64,")
    np.testing.assert_allclose(state["faces"][1]["landmarks"], pair[1], atol=0.006)
    assert np.shape(state["mean"]) == (68, 2)
    assert state["values"] == {"order": 2}
    assert "export default" in state["_esm"]
    assert ".vx-warp" in state["_css"]
