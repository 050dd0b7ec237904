import io

import numpy as np
import pytest
import skimage
import torch
from PIL import Image

from visage.explore.embedding_explorer import EmbeddingExplorer, ExplorerFace
from visage.photos.corruption import Corruption, corrupt, surroundings
from visage.photos.reading import open_photo
from visage.recognition.encoder import load_encoder

HISTOGRAMS = {"edges": [0.0, 0.5, 1.0], "same": [9, 1], "different": [0, 10]}


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


@pytest.fixture
def explorer(encoder):
    source = surroundings(open_photo(skimage.data.astronaut()))
    widget = EmbeddingExplorer([ExplorerFace("somebody", source)], HISTOGRAMS, encoder)
    widget.sent = []
    widget.send = lambda content, buffers=None: widget.sent.append((content, buffers))
    return widget


def ask(widget, content, buffers):
    widget._answer(widget, content, [memoryview(b) for b in buffers])
    return widget.sent[-1]


def test_state_is_what_the_page_needs(explorer, encoder):
    state = explorer.get_state()
    assert state["threshold"] == encoder.threshold
    assert state["histograms"] == HISTOGRAMS
    assert state["faces"][0]["image"].startswith("data:image/jpeg;base64,")
    assert len(state["faces"][0]["image"]) < 80_000
    assert "export default" in state["_esm"]


def test_kernel_answers_with_the_encoder_s_own_embedding(explorer, encoder):
    chip = corrupt(surroundings(open_photo(skimage.data.astronaut())), Corruption(blur=1.0))
    content, buffers = ask(explorer, {"id": 7, "kind": "embed"}, [chip.numpy().tobytes()])
    assert content == {"id": 7}
    answered = torch.from_numpy(np.frombuffer(buffers[0], dtype=np.float32).copy())
    torch.testing.assert_close(answered, encoder.embed(chip)[0])


def encoded(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def test_kernel_finds_the_face_of_a_photograph(explorer):
    content, _ = ask(explorer, {"id": 1, "kind": "face"}, [encoded(skimage.data.astronaut())])
    assert content["image"].startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize(
    ("data", "word"),
    [(b"not a picture", "image"), (encoded(skimage.data.chelsea()), "face")],
    ids=["not an image", "a cat"],
)
def test_bad_photographs_are_answered_in_words(explorer, data, word):
    content, _ = ask(explorer, {"id": 2, "kind": "face"}, [data])
    assert content["id"] == 2
    assert word in content["error"]
    assert "\n" not in content["error"]
