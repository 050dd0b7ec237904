"""Files that a page loads and that a build makes from checkpoints: nobody tracks them in git."""

from collections.abc import Callable
from pathlib import Path


def _dlib_resnet(path: Path) -> None:
    from visage.explore.onnx_export import export_encoder
    from visage.recognition.encoder import load_encoder

    export_encoder(load_encoder("dlib_resnet"), path)


def _locator(path: Path) -> None:
    from visage.explore.onnx_export import export_locator
    from visage.recognition.locator import load_locator

    export_locator(load_locator(), path)


def _inversion_grid(path: Path) -> None:
    from visage.explore.inversion_data import inversion_file

    path.write_bytes(inversion_file("grid.webp").read_bytes())


def _inversion_network(path: Path) -> None:
    from visage.explore.inversion_network_explorer import FILTERS
    from visage.explore.onnx_export import export_face_network
    from visage.inversion.feedforward_reproduce import load_network

    export_face_network(load_network(FILTERS), path)


def _face_basis(path: Path) -> None:
    from visage.explore.face_basis import export_face

    export_face(path)


def _normalized_face(path: Path) -> None:
    from visage.explore.normalized_face_explorer import WORLD
    from visage.explore.onnx_export import export_decoder
    from visage.normalization.decoder import load_decoder

    export_decoder(load_decoder(WORLD), path)


def _avatars(path: Path) -> None:
    from visage.explore.avatar_explorer import export_avatars

    export_avatars(path)


def _nfgan_family(path: Path) -> None:
    from visage.explore.nfgan_export import export_family
    from visage.nfgan.family import load_family

    export_family(load_family(), path)


def _nfgan_terms(path: Path) -> None:
    from visage.explore.five_losses_explorer import load_judge
    from visage.explore.nfgan_export import export_five_losses

    export_five_losses(load_judge(), path)


def _nfgan_encoder(path: Path) -> None:
    from visage.explore.nfgan_export import export_nfgan_encoder
    from visage.nfgan.networks import load_nfgan

    export_nfgan_encoder(load_nfgan(), path)


def _nfgan_decoder(path: Path) -> None:
    from visage.explore.nfgan_export import export_nfgan_decoder
    from visage.nfgan.networks import load_nfgan

    export_nfgan_decoder(load_nfgan(), path)


def _nfgan_discriminator(path: Path) -> None:
    from visage.explore.nfgan_export import export_discriminator
    from visage.nfgan.networks import load_nfgan

    export_discriminator(load_nfgan(), path)


def _landing(path: Path) -> None:
    from visage.explore.landing_explorer import landing_module

    path.write_text(landing_module("landing.webp"), encoding="utf-8")


def _landing_still(path: Path) -> None:
    from visage.explore.landing_explorer import STILL, landing_file

    path.write_bytes(landing_file(f"{STILL}.webp").read_bytes())


# File name under the site's _static/assets: the function that writes it there. Imports are inside,
# so that a build that needs one file does not load the machinery of the others.
ASSETS: dict[str, Callable[[Path], None]] = {
    "dlib_resnet.onnx": _dlib_resnet,
    "locator.onnx": _locator,
    "inversion_grid.webp": _inversion_grid,
    "inversion_network.onnx": _inversion_network,
    "face_basis.bin": _face_basis,
    "avatars.bin": _avatars,
    "normalized_face.onnx": _normalized_face,
    "nfgan_family.onnx": _nfgan_family,
    "nfgan_terms.onnx": _nfgan_terms,
    "nfgan_encoder.onnx": _nfgan_encoder,
    "nfgan_decoder.onnx": _nfgan_decoder,
    "nfgan_discriminator.onnx": _nfgan_discriminator,
    "landing.js": _landing,
    "landing.webp": _landing_still,
}
