"""The formats: JSON by its published schema, SARIF by the public one, GitHub, concise, terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import torchstone as ts
from torchstone.finding import Edit, Finding, Fix, Related
from torchstone.review.output import concise, github, sarif, terminal, watched
from torchstone.review.output import json as json_output
from torchstone.review.report import CheckError, Report

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "findings.json").read_text(encoding="utf-8"))
SARIF = json.loads((ROOT / "tests" / "review" / "schemas" / "sarif-2.1.0.json").read_text(encoding="utf-8"))

TEXT = "def f():\n\tlösung = model(x)\n\tloss.backward()\n\toptimizer.step()\n"


@pytest.fixture
def report() -> Report:
    """One finding with everything, one with a notebook's cell, one with next to nothing, one error."""
    fix = Fix("clear the gradients", True, (Edit("ä b.py", 3, 2, 3, 2, "optimizer.zero_grad()\n\t"),))
    return Report(
        files=3,
        findings=[
            Finding(
                "TS101",
                "missing-zero-grad",
                "error",
                "gradients of `optimizer` pile up: 100 %, always",
                "Each step uses the sum.",
                "ä b.py",
                None,
                3,
                2,
                3,
                17,
                {"optimizer": "optimizer", "lines": [3, 4]},
                fix,
                (Related("ä b.py", 4, 2, "stepped here"), Related("other.py", 1, 1, "made here")),
            ),
            Finding(
                "TS301",
                "softmax-before-cross-entropy",
                "warning",
                "m",
                file="n.ipynb",
                cell=2,
                line=1,
                column=3,
            ),
            Finding("TS505", "unused-parameters", "advice", "m", file="c.py"),
        ],
        errors=[
            CheckError("broken.py", 7, "does not parse: invalid syntax"),
            CheckError("gone.py", None, "gone"),
        ],
        texts={
            "ä b.py": TEXT,
            "n.ipynb": '{"cells": [{"source": ""}, {"source": "f(x)"}]}',
            "c.py": "x = 1\n",
        },
    )


def test_json_is_the_published_document(report: Report) -> None:
    document = json.loads(json_output.render(report, statistics=True))
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA, jsonschema.Draft202012Validator)
    assert [Finding.from_json(finding) for finding in document["findings"]] == report.findings
    assert document["statistics"][0] == {
        "code": "TS101",
        "name": "missing-zero-grad",
        "severity": "error",
        "count": 1,
        "fixable": 1,
    }
    assert "statistics" not in json.loads(json_output.render(report))


def test_json_of_real_findings_is_the_published_document(program: str) -> None:
    report = ts.check("a.py", text=program)
    assert report.findings
    jsonschema.validate(json.loads(json_output.render(report)), SCHEMA, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("with_findings", [True, False])
def test_sarif_is_valid_by_the_public_schema(report: Report, with_findings: bool) -> None:
    log = json.loads(sarif.render(report if with_findings else Report(files=1)))
    jsonschema.validate(log, SARIF, jsonschema.Draft4Validator)
    assert log["version"] == "2.1.0"


def test_sarif_says_all_that_is_known(report: Report) -> None:
    (run,) = json.loads(sarif.render(report))["runs"]
    rules = run["tool"]["driver"]["rules"]
    result = run["results"][0]
    assert [rule["id"] for rule in rules] == ["TS101", "TS301", "TS505"]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "TS101"
    assert "## Why is this bad?" in rules[0]["help"]["markdown"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "%C3%A4%20b.py", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {
        "startLine": 3,
        "startColumn": 2,
        "endLine": 3,
        "endColumn": 17,
        "snippet": {"text": "\tloss.backward()"},
    }
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change["replacements"][0]["insertedContent"] == {"text": "optimizer.zero_grad()\n\t"}
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note"]
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == 2


def test_sarif_knows_a_result_again_when_lines_move(program: str) -> None:
    def prints(text: str) -> list[Any]:
        log = json.loads(sarif.render(ts.check("a.py", text=text)))
        return [result["partialFingerprints"] for result in log["runs"][0]["results"]]

    assert prints(program) == prints(f"# more\n\n{program}") != []


def test_github_commands_are_escaped(report: Report) -> None:
    lines = github.render(report).splitlines()
    assert lines[0] == "::error title=not checked,file=broken.py,line=7::does not parse: invalid syntax"
    assert lines[2].startswith(
        "::error title=TS101 missing-zero-grad,file=ä b.py,line=3,col=2,endLine=3,endColumn=17::"
    )
    assert "100 %25, always%0AEach step" in lines[2]
    assert lines[3] == "::warning title=TS301 softmax-before-cross-entropy,file=n.ipynb::cell 2, line 1: m"
    assert lines[4].startswith("::notice ")
    odd = Finding("TS101", "x", "error", "m", file="a,b:c\n.py", line=1)
    assert "file=a%2Cb%3Ac%0A.py," in github.render(Report(findings=[odd]))


def test_concise_is_one_line_each(report: Report) -> None:
    assert concise.render(report).splitlines() == [
        "broken.py:7:1: error does not parse: invalid syntax",
        "gone.py:1:1: error gone",
        "ä b.py:3:2: error TS101 gradients of `optimizer` pile up: 100 %, always [missing-zero-grad]",
        "n.ipynb:cell 2:1:3: warning TS301 m [softmax-before-cross-entropy]",
        "c.py:1:1: advice TS505 m [unused-parameters]",
    ]


def test_the_terminal_shows_the_lines_with_carets_and_the_fix(report: Report) -> None:
    report.errors = []
    report.findings = report.findings[:1]
    assert terminal.render(report, width=80) == (
        "error[TS101] missing-zero-grad: gradients of `optimizer` pile up: 100 %, always\n"
        "  --> ä b.py:3:2\n"
        "  |\n"
        "3 |     loss.backward()\n"
        "  |     ^^^^^^^^^^^^^^^\n"
        "4 |     optimizer.step()\n"
        "  |     - stepped here\n"
        "  ::: other.py:1:1  made here\n"
        "  |\n"
        "  = why: Each step uses the sum.\n"
        "  = fix: Clear the gradients (--fix)\n"
        "3 +     optimizer.zero_grad()\n"
        "\n"
        "Found 1 error in 3 files. --fix mends 1.\n"
    )


def test_the_terminal_tells_the_rest(report: Report) -> None:
    shown = terminal.render(report)
    assert "broken.py:7" in shown
    assert "n.ipynb:cell 2:1:3" in shown
    assert "1 |   f(x)\n" in shown.replace("| f", "|   f")
    assert "Found 1 error, 1 warning and 1 advice in 3 files. --fix mends 1.\n" in shown
    assert "2 files could not be checked, or not as a whole.\n" in shown
    assert "No mistakes found in 1 file.\n" in terminal.render(Report(files=1))
    assert "\x1b[" not in shown
    assert "\x1b[1;31m" in terminal.render(report, colour=True)
    assert (
        terminal.render_statistics(report).splitlines()[0]
        == "1  TS101  missing-zero-grad             error    [*]"
    )


def test_wide_letters_and_control_characters_keep_the_carets_in_place() -> None:
    text = "損失 = f('\x1b[31m') + g(x)\n"
    finding = Finding("TS101", "n", "error", "m", file="a.py", line=1, column=19, end_line=1, end_column=23)
    lines = terminal.render(Report(files=1, findings=[finding], texts={"a.py": text})).splitlines()
    assert "\x1b" not in "".join(lines)
    assert lines[3] == "1 | 損失 = f('␛[31m') + g(x)"
    assert lines[4] == "  |" + " " * 21 + "^^^^"


def test_a_line_that_is_too_long_is_cut_around_the_place() -> None:
    text = "x = [" + "1, " * 400 + "f(y)]\n"
    column = text.index("f(y)") + 1
    finding = Finding(
        "TS101", "n", "error", "m", file="a.py", line=1, column=column, end_line=1, end_column=column + 4
    )
    shown = terminal.render(Report(files=1, findings=[finding], texts={"a.py": text}), width=80).splitlines()
    assert max(len(line) for line in shown) <= 80
    assert shown[3][shown[4].index("^") :].startswith("f(y)")


def test_a_file_that_is_gone_is_shown_without_its_lines() -> None:
    finding = Finding("TS101", "n", "error", "m", file="nowhere.py", line=3, column=1)
    assert "  --> nowhere.py:3:1\n" in terminal.render(Report(files=1, findings=[finding]))


def test_on_a_terminal_nothing_is_wider_than_it() -> None:
    words = "a sentence that has many words and goes on"
    fix = Fix("wrap", True, (Edit("a.py", 1, 9, 1, 9, "wrapped_in_a_long_name("),))
    related = (Related("a.py", 2, 1, words), Related("elsewhere.py", 1, 1, words))
    text = f"        call({'x' * 60})\n            backward()\n"
    finding = Finding(
        "TS101", "n", "error", words * 3, words * 3, "a.py", line=1, column=1, fix=fix, related=related
    )
    report = Report(findings=[finding], texts={"a.py": text}, steps=1, notes=[words * 3])
    shown = watched.render(report, width=60, wrap=True)
    assert max(map(len, shown.splitlines())) <= 60
    for part in (words, "(torchstone check --fix)", "wrapped_in_a_long_name(call("):
        assert part.replace(" ", "") in "".join(shown.replace("|", "").split())
    assert watched.announcement(finding, width=60).count("\n") > 1
    assert watched.announcement(finding).count("\n") == 1


def test_a_line_without_a_column_is_marked_from_its_first_sign(report: Report) -> None:
    finding = Finding("TS101", "n", "error", "m", file="a.py", line=1, column=1)
    shown = watched.render(Report(findings=[finding], texts={"a.py": "    loss.backward()\n"}))
    assert "1 |     loss.backward()\n  |     ^^^^^^^^^^^^^^^\n" in shown


def test_the_shapes_on_the_way_to_an_error_are_one_line() -> None:
    way = ["net (8, 3)", "net.a (8, 3)", "net.a[0] (8, 4)", "net.a[0].b (8, 4)", "net.c (8, 5)"]
    finding = Finding("TS316", "shape-mismatch", "error", "m", file="a.py", line=1, evidence={"way": way})
    text = terminal.render(Report(findings=[finding]))
    assert "= way: net (8, 3) → ... → net.a[0] (8, 4) → net.a[0].b (8, 4) → net.c (8, 5)\n" in text
    short = Finding("TS316", "shape-mismatch", "error", "m", file="a.py", evidence={"way": way[:1]})
    assert "way" not in terminal.render(Report(findings=[short]))


def test_a_finding_of_a_run_that_is_at_no_line_has_no_place() -> None:
    text = watched.render(Report(findings=[Finding("TS403", "overlap", "error", "m", "why")], steps=3))
    assert text.startswith("error[TS403] overlap: m\n  = why: why\n")
