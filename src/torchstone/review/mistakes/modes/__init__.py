"""Mistakes with training and evaluation mode (TS2xx)."""
