"""`torchstone models`: the models that `--model` knows."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


def models(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """List the models that --model knows, with their parameter counts.

    For example:

      torchstone models
      torchstone models --json

    Args:
        json: Print the list as one JSON document on stdout.
    """
    from torchstone import api
    from torchstone.cli.console import output_console, print_json

    rows = api.list_models()
    if json:
        print_json({"version": 1, "models": rows})
    else:
        from torchstone.reporting.terminal import print_models

        print_models(output_console(), rows)
