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

    resumed = api.resume(run, epochs=epochs, quiet=quiet or json)
    if json:
        print_json(resumed.summary())
    elif not quiet:
        from torchstone.reporting.terminal import print_run

        print_run(output_console(), resumed.summary())
