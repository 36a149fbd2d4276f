"""Mistakes with memory, speed, dtypes and devices (TS7xx)."""
