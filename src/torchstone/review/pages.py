"""The page of each mistake, made from its file: `python -m torchstone.review.pages docs/mistakes`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from torchstone.review.catalogue import load_catalogue
from torchstone.review.mistake import FAMILIES, Mistake

_SEVERITIES = {
    "error": "an error: wrong whenever it runs",
    "warning": "a warning: wrong unless it is meant",
    "advice": "advice, which is off by default",
}
_LEGEND = """`torchstone check` finds a mistake by reading source, `torchstone watch` by looking at a program
that runs. Where one of them is not named, it cannot tell this mistake for sure."""
_NOTE = "<!-- made from {path} by python -m torchstone.review.pages; change that file -->\n"


def page(mistake: Mistake) -> str:
    """A mistake as a page of Markdown: what it is, why it is bad, examples, references."""
    fix = " A program can fix it: `torchstone check --fix`." if mistake.can_fix else ""
    parts = [
        f"# {mistake.name} ({mistake.code})",
        f"{mistake.title}",
        f"This is {_SEVERITIES[mistake.severity]}. It is found by "
        f"{' and '.join(f'`torchstone {command}`' for command in mistake.found_by)}.{fix}",
    ]
    parts += [f"## {title}\n\n{text}" for title, text in mistake.sections.items() if title != "References"]
    if mistake.bad:
        parts.append("## Example\n\n" + "\n\n".join(_block(example.code) for example in mistake.bad))
    instead = [example.fixed for example in mistake.bad if example.fixed] or list(mistake.good)
    if instead:
        parts.append("## Use instead\n\n" + "\n\n".join(_block(code) for code in instead))
    if references := mistake.sections.get("References"):
        parts.append(f"## References\n\n{references}")
    return "\n\n".join(parts) + "\n"


def overview() -> str:
    """The page that lists all mistakes by family."""
    lines = ["# The mistakes that torchstone finds", "", _LEGEND, ""]
    for family in FAMILIES.values():
        members = [mistake for mistake in load_catalogue() if mistake.family == family]
        if members:
            lines += [
                f"## {family.title()}",
                "",
                "| code | name | severity | found by | fix | what is wrong |",
            ]
            lines.append("| --- | --- | --- | --- | --- | --- |")
            for mistake in members:
                title = mistake.title.replace("|", "\\|").replace("\n", " ")
                fix = "yes" if mistake.can_fix else ""
                link = f"[{mistake.code}]({mistake.code}.md)"
                found = ", ".join(mistake.found_by)
                lines.append(
                    f"| {link} | `{mistake.name}` | {mistake.severity} | {found} | {fix} | {title} |"
                )
            lines.append("")
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """All pages by the name of their file."""
    made = {"README.md": _NOTE.format(path="src/torchstone/review/mistakes") + overview()}
    for mistake in load_catalogue():
        path = f"src/torchstone/review/mistakes/{'/'.join(Path(mistake.path).parts[-2:])}"
        made[f"{mistake.code}.md"] = _NOTE.format(path=path) + page(mistake)
    return made


def write(folder: Path) -> None:
    """Writes all pages into a folder, and removes those of mistakes that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for old in folder.glob("TS[0-9][0-9][0-9].md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


def to_json(mistake: Mistake) -> dict[str, Any]:
    """A mistake as JSON values."""
    return {
        "code": mistake.code,
        "name": mistake.name,
        "severity": mistake.severity,
        "family": mistake.family,
        "title": mistake.title,
        "can_fix": mistake.can_fix,
        "found_by": mistake.found_by,
        "sections": mistake.sections,
        "bad": [{"code": example.code, "fixed": example.fixed} for example in mistake.bad],
        "good": list(mistake.good),
    }


def _block(code: str) -> str:
    return f"```py\n{code.rstrip()}\n```"


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/mistakes"))
