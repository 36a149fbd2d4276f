"""Where runs are kept: folders, checkpoints, manifest, log. Storage only; it knows no model."""
