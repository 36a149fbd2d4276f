"""Every block of README, CONTRIBUTING and the guide is run, or named in `skipped.txt` with its reason.

A page is one test: its blocks run in their order, Python in one namespace, all in one new temporary folder.
That folder is the only thing that is ever removed, and only after its path was checked.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
SKIPPED = Path(__file__).with_name("skipped.txt")

PREFIX = "torchstone-page-"
RUN = {"python", "shell", "console"}
SHOWN = {"output", "text", "toml"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SKIP = re.compile(r"<!-- skip: (.+?) -->\s*\Z")
TIME_LIMIT = 300
"""Seconds for one shell block."""


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, text, first line in the page, and why it is skipped (None: run)."""

    language: str
    text: str
    line: int
    skip: str | None


def read_blocks(page: str) -> list[Block]:
    """The fenced blocks of a page in their order."""
    blocks = []
    for match in FENCE.finditer(page):
        before = page[: match.start()]
        reason = SKIP.search(before)
        line = before.count("\n") + 2
        blocks.append(Block(match[1], match[2], line, reason[1] if reason else None))
    return blocks


def fits(expected: str, actual: str) -> bool:
    """Whether `actual` is `expected`, in which `...` stands for anything; ends of lines do not count."""
    expected, actual = (
        "\n".join(part.rstrip() for part in text.strip().splitlines()) for text in (expected, actual)
    )
    pattern = ".*?".join(map(re.escape, expected.split("...")))
    return re.fullmatch(pattern, actual, re.DOTALL) is not None


def run_shell(text: str, folder: Path, status: int = 0, *, terminal: bool = False) -> str:
    """Runs a script in `folder` with this environment's programs first; gives its stdout.

    It must end with `status`. On a terminal stderr is seen too, and all lines in the order of their printing.
    """
    programs = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([programs, os.environ.get("PATH", "")]),
        "NO_COLOR": "1",
        "COLUMNS": "100",
        **({"PYTHONUNBUFFERED": "1"} if terminal else {}),
    }
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if terminal else subprocess.PIPE,
        text=True,
        check=False,
        timeout=TIME_LIMIT,
    )
    assert result.returncode == status, f"status {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def run_console(text: str, folder: Path) -> None:
    """Runs the commands after `$ ` and compares what each prints with the lines below it.

    A comment `# status 1` at a command's end says that it ends with this status.
    """
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        status = re.search(r"# status (\d+)$", command)
        printed = run_shell(command, folder, int(status[1]) if status else 0, terminal=True)
        assert not expected.strip() or fits(expected, printed), f"{command}\nprinted\n{printed}"


def run_python(block: Block, name: str, namespace: dict[str, Any]) -> str:
    """Runs a block with the line numbers of its page; gives its stdout."""
    code = compile("\n" * (block.line - 1) + block.text, name, "exec", dont_inherit=True)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, namespace)
    return printed.getvalue()


def run_blocks(page: str, name: str, folder: Path) -> None:
    """Runs the blocks of a page in `folder`, which is the current one, and compares the outputs."""
    namespace: dict[str, Any] = {"__name__": "__page__"}
    printed: str | None = None
    for block in read_blocks(page):
        assert block.language in RUN | SHOWN, f"{name}:{block.line}: no such language: {block.language!r}"
        if block.language == "output":
            assert block.skip or printed is not None, f"{name}:{block.line}: nothing was run before"
            assert block.skip or fits(block.text, printed or ""), f"{name}:{block.line}: printed\n{printed}"
        printed = None
        if block.skip or block.language in SHOWN:
            continue
        if block.language == "python":
            printed = run_python(block, name, namespace)
        elif block.language == "shell":
            printed = run_shell(block.text, folder)
        else:
            run_console(block.text, folder)


def is_page_folder(folder: Path) -> bool:
    """Whether `folder` is one that `page_folder` made: under the temporary folder, with our prefix."""
    resolved, temporary = folder.resolve(), Path(tempfile.gettempdir()).resolve()
    return resolved.parent == temporary and resolved.name.startswith(PREFIX) and not folder.is_symlink()


def remove(folder: Path) -> None:
    """Removes the folder of a page, and refuses any other."""
    assert is_page_folder(folder), f"not the folder of a page: {folder}"
    assert not Path.cwd().resolve().is_relative_to(folder.resolve()), "the current folder is in it"
    shutil.rmtree(folder)


@contextlib.contextmanager
def page_folder() -> Iterator[Path]:
    """A new temporary folder as the current one; the folder before is the current one again afterwards."""
    before = Path.cwd()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        os.chdir(folder)
        yield folder
    finally:
        os.chdir(before)
        remove(folder)


def run_page(page: str, name: str) -> None:
    """Runs a page from any current folder, and leaves nothing."""
    with page_folder() as folder:
        run_blocks(page, name, folder)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_runs(path: Path) -> None:
    run_page(path.read_text(encoding="utf-8"), str(path))


def test_the_skipped_blocks_are_frozen() -> None:
    """To skip a block is a decision: it is no longer known to work."""
    found = [
        f"{path.relative_to(ROOT)} | {block.text.splitlines()[0]} | {block.skip}"
        for path in PAGES
        for block in read_blocks(path.read_text(encoding="utf-8"))
        if block.skip
    ]
    assert found == SKIPPED.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("path", [*PAGES, ROOT / "docs" / "architecture.md"], ids=lambda path: path.stem)
def test_links_within_the_project_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_every_chapter_is_in_the_list_of_the_guide() -> None:
    listed = (ROOT / "docs" / "guide" / "README.md").read_text(encoding="utf-8")
    for chapter in (ROOT / "docs" / "guide").glob("[0-9]*.md"):
        assert f"({chapter.name})" in listed


# What the runner itself must do.

FENCED = "`" * 3
BUSY = f"""
{FENCED}python
import os, pathlib
pathlib.Path("made.txt").write_text("by Python")
pathlib.Path("kept.txt").write_text("another file of the same name")
os.makedirs("deep/er")
os.chdir("deep/er")
{FENCED}

{FENCED}shell
cat made.txt
rm made.txt
touch by-shell.txt
{FENCED}

{FENCED}output
by ...
{FENCED}
"""


def contents(folder: Path) -> dict[str, str | None]:
    return {str(p.relative_to(folder)): p.read_text() if p.is_file() else None for p in folder.rglob("*")}


@pytest.fixture
def precious(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with work in it, which is the current one."""
    folder = tmp_path / "precious"
    (folder / "src").mkdir(parents=True)
    (folder / "kept.txt").write_text("work")
    (folder / "made.txt").write_text("more work")
    (folder / "src" / "program.py").write_text("pass\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    "end", ["", f"{FENCED}python\nraise OSError\n{FENCED}", f"{FENCED}shell\nfalse\n{FENCED}"]
)
def test_a_page_leaves_the_current_folder_untouched(
    precious: Path, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(precious)
    temporary = precious.parent / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with pytest.raises((OSError, AssertionError)) if end else contextlib.nullcontext():
        run_page(BUSY + end, "busy.md")
    assert Path.cwd() == precious
    assert contents(precious) == before
    assert list(temporary.iterdir()) == []


def test_only_the_folder_of_a_page_is_removed(precious: Path) -> None:
    link = Path(tempfile.mkdtemp(prefix=PREFIX)) / f"{PREFIX}link"
    link.symlink_to(precious)
    named = precious / f"{PREFIX}named"
    named.mkdir()
    for folder in (precious, Path(), ROOT, Path(tempfile.gettempdir()), Path.home(), link, named):
        with pytest.raises(AssertionError, match="not the folder of a page"):
            remove(folder)
    assert named.is_dir()
    assert contents(precious)["kept.txt"] == "work"
    link.unlink()
    remove(link.parent)
    assert not link.parent.exists()


def test_the_current_folder_is_never_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        with pytest.raises(AssertionError, match="the current folder"):
            remove(folder)
    remove(folder)


@pytest.mark.parametrize(
    "block",
    [
        "python\nassert 1 == 2",
        "shell\nexit 3",
        "shell\nfalse | true",
        "console\n$ echo one\ntwo",
        "console\n$ echo seen >&2\nnot seen",
        "console\n$ true # status 1",
        "output\nwithout a program",
        "bash\ntrue",
        "\nno language",
    ],
)
def test_a_block_that_does_not_hold_fails(block: str) -> None:
    with pytest.raises(AssertionError):
        run_page(f"{FENCED}{block}\n{FENCED}\n", "page.md")


def test_a_wrong_output_fails_and_a_skipped_block_does_not_run() -> None:
    page = f"{FENCED}python\nprint('a 1 b')\n{FENCED}\n\n{FENCED}output\na ... %s\n{FENCED}\n"
    run_page(page % "b", "page.md")
    with pytest.raises(AssertionError, match="printed"):
        run_page(page % "c", "page.md")
    run_page(f"<!-- skip: it fails -->\n{FENCED}python\nraise OSError\n{FENCED}\n", "page.md")


def test_a_page_has_one_namespace_and_this_environment() -> None:
    blocks = [
        "python\nx = 1",
        "python\nprint(x)",
        "output\n1",
        "console\n$ python -c 'import torchstone; print(torchstone.__name__)'\ntorchstone",
    ]
    run_page("\n".join(f"{FENCED}{block}\n{FENCED}" for block in blocks), "page.md")
