"""What a run looks like: the page, the terminal, the plot."""
