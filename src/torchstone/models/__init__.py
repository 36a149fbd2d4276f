"""The models by name: one family per file, known by being here; `build.py` finds and builds them."""
