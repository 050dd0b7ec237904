"""Are generated faces at rest? A judge that took no part says what they show."""

from __future__ import annotations

import time

from matplotlib.figure import Figure
from torch import Tensor

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.nfgan.experiment import part_result, people_of
from visage.nfgan.expression_classifier import NAMES, load_expression_classifier
from visage.nfgan.networks import load_nfgan, normalized
from visage.nfgan.pairs import Pairs
from visage.sheet import sheet

_SHOWN = 8


def reproduce_neutrality(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Share of generated faces that the judge takes for neutral, with controls."""
    start = time.perf_counter()
    judge, faces = load_expression_classifier(), people_of("test", profile)
    outputs = normalized(load_nfgan(), faces.inputs)
    said = {
        "": judge.probabilities(outputs),
        "_targets": judge.probabilities(faces.targets),
        "_inputs": judge.probabilities(faces.inputs),
    }
    neutral = NAMES.index("neutral")
    at_rest = faces.intensity == 0
    said |= {
        "_inputs_at_rest": said["_inputs"][at_rest],
        "_inputs_with_expression": said["_inputs"][~at_rest],
    }
    rows = []
    for part, probabilities in said.items():
        better = None if part else "higher"
        even = (probabilities[:, neutral] > 1 / len(NAMES)).double()
        rows += [
            mean_row(f"read_as_neutral{part}", _taken_for(probabilities, neutral), "fraction",
                     better),
            mean_row(f"at_rest_at_even_odds{part}", even, "fraction", better),
        ]  # fmt: skip
    # A judge that errs on a person's true neutral face cannot be asked about the generated one.
    sure = _taken_for(said["_targets"], neutral).bool()[faces.person]
    if sure.any():
        shares = _taken_for(said[""][sure], neutral)
        rows.append(mean_row("read_as_neutral_where_target_is", shares, "fraction", "higher"))
    rows += [
        Row(f"read_as_{name}", None, float(_taken_for(said[""], place).mean()), "fraction", None,
            len(outputs))
        for place, name in enumerate(NAMES) if place != neutral
    ]  # fmt: skip
    result = part_result(
        "nfgan/neutrality",
        "Generated faces are at rest (our goal: at least 98% are read as neutral).",
        f"{len(faces.targets)} synthetic people of the split that nothing was tuned on, "
        f"{len(outputs) // len(faces.targets)} pictures each: all eight expressions, to 45 "
        "degrees, in everyday light. read_as_neutral: share of generated faces that the judge "
        "takes for neutral, of eight expressions that are equally likely to it. at_rest_at_even_"
        "odds: neutral against all seven together, as likely as they are. The judge has learned "
        "from other people, and from no normalized or generated face. Controls: _targets, the true "
        "normalized faces (one a person); _inputs, the pictures themselves; of them, "
        "_inputs_at_rest, that show no expression, and _inputs_with_expression. _where_target_is: "
        "of people whose true normalized face is read as neutral.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _misread(faces, outputs, said[""])


def _taken_for(probabilities: Tensor, place: int) -> Tensor:
    return (probabilities.argmax(1) == place).double()


def _misread(faces: Pairs, outputs: Tensor, said: Tensor) -> Figure:
    """The generated faces that look least neutral to the judge, not the best ones."""
    order = said[:, NAMES.index("neutral")].argsort()[:_SHOWN]
    # The target mirrored as its input is.
    targets = faces.targets_of(order).float() / 255
    pictures = [faces.inputs[order].float() / 255, outputs[order], targets]
    captions = [[NAMES[place] for place in said[order].argmax(1).tolist()]] * len(pictures)
    captions[0] = captions[2] = [""] * len(order)
    rows = [picture.expand(-1, 3, -1, -1) for picture in pictures]
    return sheet(rows, ["input", "generated", "target"], captions=captions)


EXPERIMENTS: dict[str, Experiment] = {"nfgan/neutrality": reproduce_neutrality}
