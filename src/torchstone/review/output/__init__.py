"""How a report is shown: one file for each format."""
