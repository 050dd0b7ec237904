"""Explorers that live in the page, and the one plotting style."""
