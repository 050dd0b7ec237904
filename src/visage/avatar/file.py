"""Where an avatar can be written."""

from __future__ import annotations

from pathlib import Path

from visage.avatar.errors import AvatarError


def checked_path(path: str | Path) -> Path:
    """The path, if an avatar can be written there.

    Raises:
        AvatarError: the folder is missing, or the name does not end in .glb.
    """
    path = Path(path)
    if path.suffix.lower() != ".glb":
        raise AvatarError(f"{path.name!r} does not end in .glb, the kind of file an avatar is")
    if not path.parent.is_dir():
        raise AvatarError(f"there is no folder {str(path.parent)!r}; make it, or name another")
    if path.is_dir():
        raise AvatarError(f"{str(path)!r} is a folder; give the name of a file")
    return path
