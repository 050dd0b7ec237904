"""What this part trains: ``visage train face_segmentation``."""

from __future__ import annotations

from visage.texture import segmentation_train

RECIPES = segmentation_train.RECIPES
