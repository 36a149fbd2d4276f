"""`torchstone predict RUN DATA`: predictions for new rows."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter


def predict(
    run: str,
    data: str,
    /,
    *,
    output: Annotated[str | None, Parameter(name=["--output", "-o"])] = None,
    device: str = "auto",
    quiet: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Predict the rows of DATA with RUN, in the order given, however large the file is.

    For example:

      torchstone predict runs/churn customers.csv
      torchstone predict runs/churn customers.parquet -o predictions.parquet

    Args:
        run: The run directory.
        data: A file with the columns that the run was trained on; others are ignored.
        output: The file to write: .csv, .parquet or .jsonl. Default: CSV on stdout.
        device: cpu, cuda, cuda:1, mps. auto: the first there is.
        quiet: Print no summary and no notes.
        json: Print a summary as one JSON document on stdout (with --output).
    """
    from torchstone import api
    from torchstone.cli.console import error_console, print_json
    from torchstone.errors import UsageError

    if json and output is None:
        raise UsageError("--json prints a summary on stdout, where the predictions go.", hint="Add -o FILE.")
    summary = api.predict(run, data, output=output, device=device)
    if json:
        print_json(summary)
    elif not quiet and output is not None:
        from torchstone.reporting.terminal import print_prediction_summary

        print_prediction_summary(error_console(), summary)
    elif not quiet:
        for note in summary["notes"]:
            sys.stderr.write(f"{note}\n")
