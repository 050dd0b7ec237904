"""What can go wrong in this part."""

from __future__ import annotations


class NfganError(ValueError):
    """Faces, settings or files that this part cannot use."""


class TupletError(NfganError):
    """Features, labels or settings that no (N+M)-tuplet can be made of."""


class ExpressionError(NfganError):
    """Pictures, labels or settings that expressions cannot be learned from."""
