"""From what the user has to batches: sources, target, split, preprocessing, rows."""
