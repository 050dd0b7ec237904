"""What the decoder's explorer shows: `python -m tools.build_normalized_faces`.

Writes ``src/visage/explore/normalization/people.json``: eight synthetic test people with their
features, and the main directions in which the features of the training people differ. A direction
is named by what it goes along with most in those people, where anything does. Needs the synthetic
training set in the cache, and then a minute.
"""

from __future__ import annotations

import base64
import io
import json

import torch
from PIL import Image
from torch import Tensor

from visage.explore.normalized_face_explorer import PEOPLE
from visage.faces.population import people
from visage.faces.shape import MorphableModel
from visage.files import written_whole
from visage.normalization.decoder_examples import world_examples
from visage.normalization.features import load_features
from visage.recognition.examples import synthetic_examples

SHOWN = (7, 0, 5, 3, 1, 11, 4, 9)
"""Test people; those of part I's explorer."""
DIRECTIONS = 6
_LEAST = 0.45  # correlation below which a direction has no name
_NAMES = "ABCDEFGH"

# What is known of people, with what an increase of it is called.
_READ = {
    "sex": "male",
    "age": "older",
    "weight": "heavier",
    "melanin": "darker skin",
    "face_length": "longer face",
    "jaw_width": "wider jaw",
    "head_width": "wider head",
    "nose_width": "wider nose",
    "nose_length": "longer nose",
    "nose_projection": "nose stands out",
    "mouth_width": "wider mouth",
    "lip_fullness": "fuller lips",
    "forehead_height": "higher forehead",
    "eye_size": "larger eyes",
    "eye_distance": "eyes wider apart",
    "chin_height": "longer chin",
    "greyness": "grey hair",
    "beard": "beard",
    "hair_pigment": "darker hair",
}


def attributes(count: int) -> dict[str, Tensor]:
    """What is known of the first so many training people, (count,) each."""
    drawn = people(MorphableModel.load(), 0, range(count), split="train")
    known = {name: drawn.labels[name] for name in _READ if name in drawn.labels}
    known["melanin"] = drawn.skin.melanin
    known["greyness"] = torch.tensor([hair.greyness for hair in drawn.hair])
    known["beard"] = torch.tensor([float(hair.beard != "none") for hair in drawn.hair])
    known["hair_pigment"] = torch.tensor([hair.eumelanin for hair in drawn.hair])
    return known


def correlations(scores: Tensor, known: dict[str, Tensor]) -> dict[str, float]:
    """Pearson's, of scores (N,) with everything that is known."""
    return {
        name: float(torch.corrcoef(torch.stack([scores, values.to(scores)]))[0, 1])
        for name, values in known.items()
    }


def directions(features: Tensor, known: dict[str, Tensor]) -> list[dict]:
    """The first principal directions of features (N, F), named."""
    centred = features - features.mean(0)
    _, spread, vectors = torch.linalg.svd(centred, full_matrices=False)
    found = []
    for number in range(DIRECTIONS):
        vector = vectors[number]
        with_what = correlations(centred @ vector, known)
        ordered = sorted(with_what, key=lambda name: -abs(with_what[name]))
        best = ordered[0]
        if with_what[best] < 0:  # so that up is more of it
            vector, with_what = -vector, {name: -r for name, r in with_what.items()}
        said = [
            _READ[name] if with_what[name] > 0 else f"less {_READ[name]}"
            for name in ordered[:2]
            if abs(with_what[name]) >= _LEAST
        ]
        found.append({
            "name": ", ".join(said) or f"direction {number + 1}",
            "vector": [round(value, 4) for value in vector.tolist()],
            "spread": round(float(spread[number]) / (len(features) - 1) ** 0.5, 5),
            "correlations": {name: round(with_what[name], 2) for name in ordered[:4]},
        })  # fmt: skip
    return found


def data_url(chip: Tensor) -> str:
    """A chip (3, S, S), uint8, as a small JPEG data URL."""
    buffer = io.BytesIO()
    Image.fromarray(chip.permute(1, 2, 0).contiguous().numpy()).save(
        buffer, format="JPEG", quality=80
    )
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def main() -> None:
    """Write the file."""
    recogniser = load_features()
    examples = world_examples("synthetic")
    # Everyday pictures, the mean of a person's: pose and light are not what people differ in.
    rows, count = examples.photo_rows, examples.bases
    total = torch.zeros(count, examples.photo_features.shape[1])
    total.index_add_(0, rows, examples.photo_features)
    features = total / torch.bincount(rows, minlength=count).clamp(min=1)[:, None]
    shown = synthetic_examples(recogniser.encoder, "test", max(SHOWN) + 1)
    chips = shown.chips[list(SHOWN)]
    content = {
        "people": [
            {
                "name": f"Person {_NAMES[n]}",
                "features": [round(value, 4) for value in row.tolist()],
                "face": data_url(chip),
            }
            for n, (row, chip) in enumerate(zip(recogniser.of(chips), chips, strict=True))
        ],
        "directions": directions(features, attributes(count)),
    }
    for one in content["directions"]:
        print(one["name"], one["spread"], one["correlations"])
    PEOPLE.parent.mkdir(exist_ok=True)
    with written_whole(PEOPLE) as temporary:
        temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
