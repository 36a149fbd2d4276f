"""Mistakes with checkpoints, security and API (TS8xx)."""
