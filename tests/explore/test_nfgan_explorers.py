"""What the explorers of Part III hold and answer, and that their JavaScript computes as Python."""

import base64
import io
import json
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from visage.explore import nfgan_faces
from visage.explore.discriminator_explorer import DiscriminatorExplorer
from visage.explore.five_losses_explorer import (
    PRESETS,
    FiveLosses,
    LossFamilyExplorer,
    weights_of,
)
from visage.explore.inversion_data import ExplorerDataError
from visage.explore.nfgan_export import (
    PlainPerceptual,
    export_family,
    export_five_losses,
    export_nfgan_decoder,
)
from visage.explore.nfgan_faces import pack_faces, shown_people, write_sheet
from visage.explore.traversal_explorer import TraversalExplorer
from visage.nfgan.algorithm import Auxiliaries
from visage.nfgan.family import LossFamily
from visage.nfgan.identity_network import LightCnn4
from visage.nfgan.losses import TERMS, pixel_loss
from visage.nfgan.measures import laplacian_energy
from visage.nfgan.networks import Nfgan, NfganConfig
from visage.nfgan.perceptual import load_perceptual
from visage.nfgan.symmetry import symmetry_loss

SMALL = NfganConfig(width=0.125)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Nfgan(SMALL).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def family():
    torch.manual_seed(1)
    return LossFamily(config=SMALL).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def judge(network):
    torch.manual_seed(2)
    identity = LightCnn4().eval().requires_grad_(False)
    return FiveLosses(network.discriminator, Auxiliaries(load_perceptual(), identity))


@pytest.fixture(scope="module")
def people():
    return shown_people().first(4)


def answered(widget, content, *tensors):
    """What the kernel sends for a question."""
    sent = SimpleNamespace(content=None)
    widget.send = lambda content, buffers=None: vars(sent).update(content=content, buffers=buffers)
    widget._answer(widget, content, [memoryview(t.numpy().tobytes()) for t in tensors])
    if sent.content is None:
        return None
    assert sent.content == {"id": content.get("id")}
    return torch.frombuffer(bytearray(sent.buffers[0]), dtype=torch.float32)


def in_page(path, **given):
    session = onnxruntime.InferenceSession(str(path))
    (found,) = session.run(None, {name: value.numpy() for name, value in given.items()})
    return torch.from_numpy(found)


def test_the_shown_people_are_pairs_of_faces():
    people = shown_people()
    assert len(people) == 32
    assert people.inputs.shape == people.targets.shape == (32, 1, 64, 64)
    assert people.inputs.std((1, 2, 3)).min() > 0.05
    # Targets are even and frontal, so they are far more symmetric than the pictures.
    assert symmetry_loss(people.targets).mean() < 0.5 * symmetry_loss(people.inputs).mean()
    # A picture resembles its own target more than the others'.
    centred = [f - f.mean((1, 2, 3), keepdim=True) for f in (people.inputs, people.targets)]
    alike = torch.cosine_similarity(*(f.flatten(1)[:, None] for f in centred[:1]),
                                    centred[1].flatten(1)[None], dim=2)  # fmt: skip
    own = alike.diagonal().mean()
    assert own > alike.mean() + 0.05
    assert people.names[0] == f"Person 1, {people.expressions[0]}"


def test_a_sheet_comes_back(people, tmp_path, monkeypatch):
    monkeypatch.setattr(nfgan_faces, "FOLDER", tmp_path / "new")
    write_sheet(people, columns=3)
    again = shown_people.__wrapped__()
    assert torch.equal(again.inputs, people.inputs)
    assert torch.equal(again.targets, people.targets)
    assert again.expressions == people.expressions


def test_a_missing_sheet_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(nfgan_faces, "FOLDER", tmp_path)
    with pytest.raises(ExplorerDataError, match="build_nfgan_faces"):
        shown_people.__wrapped__()


def test_a_sheet_of_subsets_comes_back(people, tmp_path, monkeypatch):
    monkeypatch.setattr(nfgan_faces, "FOLDER", tmp_path)
    assert nfgan_faces.subset_faces() is None
    faces = {"p": people.inputs, "sx": people.targets}
    values = {"p": torch.rand(4, 5), "sx": torch.rand(4, 5)}
    nfgan_faces.write_subsets(faces, values)
    again = nfgan_faces.subset_faces()
    assert [one["letters"] for one in again.subsets] == ["p", "sx"]
    torch.testing.assert_close(
        torch.tensor(again.subsets[1]["values"]), values["sx"], atol=1e-4, rtol=1e-3
    )
    picture = Image.open(io.BytesIO(base64.b64decode(again.sheet.partition(",")[2])))
    found = torch.from_numpy(np.asarray(picture.convert("L")).copy()).float() / 255
    assert found.shape == (2 * 64, 4 * 64)
    assert (found[64:, 128:192] - people.targets[2, 0]).abs().mean() < 0.02


def test_packed_faces_are_what_the_page_unpacks(people, run_js):
    script = (
        'import { unpackFaces } from "./grey_faces.js";\n'
        "console.log(JSON.stringify(unpackFaces(given).map((face) => Array.from(face))));"
    )
    found = torch.tensor(run_js(script, pack_faces(people.inputs)))
    torch.testing.assert_close(found, people.inputs.flatten(1), atol=1e-6, rtol=0)


def test_the_page_s_sharpness_is_the_measures(people, run_js):
    script = (
        'import { unpackFaces, laplacianEnergy } from "./grey_faces.js";\n'
        "console.log(JSON.stringify(unpackFaces(given).map(laplacianEnergy)));"
    )
    found = torch.tensor(run_js(script, pack_faces(people.inputs)))
    torch.testing.assert_close(found, laplacian_energy(people.inputs), rtol=1e-4, atol=1e-9)


def test_presets_name_subsets_and_the_first_is_all(family):
    assert weights_of(PRESETS[0].letters, family) == pytest.approx(
        [middle for _, middle, _ in family.ranges().values()]
    )
    assert len({preset.name for preset in PRESETS}) == len(PRESETS)
    alone = dict(zip(TERMS, weights_of("x", family), strict=True))
    assert [name for name, weight in alone.items() if weight] == ["pixel"]


def test_the_family_explorer_knows_ranges_and_presets(people, family, judge):
    widget = LossFamilyExplorer(people, family, judge)
    assert [term["key"] for term in widget.terms] == list(TERMS)
    for term, (low, _, high) in zip(widget.terms, family.ranges().values(), strict=True):
        assert (term["low"], term["high"]) == pytest.approx((low, high))
        assert 0 < term["range"][0] < term["range"][1]
    weights = torch.tensor(widget.presets[0]["weights"])
    values = judge(people.inputs, family(people.inputs, weights.expand(4, -1)), people.targets)
    ends = torch.tensor([term["range"] for term in widget.terms])
    assert (values >= ends[:, 0]).all()
    assert (values <= ends[:, 1]).all()
    json.dumps(widget.get_state(["terms", "presets", "inputs", "targets", "networks"]))


def test_the_kernel_generates_and_judges(people, family, judge):
    widget = LossFamilyExplorer(people, family, judge)
    weights = torch.tensor([1.0, 0.0, 0.1, 0.0, 0.01])
    made = answered(widget, {"kind": "generate", "id": 3}, people.inputs, weights)
    wanted = family(people.inputs, weights.expand(4, -1))
    torch.testing.assert_close(made.view_as(wanted), wanted)
    one = people.inputs[:1], wanted[:1], people.targets[:1]
    values = answered(widget, {"kind": "judge", "id": 4}, *one)
    torch.testing.assert_close(values, judge(*one)[0])
    assert values[4] == pytest.approx(float(pixel_loss(wanted[:1], people.targets[:1])))
    assert answered(widget, {"kind": "something else"}) is None


def test_the_judge_s_order_is_that_of_the_terms(people, judge):
    same = judge(people.targets, people.targets, people.targets)
    found = dict(zip(TERMS, same.T, strict=True))
    for name in ("perceptual", "identity", "pixel"):
        assert not found[name].any()
    torch.testing.assert_close(found["symmetry"], symmetry_loss(people.targets))


def test_the_discriminator_explorer_answers_with_logits(people, network):
    widget = DiscriminatorExplorer(people.targets, {"made": people.inputs}, network.discriminator)
    assert widget.patches == [4, 4]
    assert widget.forgers[0]["name"] == "made"
    found = answered(widget, {"kind": "judge", "id": 1}, people.inputs)
    torch.testing.assert_close(found.view(4, 1, 4, 4), network.discriminator(people.inputs))


def test_the_traversal_explorer_encodes_and_decodes(people, network):
    widget = TraversalExplorer(people.inputs, people.names, network)
    codes = answered(widget, {"kind": "encode", "id": 1}, people.inputs).view(4, -1)
    torch.testing.assert_close(codes, network.encoder(people.inputs))
    faces = answered(widget, {"kind": "decode", "id": 2}, codes)
    torch.testing.assert_close(faces.view(4, 1, 64, 64), network.decoder(codes))


def test_plain_perceptual_is_the_perceptual_network(people):
    network = load_perceptual()
    torch.testing.assert_close(
        PlainPerceptual(network)(people.inputs), network(people.inputs), atol=2e-4, rtol=1e-3
    )


def test_networks_in_the_page_are_nearly_the_networks(people, network, family, tmp_path):
    weights = torch.tensor([[1.0, 0.0, 0.1, 3e-3, 1e-3]] * 3)
    three = people.inputs[:3]
    path = tmp_path / "network.onnx"
    export_family(family, path)
    for count in (1, 3):
        found = in_page(path, faces=three[:count], weights=weights[:count])
        torch.testing.assert_close(found, family(three, weights)[:count], atol=0.02, rtol=0)
    export_nfgan_decoder(network, path)
    codes = torch.randn(3, 256)
    torch.testing.assert_close(
        in_page(path, codes=codes), network.decoder(codes), atol=0.05, rtol=0
    )


def test_losses_in_the_page_are_nearly_the_losses(people, judge, tmp_path):
    path = tmp_path / "terms.onnx"
    export_five_losses(judge, path)
    given = people.inputs[:2], people.inputs.roll(1, 0)[:2], people.targets[:2]
    found = in_page(path, **dict(zip(("faces", "generated", "targets"), given, strict=True)))
    torch.testing.assert_close(found, judge(*given), rtol=0.03, atol=1e-3)


LOSSES = 'import { steppedScale, ratioWords, STEPS } from "./loss_panel.js";\n'


def test_slider_places_and_weights_are_each_other_s_inverse(run_js):
    script = LOSSES + (
        "const scale = steppedScale(0.03, 3);\n"
        "const places = [0, 1, 2, 11.5, STEPS];\n"
        "console.log(JSON.stringify({ weights: places.map(scale.at),"
        " places: places.map((p) => scale.place(scale.at(p))),"
        " words: [1.001, 1.4, 0.25].map(ratioWords) }));"
    )
    found = run_js(script, None)
    assert found["weights"][0] == 0
    assert found["weights"][1] == pytest.approx(0.03)
    assert found["weights"][-1] == pytest.approx(3)
    assert np.allclose(np.diff(np.log(found["weights"][1:3])), np.log(100) / 23)
    assert np.allclose(found["places"], [0, 1, 2, 11.5, 24])
    assert found["words"] == ["unchanged", "▲ ×1.4", "▼ ×0.25"]


EDITS = 'import * as edits from "./face_edits.js";\nconst faces = given.faces.map((f) => Float32Array.from(f));\n'  # noqa: E501


def edited(run_js, faces, expression):
    script = EDITS + f"console.log(JSON.stringify(Array.from({expression})));"
    found = run_js(script, {"faces": faces.flatten(1).tolist()})
    return torch.tensor(found).view(1, 64, 64)


def test_blur_is_a_gaussian_with_the_border_repeated(people, run_js):
    face = people.inputs[:1]
    found = edited(run_js, face, "edits.blurFace(faces[0], 1.3)")
    taps = torch.exp(-(torch.arange(-6, 7.0) ** 2) / 2 / 1.3**2)
    taps = taps / taps.sum()
    wide = F.pad(face, (6,) * 4, mode="replicate")
    wanted = F.conv2d(F.conv2d(wide, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))
    torch.testing.assert_close(found, wanted[0], atol=1e-5, rtol=0)


def test_a_mirrored_half_makes_a_symmetric_face(people, run_js):
    for kept, side in (("left", slice(None, 32)), ("right", slice(32, None))):
        found = edited(run_js, people.inputs, f'edits.mirrorHalf(faces[0], "{kept}")')
        assert torch.equal(found, found.flip(-1))
        torch.testing.assert_close(found[..., side], people.inputs[0, ..., side])


def test_a_swap_stays_in_its_region_and_keeps_the_level(people, run_js):
    found = edited(run_js, people.targets, 'edits.swapRegion(faces[0], faces[1], "mouth")')
    mask = edited(run_js, people.targets, 'edits.regionMask("mouth")')
    before = people.targets[0]
    assert mask.max() == 1
    assert 0.02 < mask.mean() < 0.15
    torch.testing.assert_close(found[mask == 0], before[mask == 0])
    assert (found - before)[mask == 1].abs().mean() > 0.01
    level = [(mask * face).sum() / mask.sum() for face in (found, before)]
    assert float(level[0]) == pytest.approx(float(level[1]), abs=0.005)


def test_shift_light_and_paint(people, run_js):
    face = people.targets[:1]
    moved = edited(run_js, face, "edits.shiftFace(faces[0], 3)")
    torch.testing.assert_close(moved[..., 3:], face[0, ..., :-3])
    half = edited(run_js, face, "edits.shiftFace(faces[0], -0.5)")
    between = (face[0, ..., :-1] + face[0, ..., 1:]) / 2
    torch.testing.assert_close(half[..., :-1], between)
    lit = edited(run_js, face, "edits.relight(faces[0], 0.05, 0.5)")
    wanted = (face.mean() + 0.5 * (face - face.mean()) + 0.05).clamp(0, 1)
    torch.testing.assert_close(lit, wanted[0], atol=1e-5, rtol=0)
    painted = edited(
        run_js, face,
        "edits.editFace(faces[0], edits.NO_EDIT, faces,"
        " edits.dab(edits.blankPaint(), 20, 40, 2, 0.9))",
    )  # fmt: skip
    assert torch.allclose(painted[0, 40, 19:22], torch.tensor(0.9))
    assert torch.equal(painted[0, :36], face[0, 0, :36])
    assert ((painted - face[0]).abs() > 1e-6).sum() <= 25


def test_no_edit_changes_nothing_and_grain_repeats(people, run_js):
    assert torch.equal(
        edited(run_js, people.targets, "edits.editFace(faces[2], edits.NO_EDIT, faces)"),
        people.targets[2],
    )
    first, again = (
        edited(run_js, people.targets, "edits.grain(faces[0], 0.05, 4)") for _ in range(2)
    )
    assert torch.equal(first, again)
    assert float((first - people.targets[0]).std()) == pytest.approx(0.05, abs=0.004)


def test_rounds_show_everybody_once_on_both_sides(run_js):
    script = (
        'import { rounds } from "./guessing_game.js";\n'
        "console.log(JSON.stringify([rounds(32, 1), rounds(32, 1), rounds(32, 2)]));"
    )
    first, again, other = run_js(script, None)
    assert first == again != other
    assert sorted(one["person"] for one in first) == list(range(32))
    assert sum(one["real"] for one in first) == 16


def test_windows_cover_the_face_and_heat_is_their_mean(run_js):
    script = (
        'import { windows, heatOf, patchColour, percent } from "./score_plots.js";\n'
        "const all = windows();\n"
        "const changes = all.places.map(([x, y]) => x - y);\n"
        "console.log(JSON.stringify({ all, heat: Array.from(heatOf(all, changes)),"
        " colours: [0, 0.5, 1].map((p) => patchColour(p)), words: [0, 0.5, 1].map(percent) }));"
    )
    found = run_js(script, None)
    side, places = found["all"]["side"], found["all"]["places"]
    total, count = np.zeros((64, 64)), np.zeros((64, 64))
    for x, y in places:
        total[y : y + side, x : x + side] += x - y
        count[y : y + side, x : x + side] += 1
    assert count.min() == 1
    assert np.allclose(np.reshape(found["heat"], (64, 64)), total / count)
    made, unsure, real = found["colours"]
    assert unsure[3] == 0
    assert made[3] == real[3] > 0
    assert made[0] > made[2]
    assert real[0] < real[2]
    assert found["words"] == ["under 0.1%", "50%", "over 99.9%"]


def test_subsets_are_named_and_cells_lie_round_their_places(run_js):
    script = (
        'import { lettersOf } from "./five_losses.js";\n'
        'import { cellEdges } from "./score_plots.js";\n'
        'console.log(JSON.stringify([lettersOf([1, 0, 0, 0.1, 5], "psaix"), cellEdges(4)]));'
    )
    letters, edges = run_js(script, None)
    assert letters == "pix"
    assert np.allclose(np.multiply(edges, 64), [0, 8, 24, 40, 64])


def test_codes_lie_on_a_line(run_js):
    script = (
        'import { codeAt, codeDistance } from "./traversal.js";\n'
        "const [a, b] = [Float32Array.of(1, 2), Float32Array.of(4, 6)];\n"
        "console.log(JSON.stringify([Array.from(codeAt(a, b, -0.5)), codeDistance(a, b)]));"
    )
    place, distance = run_js(script, None)
    assert place == [-0.5, 0]
    assert distance == 5
