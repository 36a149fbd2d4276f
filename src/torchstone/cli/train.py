"""`torchstone train DATA`: from data to a trained, evaluated run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from cyclopts import Group, Parameter

from torchstone.cli.flags import given, section_flags

if TYPE_CHECKING:
    DataFlags: TypeAlias = Any
    SplitFlags: TypeAlias = Any
    ModelFlags: TypeAlias = Any
    TrainingFlags: TypeAlias = Any
    OutputFlags: TypeAlias = Any
else:
    DataFlags, SplitFlags, ModelFlags, TrainingFlags, OutputFlags = map(
        section_flags, ("data", "split", "model", "training", "output")
    )

_RUN = Group("Run", sort_key=0)


def train(  # noqa: D417 - the flags of the sections are described in `config.py`
    *data: str,
    config: Annotated[str | None, Parameter(group=_RUN)] = None,
    set: Annotated[list[str] | None, Parameter(group=_RUN, negative=())] = None,  # noqa: A002
    force: Annotated[bool, Parameter(group=_RUN, negative=())] = False,
    quiet: Annotated[bool, Parameter(group=_RUN, negative=())] = False,
    json: Annotated[bool, Parameter(group=_RUN, negative=())] = False,
    watch: Annotated[bool, Parameter(group=_RUN, negative=())] = False,
    data_flags: Annotated[DataFlags | None, Parameter(name="*", group=Group("Data", sort_key=1))] = None,
    split_flags: Annotated[SplitFlags | None, Parameter(name="*", group=Group("Split", sort_key=2))] = None,
    model_flags: Annotated[ModelFlags | None, Parameter(name="*", group=Group("Model", sort_key=3))] = None,
    training_flags: Annotated[
        TrainingFlags | None, Parameter(name="*", group=Group("Training", sort_key=4))
    ] = None,
    output_flags: Annotated[
        OutputFlags | None, Parameter(name="*", group=Group("Output", sort_key=5))
    ] = None,
) -> None:
    """Train a model on DATA and keep the run: split, preprocessing, training, validation, report.

    For example:

      torchstone train digits
      torchstone train churn.csv --target churn
      torchstone train adult.data --test adult.test --model mlp --epochs 20
      torchstone train photos.csv --model my_model.py:Net --lr 0.01 --optimizer sgd
      torchstone train --config runs/churn/config.toml --set training.lr=0.001

    Args:
        data: CSV, TSV, Parquet or Arrow files, a glob, or a built-in name: digits, iris, wine, diabetes,
            breast-cancer, torchvision:NAME.
        config: A config.toml to begin with, such as that of an earlier run.
        set: A configuration value, as section.key=value; may be repeated.
        force: Replace the run directory if there is one.
        quiet: Print nothing but warnings and errors.
        json: Print the result as one JSON document on stdout.
        watch: Look for mistakes while it trains, as torchstone watch does.
    """
    from torchstone import api
    from torchstone.cli.console import output_console, print_json

    options = given(data_flags, split_flags, model_flags, training_flags, output_flags)
    run = api.train(
        list(data) or None,
        config=config,
        settings=set or (),
        force=force,
        quiet=quiet or json,
        watch=watch,
        **options,
    )
    if json:
        print_json(run.summary())
    elif not quiet:
        from torchstone.reporting.terminal import print_run

        print_run(output_console(), run.summary())
