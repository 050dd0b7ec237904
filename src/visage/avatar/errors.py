"""What can go wrong on the way from a photograph to an avatar."""

from __future__ import annotations


class AvatarError(ValueError):
    """Settings that describe no avatar, or a file that cannot hold one."""
