"""Visage: neural face synthesis and reconstruction, the library behind the book."""

__version__ = "0.1.0"
