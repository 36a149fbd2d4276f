"""Mistakes of training in several processes (TS9xx)."""
