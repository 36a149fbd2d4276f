"""One file per mistake, in a folder per group of codes."""
