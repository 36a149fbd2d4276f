"""Mistakes with numbers that overflow, underflow or are not numbers (TS6xx)."""
