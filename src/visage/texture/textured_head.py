"""Heads with synthesised faces under new light, by the library's own renderer.

The paper renders with a commercial path tracer, image-based light, generic scattering below the
skin, procedural roughness, and relief from the synthesised texture (section 6). Here light is an
environment of second order and a key light with soft shadows; skin is diffuse with a reddish, soft
terminator and a GGX gloss; the relief is that of `visage.texture.head_surface.Bump`.
`visage.texture.mitsuba_render` traces paths instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from visage.faces.camera import Camera, Perspective, rotation_matrix
from visage.faces.light import LIGHT_KINDS, Light, sample_lights
from visage.faces.scene import GREY, Scene, render
from visage.faces.shape import MorphableModel
from visage.faces.surface import SurfaceMaps
from visage.texture.errors import TextureError
from visage.texture.head_surface import BUMP, Bump, head_maps

_CENTRE = (0.0, -4.0, 40.0)  # mm, head frame, what is in the middle of a portrait
_WIDTH = 235.0  # mm at the head that a portrait shows: the head, not the shoulders
_DISTANCE = 1500.0  # mm, a portrait photographer's
_CLAY = 0.4  # linear albedo
_BACKGROUND = 0.045  # linear, dark and grey: skin stands out, and rims of light are seen

NEW_LIGHTS: tuple[tuple[str, int], ...] = (("studio", 3), ("window", 8), ("sun", 5), ("side", 4))
"""Kinds of light (`visage.faces.light.LIGHT_KINDS`) and seeds, chosen to be unlike one another."""


@dataclass(frozen=True, eq=False)
class TexturedHead:
    """B heads: their shapes and the surfaces that `visage.texture.head_surface.head_maps` made.

    Raises:
        TextureError: there are not as many of each.
    """

    identity: Tensor  # (B, K), standard deviations
    expression: Tensor  # (B, 52)
    maps: SurfaceMaps  # B

    def __post_init__(self):
        counts = len(self.identity), len(self.expression), len(self.maps)
        if len(set(counts)) > 1:
            raise TextureError(
                "{} identities, {} expressions and {} surfaces; give as many".format(*counts)
            )

    def __len__(self) -> int:
        """B."""
        return len(self.identity)

    def __getitem__(self, index: slice | Sequence[int]) -> TexturedHead:
        """Some of the heads, or some of them several times."""
        chosen = torch.arange(len(self))[index if isinstance(index, slice) else list(index)]
        return TexturedHead(self.identity[chosen], self.expression[chosen], self.maps[chosen])

    @classmethod
    def of(
        cls,
        texture: Tensor,
        identity: Tensor,
        expression: Tensor | None = None,
        around: SurfaceMaps | None = None,
        *,
        bump: Bump | None = BUMP,
    ) -> TexturedHead:
        """Put textures on heads.

        Args:
            texture: (B, 3, S, S), sRGB albedo of the face window.
            identity: (B, K), standard deviations.
            expression: (B, 52); None is at rest.
            around: B surfaces outside of the face, see `head_maps`.
            bump: relief from the texture, see `head_maps`.

        Raises:
            TextureError: a shape does not fit.
        """
        if expression is None:
            expression = identity.new_zeros(len(identity), 52)
        return cls(identity, expression, head_maps(texture, around, bump=bump))


def render_textured(
    model: MorphableModel,
    heads: TexturedHead,
    camera: Camera,
    light: Light,
    *,
    supersample: int = 2,
    background: float = _BACKGROUND,
) -> Tensor:
    """Pictures of heads.

    Args:
        model: at the level of subdivision that the pictures shall have; 1 to look at them.
        heads: B.
        camera: B cameras, such as `portrait_camera` gives.
        light: B lights, such as `new_light` gives.
        supersample: see `visage.faces.scene.render`.
        background: linear grey.

    Returns:
        (B, 3, H, W), sRGB, in [0, 1].

    Raises:
        visage.faces.scene.SceneError: there are not as many cameras or lights.
    """
    size = len(heads), 3, camera.height, camera.width
    scene = Scene(
        identity=heads.identity,
        expression=heads.expression,
        camera=camera,
        light=light,
        maps=heads.maps,
        background=torch.full(size, background),
    )
    return render(model, scene, supersample=supersample).image


def render_clay(model: MorphableModel, heads: TexturedHead, camera: Camera, light: Light) -> Tensor:
    """The heads' shape alone, (B, 3, H, W): as `render_textured`, in smooth light grey."""
    scene = Scene(
        identity=heads.identity,
        expression=heads.expression,
        camera=camera,
        light=brightened(light, _CLAY / GREY),
        background=torch.full((len(heads), 3, camera.height, camera.width), _BACKGROUND),
    )
    return render(model, scene, supersample=2).image


def portrait_camera(
    size: int | tuple[int, int],
    yaw: Sequence[float] = (0.0,),
    pitch: float = 0.0,
    *,
    shown: float = _WIDTH,
) -> Perspective:
    """Cameras that see a head from so many sides.

    Args:
        size: pixels of the pictures' side, or height and width.
        yaw: B angles in degrees, positive towards the picture's right.
        pitch: degrees, positive looks down.
        shown: mm at the head that the shorter side shows; all of the head if nothing is said.

    >>> portrait_camera(64, (0, 45)).angles.shape
    torch.Size([2, 3])
    """
    height, width = (size, size) if isinstance(size, int) else size
    angles = torch.zeros(len(yaw), 3)
    angles[:, 0] = pitch
    angles[:, 1] = torch.tensor([float(angle) for angle in yaw])
    angles = torch.deg2rad(angles)
    centre = (rotation_matrix(angles) @ angles.new_tensor(_CENTRE))[:, :2]
    distance = torch.full((len(yaw),), _DISTANCE)
    # The shorter side decides, so that nothing is cut off.
    focal = distance * min(height * 0.9, width) / shown
    return Perspective(angles, -centre, height, width, focal=focal, distance=distance)


def new_light(kind: str, seed: int, count: int = 1) -> Light:
    """The same light for each of some heads.

    Args:
        kind: of `visage.faces.light.LIGHT_KINDS`.
        seed: which of that kind.
        count: B.

    Raises:
        TextureError: there is no such kind.

    >>> len(new_light("studio", 3, 2))
    2
    """
    kinds = tuple(one for one in LIGHT_KINDS if one.name == kind)
    if not kinds:
        names = ", ".join(one.name for one in LIGHT_KINDS)
        raise TextureError(f"there is no kind of light called {kind!r}; choose among {names}")
    light = sample_lights(1, torch.Generator().manual_seed(seed), kinds)
    return light[torch.zeros(count, dtype=torch.int64)]


def diffuse_light(count: int = 1, level: float = 1.0) -> Light:
    """Light of the same radiance from everywhere: user study B's "full-on diffuse lighting".

    Args:
        count: B.
        level: shading of a white surface.
    """
    ambient = torch.zeros(count, 9, 3)
    ambient[:, 0] = level * (4 * torch.pi) ** 0.5
    key = torch.tensor([[0.0, 0.0, 1.0]]).expand(count, -1)
    return Light(ambient, key, torch.zeros(count, 3), torch.full((count,), 0.5))


def brightened(light: Light, gain: float) -> Light:
    """The light, all of it so many times as bright."""
    return replace(light, ambient=light.ambient * gain, key_colour=light.key_colour * gain)
