"""Photorealistic facial texture inference (Saito, Wei, Hu, Nagano and Li 2017)."""
