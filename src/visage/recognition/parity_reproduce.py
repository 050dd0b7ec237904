"""Whether the torch network is dlib's: ``visage reproduce recognition/parity``."""

import time
from collections.abc import Callable
from itertools import islice

import dlib
import numpy as np
import skimage.data
import torch
from torch import Tensor

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import measured_result
from visage.photos.alignment import align
from visage.photos.landmarks import find_face, model_file
from visage.photos.lfw import LFWNotFoundError, open_lfw
from visage.recognition.dlib_resnet import WEIGHTS, DlibResNet
from visage.recognition.portraits import find_portrait

BATCH = 16


def reproduce_parity(profile: Profile, seed: int) -> Result:
    """Largest difference to dlib's own descriptors, and both networks' time on one core."""
    start = time.perf_counter()
    chips = parity_chips(16 if profile == "fast" else 256)
    pictures = [
        chip.mul(255).round().to(torch.uint8).permute(1, 2, 0).numpy().copy() for chip in chips
    ]
    theirs = dlib.face_recognition_model_v1(str(model_file(WEIGHTS)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # dlib-bin uses one
    try:
        ours = DlibResNet.from_file()
        difference = largest_difference(ours, theirs, pictures)
        milliseconds = time_per_face(ours, theirs, pictures[:BATCH])
        loading = 1e3 * _fastest_seconds({"loading": DlibResNet.from_file}, 5)["loading"]
    finally:
        torch.set_num_threads(threads)
    speedup = milliseconds["dlib"] / milliseconds["torch"]
    return measured_result(
        id="recognition/parity",
        paper="king2009dlib",
        claim="The network rebuilt in torch is dlib's network.",
        protocol=(
            f"{len(chips)} chips of 150 pixels: the astronaut, jittered copies, and photographs of "
            "LFW where it is present; largest absolute difference of any of the 128 numbers. Times "
            f"on one core for {BATCH} chips without jitter, fastest of 15 calls taken in turns; "
            "dlib's is the faster of its one-by-one and its batched call."
        ),
        profile=profile,
        seed=seed,
        start=start,
        rows=(
            Row("max_abs_difference", None, difference, "", "lower", len(chips)),
            Row("speedup_over_dlib", None, speedup, "times", "higher", BATCH),
            Row("dlib_per_face", None, milliseconds["dlib"], "ms", "lower", BATCH),
            Row("torch_per_face", None, milliseconds["torch"], "ms", "lower", BATCH),
            Row("gradient_per_face", None, milliseconds["gradient"], "ms", "lower", BATCH),
            Row("loading", None, loading, "ms", "lower", 1),
        ),
    )


def largest_difference(
    ours: DlibResNet, theirs: dlib.face_recognition_model_v1, pictures: list[np.ndarray]
) -> float:
    """Between the descriptors of pictures (150, 150, 3) uint8, over all 128 numbers."""
    largest = 0.0
    for start in range(0, len(pictures), BATCH):
        some = pictures[start : start + BATCH]
        expected = np.array(theirs.compute_face_descriptor(some))
        largest = max(largest, np.abs(ours.embed(_as_chips(some)).numpy() - expected).max())
    return float(largest)


def time_per_face(
    ours: DlibResNet, theirs: dlib.face_recognition_model_v1, pictures: list[np.ndarray]
) -> dict[str, float]:
    """Milliseconds a picture: ``dlib``, ``torch``, and ``gradient`` (torch, back to the pixels)."""
    chips = _as_chips(pictures)

    def gradient() -> Tensor:
        leaf = chips.clone().requires_grad_()
        return torch.autograd.grad(ours.embed(leaf).sum(), leaf)[0]

    calls = {
        "dlib": lambda: theirs.compute_face_descriptor(pictures),
        "dlib_one_by_one": lambda: [theirs.compute_face_descriptor(one) for one in pictures],
        "torch": lambda: ours.embed(chips),
        "gradient": gradient,
    }
    seconds = _fastest_seconds(calls, 15)
    seconds["dlib"] = min(seconds["dlib"], seconds.pop("dlib_one_by_one"))
    return {name: 1e3 * value / len(pictures) for name, value in seconds.items()}


def parity_chips(count: int) -> Tensor:
    """Chips (count, 3, 150, 150) of the astronaut, jittered as dlib does, and of LFW's first."""
    photo = torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1)[None] / 255
    chip = align(photo, find_face(photo).landmarks, DlibResNet.crop)[0]
    picture = (chip * 255).round().to(torch.uint8).permute(1, 2, 0).numpy().copy()
    jittered = np.stack(dlib.jitter_image(picture, num_jitters=15))
    chips = [chip, *(torch.from_numpy(jittered).permute(0, 3, 1, 2) / 255)]
    try:
        data = open_lfw()
    except LFWNotFoundError:
        return torch.stack(chips[:count])
    for name, numbers in islice(data.people().items(), count - len(chips)):
        image = data.image(name, numbers[0])
        chips.append(align(image, find_portrait(image).landmarks, DlibResNet.crop)[0])
    return torch.stack(chips)


def _as_chips(pictures: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255


def _fastest_seconds(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Fastest time of each call; other programs only ever add to it. The calls take turns."""
    times = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:  # the first is warming up
                times[name].append(time.perf_counter() - start)
    return {name: min(taken) for name, taken in times.items()}


EXPERIMENTS: dict[str, Experiment] = {"recognition/parity": reproduce_parity}
