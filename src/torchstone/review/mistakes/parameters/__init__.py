"""Mistakes with parameters, optimizers and schedules (TS5xx)."""
