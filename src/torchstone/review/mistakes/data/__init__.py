"""Mistakes with data (TS4xx)."""
