"""`torchstone evaluate RUN`: measure a run."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter


def evaluate(
    run: str,
    /,
    *,
    split: Literal["val", "test"] = "test",
    data: str | None = None,
    device: str = "auto",
    quiet: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Measure RUN on its test rows, its validation rows or new rows, with 95 % intervals.

    Every reading of the test rows is recorded in the run: each look makes the next one worth less.

    For example:

      torchstone evaluate runs/churn
      torchstone evaluate runs/churn --split val
      torchstone evaluate runs/churn --data next-month.csv --json

    Args:
        run: The run directory.
        split: Which of the run's rows.
        data: A file with new rows, target included, in place of the run's own.
        device: cpu, cuda, cuda:1, mps. auto: the first there is.
        quiet: Print nothing; the numbers are in the run directory.
        json: Print the result as one JSON document on stdout.
    """
    from torchstone import api
    from torchstone.cli.console import output_console, print_json

    evaluation = api.evaluate(run, split, data=data, device=device)
    if json:
        print_json({"version": 1, "run": run, **evaluation.to_json()})
    elif not quiet:
        from torchstone.reporting.terminal import print_evaluation

        print_evaluation(output_console(), evaluation)
