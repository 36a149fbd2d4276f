"""What other people's programs and scripts rely on, frozen: changing it is a decision, not an accident.

After a decision to change it, write the new contract down and say it in CHANGELOG.md:

    python -m tests.contracts.test_frozen
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest

import torchstone
from torchstone import metrics
from torchstone.cli import COMMANDS, _app, run
from torchstone.config import SECTIONS

FROZEN = Path(__file__).with_name("frozen.json")
_UPDATE = (
    "This is a promise to users. If the change is meant: run `python -m tests.contracts.test_frozen` in the "
    "repository, look at the difference of tests/contracts/frozen.json, and say it in CHANGELOG.md."
)


def flags() -> dict[str, list[str]]:
    """The arguments and flags of each command."""
    app = _app(overview=False)
    found = {}
    for command in COMMANDS:
        names = {name for argument in app[command].assemble_argument_collection() for name in argument.names}
        found[command] = sorted(names - {"*"})
    return found


def keys(value: Any, prefix: str = "") -> list[str]:
    """The keys of nested JSON objects as `a.b`; of lists those of their first element."""
    if isinstance(value, list):
        return keys(value[0], prefix + "[]") if value and isinstance(value[0], dict) else []
    if not isinstance(value, dict):
        return []
    found = []
    for key, item in value.items():
        found += [prefix + key, *keys(item, f"{prefix}{key}.")]
    return sorted(found)


def run_directory(folder: Path) -> dict[str, Any]:
    """The files of a run and the keys of its JSON files."""
    path = folder / "run"
    rows = [f"{i % 17},{'red' if i % 3 else 'blue'},{'yes' if i % 17 > 8 else 'no'}" for i in range(120)]
    (folder / "data.csv").write_text("\n".join(["size,colour,bought", *rows]) + "\n")
    arguments = ["--target", "bought", "--model", "linear", "--epochs", "2", "--out", str(path), "--quiet"]
    assert run(["train", str(folder / "data.csv"), *arguments]) == 0
    names = (str(item.relative_to(path)) for item in path.rglob("*") if item.is_file())
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["data"]["files"] = {}
    manifest["git"] = None  # there may be none
    manifest["versions"].pop("cuda", None)
    manifest["versions"].pop("torchvision", None)
    records = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return {
        "files": sorted(
            {re.sub(r"tfevents\..*", "tfevents.*", re.sub(r"/\d+/", "/<step>/", n)) for n in names}
        ),
        "manifest": keys(manifest),
        "preprocessing": sorted(json.loads((path / "preprocessing.json").read_text())),
        "evaluation": sorted(json.loads((path / "evaluations" / "val.json").read_text())),
        "metrics.jsonl": {
            event: sorted({key for record in records if record["event"] == event for key in record})
            for event in ("step", "epoch")
        },
    }


def contract(folder: Path) -> dict[str, Any]:
    """All that is frozen, as it is now."""
    return {
        "flags": flags(),
        "public names": list(torchstone.__all__),
        "configuration": {name: sorted(section.model_fields) for name, section in SECTIONS.items()},
        "metrics": {key: list(metric.tasks) for key, metric in metrics.METRICS.items()},
        "run directory": run_directory(folder),
    }


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return contract(tmp_path_factory.mktemp("frozen"))


@pytest.mark.parametrize("part", ["flags", "public names", "configuration", "metrics", "run directory"])
def test_the_contract_is_as_it_was_published(part: str, now: dict[str, Any]) -> None:
    frozen = json.loads(FROZEN.read_text(encoding="utf-8"))
    assert now[part] == frozen[part], _UPDATE


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        FROZEN.write_text(json.dumps(contract(Path(folder)), indent=2) + "\n", encoding="utf-8")
