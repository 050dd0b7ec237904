"""What is behind people, out of focus."""

from visage.faces.backgrounds.painting import (
    BACKGROUND_KINDS,
    BackgroundError,
    background,
    backgrounds,
)

__all__ = ["BACKGROUND_KINDS", "BackgroundError", "background", "backgrounds"]
