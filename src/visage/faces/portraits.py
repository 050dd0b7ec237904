"""From people and shots to scenes: whatever is worn, grown and painted comes together here."""

from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from visage.faces.backgrounds import backgrounds
from visage.faces.hair import grow
from visage.faces.population import People
from visage.faces.scene import Scene
from visage.faces.shape import MorphableModel
from visage.faces.shots import Shots
from visage.faces.skin import skin_maps
from visage.faces.surface import SurfaceMaps
from visage.faces.wear import Lenses, Wear
from visage.faces.wear.clothing import Clothing
from visage.faces.wear.glasses import Glasses


@dataclass(frozen=True)
class Detail:
    """How finely people are made, for pictures of some size."""

    texture: int = 256  # texels a side; about as many pixels as the picture has
    strands: int = 1200  # of scalp hair; short styles have up to three times as many
    supersample: int = 1  # see `render`
    hair: bool = True  # brows and lashes too
    wear: bool = True  # clothes and glasses
    background: bool = True

    @classmethod
    def of(cls, size: int) -> "Detail":
        """What does for a picture of `size` pixels a side, to look at."""
        if size <= 160:
            return cls()
        if size <= 320:
            return cls(texture=512, strands=5000, supersample=2)
        return cls(texture=1024 if size <= 768 else 2048, strands=12000, supersample=2)


def portray(
    model: MorphableModel,
    persons: People,
    taken: Shots,
    detail: Detail,
    *,
    maps: SurfaceMaps | None = None,
) -> Scene:
    """Put people before a camera.

    Args:
        model: at the level of subdivision that the picture shall have.
        persons: B people.
        taken: B shots of them.
        detail: how finely.
        maps: B textures, where they are at hand already.

    Returns:
        A scene of B faces on the CPU.
    """
    vertices = model.vertices(persons.identity, taken.expression)
    size = taken.camera.height, taken.camera.width
    strands = wear = lenses = background = None
    if detail.hair:
        strands = [
            grow(model, hair, head, count=detail.strands)
            for hair, head in zip(persons.hair, vertices, strict=True)
        ]
    if detail.wear:
        wear, lenses = dress(model, persons)
    if detail.background:
        background = backgrounds(taken.seeds, *size)
    return Scene(
        identity=persons.identity,
        expression=taken.expression,
        camera=taken.camera,
        light=taken.light,
        maps=skin_maps(model, persons.skin, detail.texture) if maps is None else maps,
        strands=strands,
        wear=wear,
        lenses=lenses,
        background=background,
    )


def dress(model: MorphableModel, persons: People) -> tuple[Wear, Lenses]:
    """The clothes and glasses of B people, fitted to their heads at rest."""
    clothing, glasses = _wardrobe(model.subdivision)
    head = model.vertices(persons.identity)
    cloth = _worn(clothing, clothing.vertices(head, persons.garment), persons.garment)
    fitted = glasses.vertices(head, persons.glasses)
    frames = _worn(glasses, fitted, persons.glasses)
    through = glasses.lens_transmittance(persons.glasses)
    return Wear.joined([cloth, frames]), Lenses(fitted, glasses.lens_triangles, through)


def _worn(thing: Clothing | Glasses, vertices: Tensor, parameters) -> Wear:
    count = *vertices.shape[:2], 1
    return Wear(
        vertices,
        thing.triangles,
        thing.albedo(parameters),
        thing.roughness(parameters).expand(count),
        thing.specular(parameters).expand(count),
    )


@lru_cache(maxsize=2)
def _wardrobe(subdivision: int) -> tuple[Clothing, Glasses]:
    model = MorphableModel.load(subdivision)
    return Clothing(model), Glasses(model)
