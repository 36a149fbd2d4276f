"""The ways to show a run: on a terminal, as plain lines, in a notebook."""
