"""Small random similarities; they moved to `visage.photos.jitter`, where other parts find them."""

from visage.photos.jitter import Jitter, moved

__all__ = ["Jitter", "moved"]
