"""Inverting face embeddings with convolutional neural networks (Zhmoginov and Sandler, 2016)."""
