"""`torchstone resume RUN`: go on with a run."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from torchstone.cli.flags import number


def resume(
    run: str,
    /,
    *,
    epochs: Annotated[int | None, Parameter(converter=number)] = None,
    quiet: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Go on with RUN from its last checkpoint, as if it had never been stopped.

    For example:

      torchstone resume runs/churn
      torchstone resume runs/churn --epochs 100

    Args:
        run: The run directory.
        epochs: A new last epoch, for a run that should train longer.
        quiet: Print nothing but warnings and errors.
        json: Print the result as one JSON document on stdout.
    """
    from torchstone import api
    from torchstone.cli.console import output_console, print_json
    from torchstone.runs.directory import RunDirectory

    directory = RunDirectory.open(run)
    before = directory.read_object(directory.manifest_path)
    resumed = api.resume(run, epochs=epochs, quiet=quiet or json)
    summary = resumed.summary()
    if json:
        print_json(summary)
    elif not quiet:
        from torchstone.reporting.terminal import print_report_place, print_run

        # That there was nothing to train is said already; the tables were shown when it was trained.
        nothing = before.get("status") == "finished" and before.get("epochs") == summary["epochs"]
        (print_report_place if nothing else print_run)(output_console(), summary)
