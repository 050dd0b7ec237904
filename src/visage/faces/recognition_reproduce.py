"""Whether eyes that were trained on photographs see people in the synthetic world.

``faces/detection``: dlib's detector and landmarks; ``faces/separation``: its recogniser, across
pose, light and expression; ``faces/readout``: what the recogniser's features tell of a person.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from visage import ledger
from visage.faces.observed import Observed, observe, pictures
from visage.faces.population import people
from visage.faces.readout import Ridge, fit_ridge, r_squared
from visage.faces.shape import MorphableModel
from visage.files import written_whole
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import measured_result
from visage.recognition.dlib_resnet import DlibResNet
from visage.recognition.verification import (
    area_under_roc,
    distance_histograms,
    equal_error_rate,
    tar_at_far,
)

BINS = np.linspace(0.0, 2.0, 101)
_PICTURES = (
    "pictures of 256 pixels (2 x 2 samples a pixel) of the world's test people, yaw within 30, "
    "pitch within 10 and roll within 6 degrees, drawn evenly; all kinds of light, all expressions "
    "at intensities from 0.3 to 0.9, hair, beards, glasses, clothes and backgrounds as the world "
    "draws them"
)
_MIDDLE = 0.5  # labels above are called male


def reproduce_detection(profile: Profile, seed: int) -> Result:
    """How many faces dlib finds, and how far its landmarks lie from the model's vertices."""
    start, count = time.perf_counter(), 500 if profile == "full" else 40
    seen = observe(pictures(count, 1, seed, "test"), workers=_workers(), name="faces/detection")
    found = int(seen.found.sum())
    persons = people(MorphableModel.load(), seed, range(count), split="test")
    age = persons.labels["age"].numpy()
    return measured_result(
        id="faces/detection",
        paper=None,
        claim="We set out for a world whose faces a detector made for photographs finds: 98 %.",
        protocol=(
            f"{count} people, one picture each: {_PICTURES}. dlib's HOG detector (upsampled once); "
            "found is a box that overlaps the landmarks' own by a third. Landmarks by dlib's "
            "68-point predictor, against the projected vertices of the model, in outer-eye "
            "distances, mean over the faces that were found; inner are 17 to 67. Which vertices "
            "are the landmarks was voted by the same predictor on other heads."
        ),
        profile=profile,
        seed=seed,
        start=start,
        rows=(
            Row("detected", None, found / count, "fraction", "higher", count),
            _share("detected_under_35", seen.found[age < 35]),
            _share("detected_35_to_55", seen.found[(age >= 35) & (age < 55)]),
            _share("detected_over_55", seen.found[age >= 55]),
            _mean("inner_landmark_error", seen.error),
            Row(
                "inner_landmark_error_95",
                None,
                float(np.nanquantile(seen.error, 0.95)),
                "outer-eye distances",
                "lower",
                found,
            ),
            _mean("contour_landmark_error", seen.contour),
        ),
    )


def reproduce_separation(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """How well the recogniser tells synthetic people apart."""
    start = time.perf_counter()
    count, each = (200, 6) if profile == "full" else (12, 3)
    encoder = DlibResNet.from_file()
    faces = pictures(count, each, seed, "test")
    seen = observe(faces, encoder, workers=_workers(), name="faces/separation")
    distances, same = _all_pairs(seen)
    auc = area_under_roc(distances, same)
    counts = distance_histograms(distances, same, BINS)
    histograms = {
        "edges": BINS.round(6).tolist(),
        "same": counts.same.tolist(),
        "different": counts.different.tolist(),
    }
    if not ledger.is_protected("faces/separation", profile):
        _write_beside("separation.histograms.json", histograms)
    point = tar_at_far(distances, same, 1e-2)
    pairs, alike = len(same), int(same.sum())
    result = measured_result(
        id="faces/separation",
        paper=None,
        claim="A recogniser that was trained on photographs tells synthetic people apart.",
        protocol=(
            f"{count} people x {each} {_PICTURES}. dlib's network (never trained on a synthetic "
            "face), one 150-pixel chip a picture by its detector and 68 landmarks; the "
            f"{int((~seen.found).sum())} faces that the detector did not see are cut out by the "
            "model's own landmarks. Euclidean distances of all pairs of pictures."
        ),
        profile=profile,
        seed=seed,
        start=start,
        rows=(
            Row("auc", None, auc, "", "higher", pairs),
            Row("eer", None, equal_error_rate(distances, same), "fraction", "lower", pairs),
            Row("tar_far_1e-2", None, point.tar, "fraction", "higher", alike),
            Row("same_median", None, float(np.median(distances[same])), "distance", "lower", alike),
            Row(
                "different_median",
                None,
                float(np.median(distances[~same])),
                "distance",
                "higher",
                pairs - alike,
            ),
            Row("missed", None, int((~seen.found).sum()), "", "lower", len(faces)),
        ),
    )
    return result, separation_figure(histograms)


def reproduce_readout(profile: Profile, seed: int) -> Result:
    """What a linear read-out of the recogniser's features knows of a person."""
    start = time.perf_counter()
    train, test = (1000, 300) if profile == "full" else (60, 30)
    encoder, model = DlibResNet.from_file(), MorphableModel.load()
    known, asked = {}, {}
    for split, count, kept in (("train", train, known), ("test", test, asked)):
        faces = pictures(count, 1, seed, split)
        seen = observe(faces, encoder, workers=_workers(), name=f"faces/readout, {split}")
        persons = people(model, seed, range(count), split=split)
        kept["features"] = seen.embeddings
        kept["sex"] = persons.labels["sex"].numpy()
        kept["age"] = persons.labels["age"].numpy()
        kept["skin"] = np.log(persons.skin.melanin.numpy())
    read = {name: _read(known, asked, name) for name in ("age", "skin")}
    sex = _read({**known, "sex": np.sign(known["sex"] - _MIDDLE)}, asked, "sex")
    truth = asked["sex"] > _MIDDLE
    right = (sex > 0) == truth
    clear = np.abs(asked["sex"] - _MIDDLE) > 0.25
    return measured_result(
        id="faces/readout",
        paper=None,
        claim="Renders carry the signals of sex, age and skin tone that the recogniser reads.",
        protocol=(
            f"Ridge regressions from the features (128) of one picture each of {train} training "
            f"people, asked about {test} test people: {_PICTURES}. The ridge is chosen by five "
            "folds of the training people. Sex is the sampler's label, 0 to 1, called by its side "
            "of 0.5 (the sampler draws whole ranges between; sex_accuracy_clear counts those "
            "beyond 0.25 of the middle); age in years and the logarithm of melanin by R squared."
        ),
        profile=profile,
        seed=seed,
        start=start,
        rows=(
            Row("sex_accuracy", None, float(right.mean()), "fraction", "higher", test),
            Row(
                "sex_accuracy_clear",
                None,
                float(right[clear].mean()),
                "fraction",
                "higher",
                int(clear.sum()),
            ),
            Row("age_r2", None, r_squared(read["age"], asked["age"]), "", "higher", test),
            Row(
                "age_error",
                None,
                float(np.abs(read["age"] - asked["age"]).mean()),
                "years",
                "lower",
                test,
            ),
            Row("skin_r2", None, r_squared(read["skin"], asked["skin"]), "", "higher", test),
        ),
    )


def _read(known: dict, asked: dict, name: str) -> np.ndarray:
    fitted: Ridge = fit_ridge(known["features"], known[name])
    return fitted.predict(asked["features"])


def _all_pairs(seen: Observed) -> tuple[np.ndarray, np.ndarray]:
    """Distances (P,) of all pairs, and whether they are of one person."""
    first, second = np.triu_indices(len(seen.person), 1)
    squared = (seen.embeddings**2).sum(1)
    products = seen.embeddings @ seen.embeddings.T
    distances = np.sqrt(np.maximum(squared[:, None] + squared - 2 * products, 0))
    return distances[first, second], seen.person[first] == seen.person[second]


def _share(name: str, found: np.ndarray) -> Row:
    return Row(name, None, float(found.mean()), "fraction", "higher", len(found))


def _mean(name: str, errors: np.ndarray) -> Row:
    count = int(np.isfinite(errors).sum())
    return Row(name, None, float(np.nanmean(errors)), "outer-eye distances", "lower", count)


def _workers() -> int:
    return min(4, (os.cpu_count() or 2) - 1)


def _write_beside(name: str, content: object) -> None:
    with written_whole(ledger.results_folder() / "faces" / name) as temporary:
        temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")


def separation_figure(synthetic: Mapping[str, Sequence[float]]) -> Figure:
    """Distances between synthetic people's pictures, above those between photographs.

    Args:
        synthetic: counts of pairs, "same" and "different", and the bins' "edges".
    """
    path = ledger.results_folder() / "recognition" / "lfw.histograms.json"
    photographs = json.loads(path.read_text(encoding="utf-8"))["plain"]
    blue, orange, ink = "#0072b2", "#d55e00", "#767676"  # safe for colour-blind readers
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    shown = ((upper, synthetic, "synthetic people"), (lower, photographs, "photographs (LFW)"))
    for axes, counts, name in shown:
        for which, colour in (("same", blue), ("different", orange)):
            share = np.array(counts[which]) / max(sum(counts[which]), 1)
            axes.stairs(share, counts["edges"], fill=True, alpha=0.3, color=colour)
            axes.stairs(share, counts["edges"], color=colour)
        axes.axvline(DlibResNet.threshold, color=ink, linestyle="--", linewidth=1)
        axes.set(ylabel="share of pairs", xlim=(0, 1.3))
        axes.set_title(name, loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    upper.text(0.02, 0.82, "one person", color=blue, transform=upper.transAxes)
    upper.text(0.98, 0.82, "two people", color=orange, transform=upper.transAxes, ha="right")
    lower.set_xlabel("distance of two pictures")
    return figure


EXPERIMENTS: dict[str, Experiment] = {
    "faces/detection": reproduce_detection,
    "faces/separation": reproduce_separation,
    "faces/readout": reproduce_readout,
}
