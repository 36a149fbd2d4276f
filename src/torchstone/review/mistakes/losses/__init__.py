"""Mistakes with losses, outputs and shapes (TS3xx)."""
