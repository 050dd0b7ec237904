"""What this part trains: ``visage train coarse_net`` and the others of `RECIPES`."""

from __future__ import annotations

from visage.geometry import coarse_train, end_to_end_train, fine_train

RECIPES = coarse_train.RECIPES | fine_train.RECIPES | end_to_end_train.RECIPES
