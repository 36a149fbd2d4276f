"""One parse and one semantic model per file, shared by all rules; imports no torch."""
