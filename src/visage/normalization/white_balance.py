"""White balance that knows nothing of faces: grey world and shades of grey.

Free baselines for appendix C's comparison, which is with Barron's learned method: they guess the
colour of the light from all of the picture, and divide it out. Neither changes the exposure: how
bright a scene should be, its own colours do not say.
"""

from torch import Tensor

from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.normalization.errors import ColourCorrectionError

__all__ = ["balance", "grey_world", "light_colour", "shades_of_grey"]

_LUMINANCE = (0.2126, 0.7152, 0.0722)
_DARKEST = 1e-4  # linear


def light_colour(images: Tensor, order: float) -> Tensor:
    """Minkowski mean of the pictures' linear light (Finlayson and Trezzi 2004).

    e_c = (mean of p_c^order)^(1/order): the plain mean at 1, the brightest value at infinity.

    Args:
        images: (B, 3, H, W), sRGB.
        order: at least 1.

    Returns:
        (B, 3), linear, not normalised.

    Raises:
        ColourCorrectionError: the order is below 1, or images are not (B, 3, H, W).
    """
    if not order >= 1:
        raise ColourCorrectionError(f"the order is {order}; give at least 1")
    if images.ndim != 4 or images.shape[1] != 3:
        raise ColourCorrectionError(f"images are {tuple(images.shape)}; expected (B, 3, H, W)")
    linear = decode_srgb(images).flatten(2)
    if order == float("inf"):
        return linear.amax(2)
    peak = linear.amax(2, keepdim=True).clamp(min=_DARKEST)  # or a small number's power is lost
    return peak[..., 0] * (linear / peak).pow(order).mean(2).pow(1 / order)


def balance(images: Tensor, light: Tensor) -> Tensor:
    """Divide a light's colour out of pictures; grey surfaces keep their luminance (von Kries).

    Args:
        images: (B, 3, H, W), sRGB.
        light: (B, 3), linear; its strength does not matter.

    Returns:
        (B, 3, H, W), sRGB, clipped at white.
    """
    light = light.clamp(min=_DARKEST)
    strength = (light * light.new_tensor(_LUMINANCE)).sum(1, keepdim=True)
    gain = (strength / light)[..., None, None]
    return encode_srgb((decode_srgb(images) * gain).clamp(0, 1))


def shades_of_grey(images: Tensor, order: float = 6.0) -> Tensor:
    """Balance pictures as if the Minkowski mean of each were grey; 6 is the published best order.

    >>> import torch
    >>> reddish = torch.tensor([0.8, 0.5, 0.5]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    >>> shades_of_grey(reddish)[0, :, 0, 0]
    tensor([0.5811, 0.5811, 0.5811])
    """
    return balance(images, light_colour(images, order))


def grey_world(images: Tensor) -> Tensor:
    """Balance pictures as if the mean of each were grey (Buchsbaum 1980)."""
    return balance(images, light_colour(images, 1.0))
