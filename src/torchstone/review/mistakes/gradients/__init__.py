"""Mistakes in computing gradients and taking steps (TS1xx)."""
