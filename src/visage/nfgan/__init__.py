"""Normalized faces with a perceptron GAN, and expression recognition (Liu et al. 2018)."""
