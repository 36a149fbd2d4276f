"""What the command line shows of data, runs and results: rich tables that stay readable as plain text.

What comes from data or files is printed as `Text`, never as markup, and without control characters.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from torchstone.finding import Finding
from torchstone.reporting.characters import on_one_line, visible
from torchstone.reporting.measured import is_folded, metric_label
from torchstone.reporting.scales import DASH, finite, number, seconds
from torchstone.reporting.sentences import split_name

if TYPE_CHECKING:
    from torchstone.evaluation.evaluate import Evaluation
    from torchstone.task import Task

SEVERITY_STYLES = {"error": "bold red", "warning": "bold yellow", "advice": "bold cyan"}
_NAMES_SHOWN = 12
_MOST_RUN_METRICS = 4
_WITHOUT_END = 100_000
"""The width of a line where there is no terminal: names are never cut or wrapped."""
_OF_ONE_CLASS = ("precision", "recall", "f1", "average_precision")


def print_plan(
    console: Console,
    *,
    data: str,
    task: Task,
    split: Mapping[str, Any],
    model: str,
    parameters: int,
    device: str,
    columns: Mapping[str, str] | None = None,
    left_out: Mapping[str, str] | None = None,
    shape: Sequence[int] | None = None,
    training: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    out: str | None = None,
) -> None:
    """What is going to be trained, before the first step.

    Args:
        console: where it is printed.
        data: how the data is called.
        task: what is to be learned.
        split: `method` and the counts `train`, `val`, `test`.
        model: its name.
        parameters: how many numbers it learns.
        device: where it trains, as a sentence or a name.
        columns: for a table the kind of each column used.
        left_out: the columns that are not used, with the reason.
        shape: for arrays the shape of a sample.
        training: further facts in the order given, such as `{"batch size": 256, "epochs": 30}`.
        notes: what was found out about the data, one sentence each.
        out: the run directory.
    """
    counts = {part: int(split.get(part) or 0) for part in ("train", "val", "test")}
    size = f"{sum(counts.values()):,} rows" + (f" of shape {'x'.join(map(str, shape))}" if shape else "")
    kind = f"{task.kind}: {_names(task.classes)}" if task.classes else task.kind
    rows = [("data", _named(data, size)), ("target", _named(_names(task.targets), kind))]
    if columns:
        by_kind: dict[str, list[str]] = {}
        for name, of_kind in columns.items():
            by_kind.setdefault(of_kind, []).append(name)
        told = "\n".join(f"{len(names)} {of_kind}: {_names(names)}" for of_kind, names in by_kind.items())
        rows.append(("columns", _plain(told)))
    if left_out:
        rows.append(
            (
                "left out",
                _plain("\n".join(f"{on_one_line(name)}: {reason}" for name, reason in left_out.items())),
            )
        )
    rows.append(("split", Text(_split_line(split, counts))))
    rows.append(("model", _named(model, f"{parameters:,} parameters")))
    facts = ", ".join(
        f"{name} {_value(value)}" for name, value in (training or {}).items() if value is not None
    )
    if facts:
        rows.append(("training", _plain(facts)))
    rows.append(("device", _plain(device)))
    if out:
        rows.append(("run", _plain(out)))
    _print_rows(console, _facts(rows))
    if notes:
        _print_rows(console, _bullets(notes))


def print_findings(console: Console, findings: Iterable[Finding]) -> None:
    """Findings, errors first: severity and code, what is wrong, why, where and what to do."""
    order = {severity: index for index, severity in enumerate(SEVERITY_STYLES)}
    for finding in sorted(findings, key=lambda finding: order.get(finding.severity, 9)):
        _print_rows(console, _finding(finding))


def print_evaluation(console: Console, evaluation: Evaluation | Mapping[str, Any]) -> None:
    """The metrics of an evaluation with their 95 % intervals, and for few classes those of each class."""
    values = evaluation if isinstance(evaluation, Mapping) else evaluation.to_json()
    _print_rows(console, metrics_table(values))
    classes = values.get("per_class") or []
    if 2 < len(classes) <= 30:
        console.print()
        _print_rows(console, _class_table(classes))
    for note in values.get("notes") or []:
        _print_rows(console, _plain(note, "dim"))


def print_run(console: Console, summary: Mapping[str, Any]) -> None:
    """How a training ended: metrics on the validation rows, best epoch, where everything is, what is next.

    Args:
        console: where it is printed.
        summary: what `Run.summary` gives.
    """
    for evaluation in (summary.get("evaluations") or {}).values():
        _print_rows(console, metrics_table(evaluation, short=True))
        console.print()
    epochs, best = summary.get("epochs") or 0, (summary.get("best") or {}).get("epoch")
    plural = "s" if epochs != 1 else ""
    kept = f"; the weights are those of epoch {best}" if best and summary.get("kept") == "best" else ""
    console.print(Text(f"Trained {epochs} epoch{plural}{kept}."))
    if run := summary.get("run"):
        lines = [
            ("report", f"{run}/report.html"),
            ("test", f"torchstone evaluate {run}"),
            ("predict", f"torchstone predict {run} DATA -o predictions.csv"),
        ]
        _print_rows(console, _facts([(name, _plain(text)) for name, text in lines]))


def print_report_place(console: Console, summary: Mapping[str, Any]) -> None:
    """Where the report of a run is that was finished already."""
    _print_rows(console, _facts([("report", _cell(f"{summary['run']}/report.html"))]))


def print_runs(console: Console, rows: Sequence[Mapping[str, Any]], directory: str) -> None:
    """Runs side by side, with the metrics that most of them have."""
    if not rows:
        console.print(
            Text(f"No runs in {on_one_line(directory)}. `torchstone train DATA` makes one.", style="dim")
        )
        return
    measured = [_measured(row) for row in rows]
    counted: dict[str, int] = {}
    for _, metrics in measured:
        for key in metrics:
            if not is_folded(key):
                counted[key] = counted.get(key, 0) + 1
    preferred = ("accuracy", "roc_auc", "log_loss", "rmse", "r2", "mae")
    keys = [key for key in preferred if key in counted] or sorted(counted, key=lambda k: -counted[k])
    keys = keys[:_MOST_RUN_METRICS]
    heads = (metric_label(key) for key in keys)
    table = _table("run", "status", "data", "model", "time:right", *(f"{head}:right" for head in heads))
    starred = False
    for row, (split, metrics) in zip(rows, measured, strict=True):
        star = "*" if split == "test" else ""
        starred |= bool(star)
        data, model = row.get("data") or {}, row.get("model") or {}
        figures = [Text(number(metrics[key], 4) + star if key in metrics else DASH) for key in keys]
        table.add_row(
            _cell(row.get("name"), "bold"),
            _cell(row.get("status")),
            _cell(data.get("name") if isinstance(data, Mapping) else data),
            _cell(str((model.get("name") if isinstance(model, Mapping) else model) or "").rpartition("/")[2]),
            Text(seconds(row.get("seconds"))),
            *figures,
        )
    _print_rows(console, table)
    for row in rows:
        if row.get("problem"):
            _print_rows(console, _plain(f"{row.get('name')}: {row['problem']}", "yellow"))
    if starred:
        console.print(Text("* on the test rows; the others on validation rows.", style="dim"))


def print_models(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """The models that `--model` knows: name, parameters for a reference input, what it is."""
    table = _table("model", "parameters:right", "description")
    for row in rows:
        count = row.get("parameters")
        parameters = f"{count:,}" if isinstance(count, int) else DASH
        table.add_row(_cell(row.get("name"), "bold"), Text(parameters), _cell(row.get("description")))
    _print_rows(console, table)
    console.print(_plain("Parameters are those for the input that --json names.", "dim"))


def print_prediction_summary(console: Console, summary: Mapping[str, Any]) -> None:
    """How many rows were predicted, where they are and what was said on the way."""
    text = Text(f"{summary.get('rows', 0):,} predictions written", style="bold")
    if where := summary.get("output"):
        text.append(f" to {on_one_line(where)}", style="not bold")
    if took := summary.get("seconds"):
        text.append(f" in {seconds(took)}", style="not bold dim")
    _print_rows(console, text)
    if notes := summary.get("notes"):
        _print_rows(console, _bullets(notes))


def metrics_table(evaluation: Mapping[str, Any], *, short: bool = False) -> RenderableType:
    """The metrics of one evaluation (JSON values) under a line that says on which rows.

    Args:
        evaluation: the evaluation.
        short: without micro and weighted averages.
    """
    table = _table("metric", "value:right", "95 % interval:right")
    for key, measured in (evaluation.get("metrics") or {}).items():
        if short and is_folded(key):
            continue
        low, high = measured.get("low"), measured.get("high")
        interval = f"{number(low, 4)} to {number(high, 4)}" if len(finite([low, high])) == 2 else DASH
        table.add_row(Text(metric_label(key)), Text(number(measured.get("value"), 4), "bold"), Text(interval))
    title = f"{evaluation.get('rows') or 0:,} {on_one_line(split_name(evaluation.get('split')))} rows"
    return Group(Text(title, style="bold"), table, *_of_which_class(evaluation))


def _of_which_class(evaluation: Mapping[str, Any]) -> list[Text]:
    """For two classes: which of them is meant where a metric is that of one class."""
    task = evaluation.get("task") or {}
    shown = [metric_label(key) for key in _OF_ONE_CLASS if key in (evaluation.get("metrics") or {})]
    if task.get("kind") != "binary" or not task.get("classes") or not shown:
        return []
    names = " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
    verb = "are" if len(shown) > 1 else "is"
    return [Text(f"{names} {verb} of the class “{on_one_line(task['classes'][-1])}”.", style="dim")]


def _print_rows(console: Console, content: RenderableType) -> None:
    """A table whose rows stay one line each where there is no terminal to be narrow."""
    if console.is_terminal:
        console.print(content)
    else:
        text = io.StringIO()
        Console(file=text, width=_WITHOUT_END, no_color=True).print(content, soft_wrap=True)
        console.file.write("".join(f"{line.rstrip(' ')}\n" for line in text.getvalue().splitlines()))


def _class_table(classes: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("class", "precision:right", "recall:right", "F1:right", "rows:right")
    for row in classes:
        cells = [Text(number(row.get(key))) for key in ("precision", "recall", "f1")]
        table.add_row(_cell(row.get("class")), *cells, Text(f"{row.get('support') or 0:,.0f}"))
    return table


def _measured(row: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    evaluations = row.get("evaluations") or {}
    split = next((name for name in ("test", "val") if evaluations.get(name)), "val")
    return split, {key: value for key, value in (evaluations.get(split) or {}).items() if value is not None}


def _finding(finding: Finding) -> RenderableType:
    text = Text(finding.severity, style=SEVERITY_STYLES.get(finding.severity, "bold"))
    code = "" if finding.code == "TS000" else f" {finding.code}"
    text.append(f"{code}: ", style="default").append(visible(finding.message), style="not bold default")
    lines: list[RenderableType] = [text]
    if finding.file:
        place = f"{finding.file}:{finding.line}" if finding.line else finding.file
        lines.append(Padding.indent(_plain(place, "dim"), 2))
    if finding.why:
        lines.append(Padding.indent(_plain(finding.why, "dim"), 2))
    if finding.fix is not None:
        lines.append(Padding.indent(_plain(f"→ {finding.fix.description}"), 2))
    return Group(*lines)


def _table(*headings: str) -> Table:
    """A table without lines: it reads as well in a pipe; `name:right` is a column of numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for heading in headings:
        name, _, side = heading.partition(":")
        table.add_column(name, justify="right" if side else "left", overflow="fold", no_wrap=bool(side))
    return table


def _facts(rows: Iterable[tuple[str, Text]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(name, text)
    return table


def _bullets(lines: Iterable[str]) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    for line in lines:
        table.add_row(Text("·", "dim"), _plain(line, "dim"))
    return table


def _split_line(split: Mapping[str, Any], counts: Mapping[str, int]) -> str:
    parts = [f"{counts['train']:,} to train on"]
    parts += [f"{counts['val']:,} to validate"] if counts["val"] else []
    parts += [f"{counts['test']:,} kept for the test"] if counts["test"] else []
    return " · ".join(parts) + (f" ({on_one_line(split['method'])})" if split.get("method") else "")


def _named(name: str, about: str) -> Text:
    return Text(on_one_line(name), style="bold").append(f"  {on_one_line(about)}", style="not bold")


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(on_one_line(name) for name in names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f"{shown} and {len(names) - _NAMES_SHOWN} more"


def _value(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _plain(value: Any, style: str = "") -> Text:
    """A text that may be of several lines."""
    return Text(DASH if value is None else visible(value), style=style)


def _cell(value: Any, style: str = "") -> Text:
    """A text of one line."""
    return Text(DASH if value is None else on_one_line(value), style=style)
