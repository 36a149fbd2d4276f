"""Every mistake: its examples are found and mended, its cases hold line by line, its good examples run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from torchstone.review import index
from torchstone.review.catalogue import load_catalogue
from torchstone.review.mistake import FAMILIES, SECTIONS, Mistake
from torchstone.review.source import check_text
from torchstone.review.syntax.file import File
from torchstone.review.syntax.parse import parse
from torchstone.review.syntax.project import Project

CATALOGUE = load_catalogue()
CASES = Path(__file__).parent / "cases"
MARK = re.compile(r"#.*?\b(TS\d{3}(?:, TS\d{3})*)")


def marked(text: str) -> dict[int, set[str]]:
    """The codes that the comments of a program name, by line."""
    found: dict[int, set[str]] = defaultdict(set)
    for number, line in enumerate(text.splitlines(), start=1):
        if match := MARK.search(line):
            found[number] |= set(match[1].split(", "))
    return dict(found)


def reported(text: str, path: str, *codes: str) -> dict[int, set[str]]:
    """The codes that are reported, by line."""
    result = check_text(text, path)
    assert not result.errors
    found: dict[int, set[str]] = defaultdict(set)
    for finding in result.findings:
        if not codes or finding.code in codes:
            found[finding.line or 0].add(finding.code)
    return dict(found)


def ids(mistake: Mistake) -> str:
    return f"{mistake.code}-{mistake.name}"


@pytest.mark.parametrize("entry", index.entries()[1:], ids=lambda entry: entry.code)
def test_what_only_a_run_shows_is_known_without_an_import(entry: index.Entry) -> None:
    mistake = next(each for each in CATALOGUE if each.code == entry.code)
    assert entry.is_read == (mistake.check is not None)


def test_codes_and_names_are_told_apart() -> None:
    assert len({m.code for m in CATALOGUE}) == len({m.name for m in CATALOGUE}) == len(CATALOGUE) > 0


@pytest.mark.parametrize("mistake", CATALOGUE, ids=ids)
def test_file_is_complete(mistake: Mistake) -> None:
    path = Path(mistake.path)
    assert path.stem == mistake.name.replace("-", "_")
    assert path.parent.name == FAMILIES[mistake.code[2]]
    assert mistake.title.endswith(".")
    assert tuple(mistake.sections) == SECTIONS
    assert mistake.bad
    assert mistake.good


@pytest.mark.parametrize("mistake", [m for m in CATALOGUE if m.check is not None], ids=ids)
def test_bad_examples_are_found_at_their_lines(mistake: Mistake) -> None:
    for example in mistake.bad:
        assert mistake.code in set().union(*marked(example.code).values())
        assert reported(example.code, "example.py") == marked(example.code)


@pytest.mark.parametrize("mistake", CATALOGUE, ids=ids)
def test_good_examples_are_silent(mistake: Mistake) -> None:
    for code in mistake.good:
        assert reported(code, "example.py") == {}


@pytest.mark.parametrize("mistake", [m for m in CATALOGUE if m.can_fix], ids=ids)
def test_fixes_give_the_fixed_example(mistake: Mistake) -> None:
    for example in mistake.bad:
        if example.fixed is None:
            continue
        text = example.code
        for finding in check_text(text, "example.py").findings:
            if finding.code == mistake.code:
                assert finding.fix
                for edit in sorted(finding.fix.edits, key=lambda e: (e.line, e.column), reverse=True):
                    lines = text.splitlines(keepends=True)
                    start = sum(map(len, lines[: edit.line - 1])) + edit.column - 1
                    end = sum(map(len, lines[: edit.end_line - 1])) + edit.end_column - 1
                    text = text[:start] + edit.text + text[end:]
                break
        assert re.sub(r"  # TS.*", "", text) == example.fixed
        assert mistake.code not in set().union(*reported(example.fixed, "example.py").values(), set())


def test_a_scaler_of_the_targets_is_a_warning() -> None:
    """It makes no score better than it is, as one of the inputs does."""
    text = (
        "import torch\n"
        "from sklearn.model_selection import train_test_split\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "def halves(X, y):\n"
        "    X = StandardScaler().fit_transform(X)\n"
        "    y = StandardScaler().fit_transform(y)\n"
        "    return train_test_split(X, y)\n"
    )
    findings = {one.line: one for one in check_text(text, "a.py").findings}
    assert {line: one.severity for line, one in findings.items()} == {5: "error", 6: "warning"}
    assert "the targets of all rows" in findings[6].message


def test_what_is_missing_is_put_beside_other_statements_of_its_line() -> None:
    text = (
        "import torch\n"
        "model = torch.nn.Linear(4, 1)\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "for x in [torch.randn(8, 4)] * 3:\n"
        "    loss = model(x).mean(); loss.backward(); optimizer.step()\n"
    )
    (finding,) = check_text(text, "a.py").findings
    assert finding.fix
    (edit,) = finding.fix.edits
    lines = text.splitlines(keepends=True)
    line = lines[edit.line - 1]
    lines[edit.line - 1] = line[: edit.column - 1] + edit.text + line[edit.end_column - 1 :]
    assert lines[4].strip() == (
        "loss = model(x).mean(); optimizer.zero_grad(); loss.backward(); optimizer.step()"
    )
    assert reported("".join(lines), "a.py") == {}


RUN_ALL = """
import json, sys
for name, code in json.load(sys.stdin):
    print(name, flush=True)
    exec(compile(code, name, "exec"), {"__name__": "__main__"})
"""


def test_good_examples_run(tmp_path: Path) -> None:
    """One process for all of them: importing torch takes longer than they do."""
    pytest.importorskip("torch")
    examples = [(ids(mistake), code) for mistake in CATALOGUE for code in mistake.good]
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN_ALL],
        input=json.dumps(examples),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout.splitlines()[-1] + "\n" + result.stderr


def case_files() -> list[Path]:
    return sorted(
        path for path in CASES.rglob("*.py") if "TS" in path.read_text() or "safe" in path.read_text()
    )


@pytest.mark.parametrize("path", case_files(), ids=lambda path: str(path.relative_to(CASES)))
def test_cases_are_reported_line_by_line(path: Path) -> None:
    text = path.read_text()
    assert reported(text, str(path)) == marked(text)


def programs() -> list[tuple[str, str]]:
    """All programs with marked lines that this suite has: path and text."""
    examples = [(f"{ids(mistake)}.py", bad.code) for mistake in CATALOGUE for bad in mistake.bad]
    corpus = [path for path in (CASES.parent / "corpus").rglob("*.py") if MARK.search(path.read_text())]
    return [*examples, *((str(path), path.read_text()) for path in [*case_files(), *corpus])]


def test_words_that_a_rule_asks_for_are_in_all_its_programs() -> None:
    """A rule is not imported for a file without them, so each file that it finds fault with has them."""
    entries = {entry.code: entry for entry in index.entries()}
    for path, text in programs():
        file = File(parse(text, path).sources[0], Project())
        read = "\n".join(line for line in text.splitlines() if "# watch:" not in line)
        for code in set().union(*marked(read).values(), set()):
            for words in (*entries[code].mentions, *(entries[code].involves if file.stands_alone() else ())):
                assert any(word in text for word in words.split("|")), (code, path, words)


def test_short_files_cost_the_import_of_few_rules(tmp_path: Path) -> None:
    """In a process of its own: this one has imported them all."""
    (tmp_path / "train.py").write_text(next(m for m in CATALOGUE if m.code == "TS101").bad[0].code)
    program = (
        "import sys; from torchstone.review.source import check_text; "
        "print([f.code for f in check_text(open('train.py').read(), 'train.py').findings], "
        "len([n for n in sys.modules if n.startswith('torchstone.review.mistakes.') and n.count('.') == 4]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    codes, _, number = result.stdout.rpartition(" ")
    assert codes == "['TS101']"
    assert int(number) <= len(CATALOGUE) / 2
