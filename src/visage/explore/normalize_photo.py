"""A widget for the live notebook: a photograph goes in, a normal face comes out."""

from __future__ import annotations

import io

import ipywidgets
import torch
from PIL import Image
from torch import Tensor

from visage.normalization.decoder import Decoder
from visage.normalization.frame import normal_crop
from visage.normalization.normalize import normalize
from visage.photos.alignment import align
from visage.photos.landmarks import find_face
from visage.photos.reading import PhotoError, open_photo

_SHOWN = 224  # pixels a side


class NormalizePhoto(ipywidgets.VBox):
    """Choose a file; see the aligned photograph, its normal face, and the texture.

    Works where a kernel runs. The photograph stays in the kernel's memory.

    Args:
        decoder: the shipped one of synthetic people if None.
    """

    def __init__(self, decoder: Decoder | None = None):
        self._decoder = decoder
        self._choose = ipywidgets.FileUpload(accept="image/*", description="Photograph")
        self._choose.observe(self._chosen, names="value")
        self.pictures = ipywidgets.HBox()
        self.said = ipywidgets.HTML()
        super().__init__([self._choose, self.said, self.pictures])

    def _chosen(self, change: dict) -> None:
        if change["new"]:
            self.show(bytes(change["new"][0]["content"]))

    def show(self, photo: bytes) -> None:
        """Normalize a photograph, or say in one sentence why it cannot be."""
        try:
            image = open_photo(photo)
            found = normalize(image, self._decoder)
            landmarks = find_face(image, which="largest").landmarks
        except PhotoError as error:
            self.said.value, self.pictures.children = str(error), ()
            return
        size = found.image.shape[-1]
        aligned = align(image, landmarks, normal_crop(size), padding="border")
        self.said.value = "photograph, normal face, texture"
        self.pictures.children = [
            ipywidgets.Image(value=_png(one[0]), width=_SHOWN, height=_SHOWN)
            for one in (aligned, found.image, found.texture)
        ]


def _png(picture: Tensor) -> bytes:
    """(3, S, S) in [0, 1] as a PNG."""
    pixels = (255 * picture.clamp(0, 1)).round().to(torch.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(buffer, format="PNG")
    return buffer.getvalue()
