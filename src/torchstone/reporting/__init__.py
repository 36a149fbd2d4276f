"""What a run shows: the report, charts, tables on the terminal."""
