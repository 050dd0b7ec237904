"""Networks that say who it is."""
