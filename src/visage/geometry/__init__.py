"""Detailed face geometry from one image (Richardson et al. 2017).

CoarseNet, FineNet, and between them a layer that draws.
"""
