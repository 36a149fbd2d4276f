"""The training loop and its parts: `loop.py` is the page to begin with."""
