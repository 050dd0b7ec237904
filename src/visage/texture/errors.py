"""What can be wrong with what this part is given."""


class TextureError(ValueError):
    """Textures, masks or pictures that do not fit together."""


class MeasureError(TextureError):
    """Textures and regions on which nothing can be measured."""
