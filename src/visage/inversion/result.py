"""The frame that all results of this part have."""

from functools import partial

from visage.measured import measured_result

PAPER_KEY = "zhmoginov2016inverting"

inversion_result = partial(measured_result, paper=PAPER_KEY)
"""`visage.measured.measured_result` of Zhmoginov and Sandler (2016)."""
