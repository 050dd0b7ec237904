"""What can go wrong in this part."""

from __future__ import annotations


class NfganError(ValueError):
    """Faces, settings or files that this part cannot use."""


class TupletError(NfganError):
    """Features, labels or settings that no (N+M)-tuplet can be made of."""


class ExpressionError(NfganError):
    """Pictures, labels or settings that expressions cannot be learned from."""


class LossError(NfganError):
    """Faces, maps or weights that no loss can be computed from."""


class SymmetryError(NfganError):
    """Images or landmarks that have no left and right half."""


class AdversarialError(NfganError):
    """Logits of another shape than a discriminator's."""


class NetworkError(NfganError):
    """Settings that describe no network, or codes of another length."""


class PerceptualError(NfganError):
    """A file that holds no network to compare with."""


class PreprocessingError(NfganError):
    """Pictures that cannot be prepared: of another shape, or smaller than a crop."""


class FoldError(NfganError):
    """Subjects that cannot be divided into so many parts."""


class DatabaseError(NfganError):
    """A folder that is not the database, or a file in it that cannot be understood."""


class IdentificationError(NfganError):
    """Embeddings among which nobody can be told apart."""


class OrientationError(NfganError):
    """Filters of another shape."""


class DiscriminationError(NfganError):
    """Too few faces to learn from and to ask about."""


class TraversalError(NfganError):
    """A way of fewer than two steps."""
