"""Real photographs: reading, landmarks, alignment, data sets and downloads."""
