"""The pages of the mistakes and the chapters about them are what the catalogue and the tool say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import torchstone as ts
from torchstone.review.pages import pages

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "mistakes"


def test_the_pages_are_the_catalogue_s() -> None:
    made = pages()
    assert sorted(path.name for path in FOLDER.glob("*.md")) == sorted(made), "run: make pages"
    stale = [name for name, text in made.items() if (FOLDER / name).read_text(encoding="utf-8") != text]
    assert not stale, f"run: make pages (stale: {', '.join(stale)})"


@pytest.mark.parametrize(("name", "least"), [("08-common-mistakes.md", 4), ("09-debugging.md", 2)])
def test_each_bad_example_of_the_guide_is_found_by_the_tool(name: str, least: int) -> None:
    """Each bad line says which mistake it is; a comment that lets nothing pass would be a finding."""
    chapter = ROOT / "docs" / "guide" / name
    assert ts.check(chapter).findings == []
    text = chapter.read_text(encoding="utf-8")
    bare = "\n".join(line.partition("# torchstone: ignore")[0] for line in text.split("\n"))
    found = {finding.code for finding in ts.check(chapter, text=bare).findings}
    assert found == set(re.findall(r"torchstone: ignore\[(TS\d+)\]", text))
    assert len(found) >= least


@pytest.mark.parametrize("part", ["src", "docs", "README.md", "examples", "benchmarks"])
def test_torchstone_is_clean_itself(part: str) -> None:
    report = ts.check(ROOT / part, jobs=1)
    assert [(finding.file, finding.line, finding.code) for finding in report.findings] == []
    assert report.errors == []
