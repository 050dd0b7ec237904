"""What can be wrong with what this part is given."""


class TextureError(ValueError):
    """Textures, masks or pictures that do not fit together."""
