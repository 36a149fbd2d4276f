"""`torchstone runs [DIR]`: list and compare runs."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


def runs(
    directory: str = "runs",
    /,
    *,
    sort: str | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """List the runs in DIRECTORY side by side: data, model, status, epochs, metrics.

    For example:

      torchstone runs
      torchstone runs experiments --sort roc_auc

    Args:
        directory: The folder that holds run directories.
        sort: A metric to sort by, the best first. Default: the newest first.
        json: Print the list as one JSON document on stdout.
    """
    from torchstone import api
    from torchstone.cli.console import output_console, print_json

    rows = api.list_runs(directory, sort=sort)
    if json:
        print_json({"version": 1, "directory": directory, "runs": rows})
    else:
        from torchstone.reporting.terminal import print_runs

        print_runs(output_console(), rows, directory)
