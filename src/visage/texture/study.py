"""What the measurements of this part have in common."""

from __future__ import annotations

from functools import partial

from visage.measured import measured_result

PAPER = "saito2017photorealistic"

part_result = partial(measured_result, paper=PAPER)
"""`visage.measured.measured_result` of Saito et al. (2017)."""
