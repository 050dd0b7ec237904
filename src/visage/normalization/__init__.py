"""Normalized faces from identity features (Cole et al., 2017)."""
