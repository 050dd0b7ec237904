"""Type I and type II acceptance; it moved to `visage.recognition.acceptance`."""

from visage.recognition.acceptance import FALSE_ACCEPT_RATES, Bench, Judge

__all__ = ["FALSE_ACCEPT_RATES", "Bench", "Judge"]
