"""What can be wrong with what this part is given."""


class TextureError(ValueError):
    """Textures, masks or pictures that do not fit together."""


class MeasureError(TextureError):
    """Textures and regions on which nothing can be measured."""


class BackboneError(TextureError):
    """A network, its weights or its layers that cannot be used."""


class HeldOutError(TextureError):
    """Photographs of held-out people that cannot be taken."""


class ModelFitError(TextureError):
    """Pictures, landmarks or masks to which no face model can be fitted."""


class RenderError(TextureError):
    """Heads that cannot be rendered or written to a file."""


class StudyError(TextureError):
    """Stimuli, trials or answers of a user study that do not fit together."""


class GramError(TextureError):
    """Features, masks or Gram matrices that do not fit together."""


class SimplexError(TextureError):
    """A least-squares problem that cannot be solved."""


class QuiltingError(TextureError):
    """Textures that cannot be quilted, or settings that cannot be met."""


class PatchMatchError(TextureError):
    """Pictures between which no patches can be matched."""


class InpaintingError(TextureError):
    """Textures and masks that do not fit, or nothing to inpaint from."""


class SynthesisError(TextureError):
    """Targets, settings or a saved state that no texture can be synthesised from."""


class MethodError(TextureError):
    """A method that there is none of, or what it needs is missing."""
