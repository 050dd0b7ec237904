"""FaceNet-like recognisers of facenet-pytorch, as a second opinion.

Inception-ResNet-v1 trained by David Sandberg as a classifier on VGGFace2 or on CASIA-WebFace and
ported by Tim Esler. An identity that one recogniser was optimised for says little; another network,
trained on other people in another way, says more. Weights are downloaded on demand, about 110 MB.

References: Schroff, Kalenichenko and Philbin, "FaceNet" (2015);
https://github.com/timesler/facenet-pytorch (MIT).
"""

import pickle
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.photos.alignment import Crop
from visage.photos.downloads import fetch
from visage.recognition.encoder import check_chips, collect_features

SIZE = 160
TRAINING_SETS = ("vggface2", "casia_webface")

# Anchors: the eyes' centres, the tip of the nose, the corners of the mouth.
FACENET_CROP = Crop(
    name="facenet_160",
    size=SIZE,
    channels=3,
    anchors=(tuple(range(36, 42)), tuple(range(42, 48)), (30,), (48,), (54,)),
    template=((51.0, 65.3), (108.0, 65.3), (79.5, 88.9), (53.1, 111.6), (105.9, 111.6)),
    keeps_roll=True,
)
"""The 160-pixel crop that stands in for the detector's box that these networks were trained on.

They saw boxes of MTCNN (Zhang et al., 2016), widened by a margin of 32 pixels in 160 and stretched
to a square, the head as tilted as in the photograph. The template is the median place of the
anchors in the boxes that facenet-pytorch's MTCNN draws on 300 photographs of LFW, made symmetric.
Those boxes are 0.75 as wide as high, so that the networks saw faces a third broader than life; a
similarity cannot stretch, and meets the template half-way.
"""

# A stage and the network's modules that it runs.
_STAGES = {
    "stem": (
        "conv2d_1a", "conv2d_2a", "conv2d_2b", "maxpool_3a", "conv2d_3b", "conv2d_4a", "conv2d_4b",
    ),
    "repeat_1": ("repeat_1",),
    "mixed_6a": ("mixed_6a",),
    "repeat_2": ("repeat_2",),
    "mixed_7a": ("mixed_7a",),
    "repeat_3": ("repeat_3",),
    "block8": ("block8",),
}  # fmt: skip


class FaceNetError(ValueError):
    """The architecture is not installed, or a file does not hold its weights."""


class FaceNet(nn.Module):
    """Inception-ResNet-v1: chips (B, 3, 160, 160) to unit embeddings (B, 512).

    Features: ``stem`` (256, 17, 17), ``repeat_1`` (256), ``mixed_6a`` and ``repeat_2`` (896, 8, 8),
    ``mixed_7a``, ``repeat_3`` and ``block8`` (1792, 3, 3), ``pooled`` (1792, their mean, before the
    layers that belong to the classifier) and ``embedding`` (512, of norm 1). The strides leave out
    pixel rows and columns 157, 158 and 159, which get exactly zero gradient.

    Use `from_file`, `from_download` or `visage.recognition.encoder.load_encoder`.
    """

    crop = FACENET_CROP
    dim = 512
    # Schroff et al. (2015), figure 1: a squared distance of 1.1. Not calibrated on LFW here.
    threshold = 1.1**0.5
    feature_names = (*_STAGES, "pooled", "embedding")

    def __init__(self, state: Mapping[str, Tensor], training_set: str):
        super().__init__()
        self.name = f"facenet_{training_set}"
        # On the meta device, because every value is in `state`.
        with torch.device("meta"):
            self.network = architecture()
        self.network.load_state_dict(state, assign=True)
        self.requires_grad_(False).eval()

    @classmethod
    def from_download(cls, training_set: str = "vggface2") -> "FaceNet":
        """Fetch the weights where they are not on disk yet, and load them.

        Args:
            training_set: ``vggface2`` or ``casia_webface``.

        Raises:
            FaceNetError: another training set, or facenet-pytorch is not installed.
            visage.photos.downloads.DownloadError: offline, or the file arrived broken.
        """
        _check_training_set(training_set)
        architecture()  # before a long download, find out whether it can be used
        return cls.from_file(fetch(f"facenet-{training_set.replace('_', '-')}"), training_set)

    @classmethod
    def from_file(cls, path: str | Path, training_set: str = "vggface2") -> "FaceNet":
        """Load facenet-pytorch's weights, a state dict as ``torch.save`` writes it.

        Raises:
            FaceNetError: the file is missing or holds anything else.
        """
        _check_training_set(training_set)
        return cls(_read_state(Path(path)), training_set)

    def forward(self, chips: Tensor) -> Tensor:
        """As `embed`, without looking at the values, so that it can be traced and compiled."""
        *_, (_, embedding) = self.stages(chips)
        return embedding

    def embed(self, chips: Tensor) -> Tensor:
        """Embed aligned faces.

        Args:
            chips: (B, 3, 160, 160), sRGB in [0, 1], cut with `crop`.

        Returns:
            (B, 512), of norm 1, differentiable to the pixels.

        Raises:
            EncoderInputError: chips have another shape, hold NaN, or lie on 0..255.
        """
        check_chips(chips, SIZE)
        return self(chips)

    def features(self, chips: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Intermediate features of chips (B, 3, 160, 160) by name, in network order.

        Raises:
            EncoderInputError: chips cannot be used, or a name is not among ``feature_names``.
        """
        check_chips(chips, SIZE)
        return collect_features(self.stages(chips), names, self.feature_names)

    def stages(self, chips: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Run the network one named stage after the other; what is not consumed is not computed."""
        net = self.network
        x = (255 * chips - 127.5) / 128  # facenet-pytorch's fixed_image_standardization
        for name, modules in _STAGES.items():
            for module in modules:
                x = getattr(net, module)(x)
            yield name, x
        x = x.mean(dim=(-2, -1))
        yield "pooled", x
        yield "embedding", F.normalize(net.last_bn(net.last_linear(x)))

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Euclidean distance of the directions of embeddings (..., 512), broadcast; in [0, 2]."""
        return torch.linalg.vector_norm(F.normalize(a, dim=-1) - F.normalize(b, dim=-1), dim=-1)


def architecture() -> nn.Module:
    """An untrained InceptionResnetV1 of the installed facenet-pytorch, without a classifier.

    The package's own ``__init__`` imports its detector, and with it torchvision, which the network
    does not need; so its folder is imported under a private name that skips the ``__init__``.

    Raises:
        FaceNetError: facenet-pytorch is not installed.
    """
    spec = find_spec("facenet_pytorch")
    if spec is None or spec.origin is None:
        raise FaceNetError(
            "facenet-pytorch is not installed; run `pip install --no-deps facenet-pytorch`."
        )
    alias = "_visage_facenet_pytorch"
    if alias not in sys.modules:
        package = ModuleType(alias)
        package.__path__ = [str(Path(spec.origin).parent)]
        sys.modules[alias] = package
    return import_module(f"{alias}.models.inception_resnet_v1").InceptionResnetV1()


def _check_training_set(training_set: str) -> None:
    if training_set not in TRAINING_SETS:
        raise FaceNetError(
            f"there is no FaceNet trained on {training_set!r}; choose one of "
            f"{', '.join(TRAINING_SETS)}."
        )


def _read_state(path: Path) -> dict[str, Tensor]:
    """A state dict with exactly the architecture's names and shapes."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no file of torch.save"
        raise FaceNetError(
            f"{path} cannot be read ({reason}); give the weights of facenet-pytorch, "
            "a .pt file of about 110 MB."
        ) from error
    with torch.device("meta"):
        expected = {name: value.shape for name, value in architecture().state_dict().items()}
    found = state if isinstance(state, Mapping) else {}
    # The training set's classifier is in the file and is not used.
    found = {name: value for name, value in found.items() if not name.startswith("logits.")}
    wrong = [
        name
        for name in {**expected, **found}
        if not isinstance(found.get(name), Tensor) or found[name].shape != expected.get(name)
    ]
    if wrong:
        raise FaceNetError(
            f"{path} does not hold the weights of an Inception-ResNet-v1: {wrong[0]!r} is missing, "
            "unknown or of another shape; give the weights of facenet-pytorch."
        )
    return found
