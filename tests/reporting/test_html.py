"""`report.html` of real runs: one file that loads nothing, says what was measured and escapes all names."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

import torchstone as ts
from torchstone.reporting.html import Report, render
from torchstone.reporting.measured import metric_label
from torchstone.reporting.scales import number
from torchstone.task import Task

NAMES = ["hostile", "binary", "last", "multilabel", "digits", "gan", "alone"]
VOID = {"meta", "br", "img"}


class Page(HTMLParser):
    """The tags, the text and the table rows of a page; fails where tags do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.parts: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.parts.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).split())

    def row(self, head: str) -> list[str]:
        return next(row for row in self.rows if row and row[0].strip() == head)


def _html(run: Any) -> str:
    return (run.path / "report.html").read_text(encoding="utf-8")


def _measured(run: Any, split: str) -> dict[str, Any]:
    return json.loads((run.path / "evaluations" / f"{split}.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_it_is_one_file_that_loads_nothing(runs: dict[str, Any], name: str) -> None:
    text = _html(runs[name])
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for key in ("src", "href", "srcset", "action", "data"):
            value = attributes.get(key)
            assert value is None or value.startswith(("data:image/png;base64,", "#")), (tag, value)
        assert not any(key.startswith("on") for key in attributes)
        assert tag != "script" or not attributes
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in text
    assert "url(" not in text
    policy = next(a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize("name", NAMES)
def test_its_sections_are_where_its_links_lead(runs: dict[str, Any], name: str) -> None:
    page = Page(_html(runs[name]))
    places = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(places) == len(set(places))
    assert {a["href"][1:] for t, a in page.tags if t == "a" and a["href"]} <= set(places)


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_has_finite_coordinates(runs: dict[str, Any], name: str) -> None:
    for _, attributes in Page(_html(runs[name])).tags:
        for key in ("d", "x", "y", "cx", "cy", "width", "height"):
            assert not re.search("nan|inf", attributes.get(key) or "")


@pytest.mark.parametrize(
    ("name", "split"), [("hostile", "test"), ("binary", "val"), ("last", "val"), ("multilabel", "val")]
)
def test_metrics_and_intervals_are_those_of_the_evaluation(
    runs: dict[str, Any], name: str, split: str
) -> None:
    page = Page(_html(runs[name]))
    evaluation = _measured(runs[name], split)
    assert len(evaluation["metrics"]) > 3
    for key, measured in evaluation["metrics"].items():
        row = page.row(metric_label(key))
        low, high = measured["low"], measured["high"]
        interval = "–" if low is None else f"{number(low, 4)} to {number(high, 4)}"
        assert row[1:3] == [number(measured["value"], 4), interval]


@pytest.mark.parametrize(("name", "split"), [("hostile", "test"), ("binary", "val")])
def test_confusion_counts_are_those_of_the_evaluation(runs: dict[str, Any], name: str, split: str) -> None:
    evaluation = _measured(runs[name], split)
    told = re.findall(r"predicted [^<]*?: (\d+) rows \(", _html(runs[name]))
    assert [int(count) for count in told] == [count for row in evaluation["confusion"] for count in row]


def test_the_worst_rows_are_named_by_file_and_line(runs: dict[str, Any]) -> None:
    page = Page(_html(runs["hostile"]))
    worst = _measured(runs["hostile"], "test")["worst"]
    assert worst
    for row in worst:
        place = row["place"].rpartition("/")[2]
        assert re.search(r"iris\.csv.*\d+", place)
        assert number(row["loss"]) in page.row(place)


def test_columns_used_and_left_out_are_told(runs: dict[str, Any]) -> None:
    page = Page(_html(runs["hostile"]))
    after = page.text.partition("Columns used")[2]
    used, _, left_out = after.partition("Columns left out")
    assert "sepal" in used
    assert "n" * 300 in used
    assert "constant" in left_out.partition("Use it")[0]


def test_title_configuration_versions_and_findings_are_told(runs: dict[str, Any]) -> None:
    run = runs["hostile"]
    page = Page(_html(run))
    assert "iris.csv: linear · torchstone" in page.text
    for line in (run.path / "config.toml").read_text().splitlines():
        assert " ".join(line.split()) in page.text
    manifest = json.loads((run.path / "manifest.json").read_text())
    for name, version in manifest["versions"].items():
        assert f"{name} {version}" in page.text
    for finding in run.findings:
        assert " ".join(finding.message.split()) in page.text
    assert run.findings
    assert "best at epoch" in page.text
    assert ts.__version__ in page.text


def test_names_are_text_and_never_markup(runs: dict[str, Any]) -> None:
    text = _html(runs["hostile"])
    page = Page(text)
    assert "<b>&\"'" in page.text
    for name in ("<i>se&t", "[bold]ver", "vi\"r'🙂"):
        assert name in page.text
    assert "<i>" not in text
    assert '<b>&"' not in text


def test_the_last_weights_are_not_called_the_best(runs: dict[str, Any]) -> None:
    text = Page(_html(runs["last"])).text
    assert "best at epoch" not in text
    assert "best: epoch" not in text
    assert "The last weights were kept" in text
    assert "no epoch was chosen by them" in text


def test_one_epoch_is_told_and_drawn(runs: dict[str, Any]) -> None:
    page = Page(_html(runs["binary"]))
    assert "trained 1 epoch " in page.text
    assert "One epoch says little" in page.text
    assert any(a.get("class") == "dot tone1" for _, a in page.tags)


def test_both_losses_of_a_gan_are_drawn(runs: dict[str, Any]) -> None:
    page = Page(_html(runs["gan"]))
    lines = [a["d"] for t, a in page.tags if t == "path" and a.get("class") in ("line tone1", "line tone2")]
    assert len(lines) >= 2
    assert "discriminator_loss" in page.text
    assert "generator_loss" in page.text
    assert "No rows were measured." in page.text


def test_without_validation_there_are_curves_and_no_results(runs: dict[str, Any]) -> None:
    page = Page(_html(runs["alone"]))
    assert "No rows were measured." in page.text
    assert not any(a.get("id") == "results" for _, a in page.tags)
    assert any(a.get("class", "").startswith("line") for t, a in page.tags if t == "path")


def test_pictures_are_shown_as_pictures(runs: dict[str, Any]) -> None:
    page = Page(_html(runs["digits"]))
    pictures = [a for t, a in page.tags if t == "img"]
    assert pictures
    assert all(a["alt"] and "taken for" in a["alt"] for a in pictures)


@pytest.mark.parametrize("nothing", [None, float("nan"), float("inf")])
def test_a_metric_that_is_no_number_is_a_dash(nothing: float | None) -> None:
    metric = {"value": nothing, "low": nothing, "high": nothing}
    evaluation = {"split": "val", "rows": 3, "metrics": {"accuracy": metric, "roc_auc": metric}}
    task = Task("binary", ("y",), ("no", "yes"))
    history = [{"epoch": 1, "train_loss": nothing, "val_loss": nothing}]
    text = render(Report(task, history=history, evaluations={"val": evaluation}))
    page = Page(text)
    assert page.row(metric_label("accuracy"))[1:3] == ["–", "–"]
    assert not re.search(r"\b(nan|None|inf)\b", page.text)


def test_no_character_is_written_that_html_forbids(runs: dict[str, Any]) -> None:
    """The run `hostile` has a column with an escape and a bell in its name."""
    for name in NAMES:
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", _html(runs[name]))
    assert "`[red]\ufffd[31m\ufffd🙂" in Page(_html(runs["hostile"])).text


def test_names_keep_letters_of_all_scripts_and_lose_what_turns_text_around() -> None:
    columns = {
        "used": {"größe 名前 العمر 👩\u200d🔬": "numeric", "a\u202eb\x9b\x00": "numeric"},
        "left_out": {},
    }
    text = render(Report(Task("binary", ("y",), ("no", "yes")), columns=columns, title="\x1b[2J"))
    page = Page(text)
    assert "größe 名前 العمر 👩\u200d🔬" in page.text
    assert "a\ufffdb\ufffd\ufffd" in page.text
    assert "\ufffd[2J: " in page.text


@pytest.mark.parametrize("count", [5, 9])
def test_every_loss_of_a_step_of_its_own_is_drawn(count: int) -> None:
    history = [{"epoch": e, **{f"train_loss_{i}": 1.0 / (e + i) for i in range(count)}} for e in (1, 2, 3)]
    page = Page(render(Report(None, history=history)))
    lines = [a for t, a in page.tags if t == "path" and re.fullmatch(r"line tone\d", a.get("class") or "")]
    drawn = [a for a in lines if (a["d"] or "").count("L") == 2]
    assert len(drawn) == count
    assert len({a["class"] for a in drawn}) == min(count, 8)
    assert all(f"loss_{i}" in page.text for i in range(count))


@pytest.mark.parametrize(
    ("val_losses", "best_epoch", "goes_on"),
    [
        ([0.9, 0.8, 0.7], 3, True),  # still improving
        ([0.9, 0.6, 0.7], 2, False),  # ended by early stopping
        ([0.9, 0.6, 0.7], None, False),  # the last weights were kept, and it was learning by heart
        ([0.9, 0.8, 0.7], None, True),
    ],
)
@pytest.mark.parametrize("kind", ["fit", None])
def test_more_epochs_are_proposed_only_where_they_may_help(
    val_losses: list[float], best_epoch: int | None, goes_on: bool, kind: str | None
) -> None:
    history = [
        {"epoch": epoch, "train_loss": 1 / epoch, "val_loss": loss}
        for epoch, loss in enumerate(val_losses, start=1)
    ]
    report = Report(None, history=history, best_epoch=best_epoch, manifest={"kind": kind})
    assert ("resume" in Page(render(report)).text) is goes_on


def test_only_what_needs_no_torchstone_is_called_plain(runs: dict[str, Any]) -> None:
    """Of each code block under such a heading the imports; a named model is built by torchstone."""
    for run in runs.values():
        text = Page(_html(run)).text
        _, found, code = text.partition("In plain PyTorch")
        if found:
            assert "import torchstone" not in code.partition("Go on")[0]
        else:
            assert "It is built by torchstone" in text
