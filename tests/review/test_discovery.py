"""Which files a check takes: suffixes, patterns, .gitignore, links, folders that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from torchstone.errors import UsageError
from torchstone.review.discovery import Rules, discover


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n", encoding="utf-8")


def found(*paths: str, **rules: object) -> list[str]:
    return discover(paths, Rules(root=os.getcwd(), **rules)).files  # type: ignore[arg-type]


def test_a_folder_gives_python_notebooks_and_markdown_in_order(folder: Path) -> None:
    make(folder, "b.py", "a/z.ipynb", "a/b.py", "README.md", "data.csv", "model.pt", "c.pyi")
    assert found(".") == ["README.md", "b.py", "a/b.py", "a/z.ipynb"]
    assert found("a") == ["a/b.py", "a/z.ipynb"]


def test_what_nobody_writes_by_hand_is_left_out(folder: Path) -> None:
    make(folder, ".venv/x.py", "node_modules/x.py", "env/lib/x.py", "env/pyvenv.cfg", "build/x.py", "a.py")
    assert found(".") == ["a.py"]


def test_a_file_that_is_named_is_taken_whatever_it_is_called(folder: Path) -> None:
    make(folder, "build/x.py", "script")
    assert found("build/x.py", "script") == ["build/x.py", "script"]
    assert found("build/x.py", "script", force=True) == ["script"]


def test_each_file_once(folder: Path) -> None:
    make(folder, "a.py")
    (folder / "link.py").symlink_to("a.py")
    assert found("a.py", ".", "./a.py", str(folder / "a.py")) == ["a.py"]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("tests", ["a.py", "src/b.py"]),
        ("src/*.py", ["a.py", "tests/c.py", "src/tests/d.py"]),
        ("./src/", ["a.py", "tests/c.py"]),
        ("**/tests/**", ["a.py", "src/b.py"]),
        ("[ab].py", ["src/tests/d.py", "tests/c.py"]),
        ("[!a].py", ["a.py"]),
    ],
)
def test_exclude(folder: Path, pattern: str, left: list[str]) -> None:
    make(folder, "a.py", "src/b.py", "tests/c.py", "src/tests/d.py")
    assert sorted(found(".", exclude=(pattern,))) == sorted(left)


def test_gitignore_files_on_the_way_are_respected(folder: Path) -> None:
    make(folder, "a.py", "out/b.py", "src/gen_x.py", "src/gen_keep.py", "src/deep/gen_y.py", "src/out/c.py")
    (folder / ".git").mkdir()
    (folder / ".gitignore").write_text("# made\n/out/\ngen_*.py\n!gen_keep.py\n", encoding="utf-8")
    (folder / "src" / ".gitignore").write_text("deep\n", encoding="utf-8")
    assert found(".") == ["a.py", "src/gen_keep.py", "src/out/c.py"]
    assert found("src") == ["src/gen_keep.py", "src/out/c.py"]
    assert "out/b.py" in found(".", gitignore=False)


def test_links_in_circles_come_to_an_end(folder: Path) -> None:
    make(folder, "a/b.py")
    (folder / "a" / "again").symlink_to(folder, target_is_directory=True)
    (folder / "self.py").symlink_to("self.py")
    (folder / "dead.py").symlink_to("nowhere.py")
    assert found(".") == ["a/b.py"]


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.py")
    assert found(".") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_an_error_and_the_rest_goes_on(folder: Path) -> None:
    make(folder, "a.py", "locked/b.py")
    (folder / "locked").chmod(0)
    try:
        result = discover(["."], Rules(root=str(folder)))
    finally:
        (folder / "locked").chmod(0o755)
    assert result.files == ["a.py"]
    assert [error.file for error in result.errors] == ["locked"]


def test_a_path_that_is_not_there(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"no file or folder nowhere\.py"):
        found("nowhere.py")


def test_names_that_are_not_text(folder: Path) -> None:
    name = os.fsdecode(b"\xff.py")
    make(folder, name)
    assert found(".") == [name]
