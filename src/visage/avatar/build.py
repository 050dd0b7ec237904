"""One photograph through all five parts.

::

    avatar = build_avatar(open_photo("portrait.jpg"))
    avatar.save("avatar.glb")
    [(stage.name, stage.distance) for stage in avatar.stages]
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from visage.avatar.config import AvatarConfig
from visage.avatar.errors import AvatarError
from visage.avatar.file import checked_path
from visage.avatar.head import at_rest, detailed_head, fine_model
from visage.avatar.networks import Networks
from visage.avatar.pictures import coarse_picture, fine_picture, from_the_front, photographed
from visage.avatar.progress import Progress
from visage.avatar.stages import Likeness, Look, Stage, resized
from visage.geometry.face_window import FaceWindow
from visage.geometry.reconstruct import DetailedFace, reconstruct
from visage.nfgan.frame import aligned, to_chips
from visage.normalization.decoder import Decoded
from visage.photos.alignment import align
from visage.photos.landmarks import FaceBox, Which, find_face
from visage.photos.reading import PhotoSource, open_photo
from visage.recognition.encoder import Encoder
from visage.texture.export_texture import write_head
from visage.texture.infer import InferredTexture, default_database, infer_texture
from visage.texture.model_fit import ModelFit
from visage.texture.textured_head import TexturedHead

DEFAULT = AvatarConfig()

__all__ = ["Avatar", "AvatarConfig", "AvatarError", "build_avatar"]


@dataclass(frozen=True, eq=False)
class Avatar:
    """A head, and all that was made of the photograph on the way to it."""

    stages: tuple[Stage, ...]  # in the order of `visage.avatar.stages.STAGES`
    embedding: Tensor  # (1, dim), the photograph's
    threshold: float  # distance up to which the recogniser takes two pictures for one person
    window: FaceWindow  # of the photograph, that all parts were shown
    landmarks: Tensor  # (1, 68, 2), pixels of the window
    normalized: Decoded  # part II's face
    surface: DetailedFace  # part IV's, coarse and fine
    texture: InferredTexture  # part V's
    head: TexturedHead  # the outcome, at rest
    posed: TexturedHead  # the same with the photograph's expression

    @property
    def fit(self) -> ModelFit:
        """Part V's shape of the face, and the camera and the light of the window."""
        return self.texture.fit

    @property
    def seconds(self) -> float:
        """That all stages took."""
        return sum(stage.seconds for stage in self.stages)

    def stage(self, name: str) -> Stage:
        """One of the stages.

        Raises:
            AvatarError: there is none of that name.
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        names = ", ".join(stage.name for stage in self.stages)
        raise AvatarError(f"there is no stage {name!r}; choose among {names}")

    def save(self, path: str | Path, *, expression: bool = False) -> Path:
        """Write the head as GLB, with its skin's colours and relief; whole or not at all.

        In metres, y up, facing +z; one mesh, its textures inside of the file.

        Args:
            path: ends in .glb.
            expression: whether with the photograph's, instead of at rest.

        Raises:
            AvatarError: the folder is missing, or the name ends otherwise.
        """
        path, head = checked_path(path), self.posed if expression else self.head
        return write_head(fine_model(), head, path, visible=self.texture.visible)


@torch.no_grad()
def build_avatar(
    photo: PhotoSource,
    config: AvatarConfig = DEFAULT,
    *,
    encoder: Encoder | None = None,
    which: Which = "largest",
    progress: bool = True,
) -> Avatar:
    """Send a photograph through all five parts.

    The photograph is cut to one upright square round the face first, so that time does not grow
    with its size and all pictures show the same. The first call paints the database's skins.

    Args:
        photo: whatever `visage.photos.reading.open_photo` takes.
        config: how much work.
        encoder: the recogniser whose embedding is inverted and that measures distances; dlib's,
            of which the shipped inversion network is, if None.
        which: face, where there are several; see `visage.photos.landmarks.find_face`.
        progress: whether to show it.

    Raises:
        visage.photos.reading.PhotoError: the photograph cannot be read, or shows no face.
        visage.geometry.errors.GeometryError: the face is turned away.
        visage.texture.errors.TextureError: hardly anything of the face is seen.
        AvatarError: the encoder is another than the inversion network's.
        KeyboardInterrupt: it was interrupted.
    """
    with Progress(config.iterations, shown=progress) as bar:
        return _Way(config, bar, encoder, which).walk(photo)


class _Way:
    """The stages of one avatar; each method is one, and leaves a `Stage`."""

    def __init__(
        self, config: AvatarConfig, bar: Progress, encoder: Encoder | None, which: Which
    ) -> None:
        self.config, self.bar, self.which = config, bar, which
        self.networks = Networks.load(config.filters, config.decoder, encoder)
        self.stages: list[Stage] = []
        self.began = time.perf_counter()

    def walk(self, photo: PhotoSource) -> Avatar:
        image, landmarks, window, box = self._find(photo)
        likeness = self._embed(image, landmarks)
        self._invert(likeness)
        normalized = self._normalize(likeness, image, landmarks)
        surface = self._shape(likeness, image, landmarks, box)
        texture, head = self._texture(likeness, image, landmarks, surface)
        return Avatar(
            stages=tuple(self.stages),
            embedding=likeness.embedding,
            threshold=likeness.encoder.threshold,
            window=window,
            landmarks=landmarks,
            normalized=normalized,
            surface=surface,
            texture=texture,
            head=at_rest(head),
            posed=head,
        )

    def _leave(self, look: Look, also: Look | None = None) -> None:
        now = time.perf_counter()
        self.stages.append(Stage(look.name, look.picture, look.distance, now - self.began, also))
        self.began = now

    def _find(self, photo: PhotoSource) -> tuple[Tensor, Tensor, FaceWindow, FaceBox]:
        """The window's picture, its landmarks, where it is, and where the detector's box is."""
        self.bar.begin("photograph")
        image = open_photo(photo)
        face = find_face(image, which=self.which)
        window, size = FaceWindow.of_box(face.box), self.config.pixels
        cut = window.cut(image, size).clamp(0, 1)
        self._leave(Look("photograph", resized(cut, self.config.shown), None))
        return cut, window.inside(face.landmarks, size), window, window.box(size)

    def _embed(self, image: Tensor, landmarks: Tensor) -> Likeness:
        """The recogniser's point; its picture is the chip."""
        self.bar.begin("embedding")
        encoder = self.networks.encoder
        chip = align(image, landmarks, encoder.crop).clamp(0, 1)
        likeness = Likeness(encoder, encoder.embed(chip), self.config.shown)
        self._leave(likeness.look_at_chip("embedding", chip))
        return likeness

    def _invert(self, likeness: Likeness) -> None:
        """Part I: a face from the embedding alone, in one pass of the network."""
        self.bar.begin("inversion")
        self._leave(likeness.look_at_chip("inversion", self.networks.inversion(likeness.embedding)))

    def _normalize(self, likeness: Likeness, image: Tensor, landmarks: Tensor) -> Decoded:
        """Part II's frontal face at rest; part III's beside it."""
        self.bar.begin("normalized")
        features = self.networks.features
        chip = align(image, landmarks, features.encoder.crop).clamp(0, 1)
        decoded = self.networks.decoder(features(chip))
        generated = self.networks.generator(aligned(image, landmarks)).faces
        self._leave(
            likeness.look("normalized", decoded.image.clamp(0, 1), decoded.landmarks),
            likeness.look_at_chip("nfgan", to_chips(generated).contiguous()),
        )
        return decoded

    def _shape(
        self, likeness: Likeness, image: Tensor, landmarks: Tensor, box: FaceBox
    ) -> DetailedFace:
        """Part IV, in the same window: the time of both is the coarse stage's."""
        self.bar.begin("coarse")
        face = reconstruct(image, box=box, size=self.config.detail)
        places = landmarks_at(landmarks, self.config.pixels, self.config.detail)
        self._leave(likeness.look("coarse", coarse_picture(face), places))
        self.bar.begin("fine")
        self._leave(likeness.look("fine", fine_picture(face), places))
        return face

    def _texture(
        self, likeness: Likeness, image: Tensor, landmarks: Tensor, face: DetailedFace
    ) -> tuple[InferredTexture, TexturedHead]:
        """Part V, and the head with the wrinkles of part IV."""
        self.bar.begin("texture")
        config = self.config.inference()
        database = default_database(config, progress=self.bar.shown)
        found = infer_texture(
            image, config, landmarks=landmarks, database=database, progress=False,
            preview=lambda steps, _: self.bar.step(steps),
        )  # fmt: skip
        if not found.synthesis.finished:  # interrupted: it keeps what there is
            raise KeyboardInterrupt("no avatar was made")
        model, size = fine_model(), self.config.shown
        head = detailed_head(found, face)
        places = landmarks_at(landmarks, self.config.pixels, size)
        self._leave(
            likeness.look("texture", photographed(model, head, found.fit, size), places),
            likeness.look("front", *from_the_front(model, at_rest(head), size)),
        )
        return found, head


def landmarks_at(landmarks: Tensor, size: int, wanted: int) -> Tensor:
    """Landmarks of a picture with `size` pixels a side in one with as many as are wanted."""
    return (landmarks + 0.5) * (wanted / size) - 0.5
