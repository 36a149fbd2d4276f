"""`python -m torchstone` is `torchstone`."""

from torchstone.cli import main

main()
