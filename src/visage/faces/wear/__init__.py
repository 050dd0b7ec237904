"""What people wear: clothes and glasses, as meshes over the head."""

from visage.faces.wear.meshes import Lenses, Wear, WearError

__all__ = ["Lenses", "Wear", "WearError"]
