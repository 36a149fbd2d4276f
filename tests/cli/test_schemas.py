"""What `--json` prints is what the published schemas say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from torchstone.cli import COMMANDS, run

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
_PUBLISHED = {
    path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(SCHEMAS.glob("*.json"))
}
_REGISTRY: Registry[Any] = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in _PUBLISHED.items()
)
_FAST = ["--model", "linear", "--epochs", "2", "--json"]

SCHEMA_OF = {
    "check": "findings",
    "evaluate": "evaluate",
    "models": "models",
    "predict": "predict",
    "resume": "train",
    "runs": "runs",
    "train": "train",
}


def printed(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> dict[str, Any]:
    """The document that a command prints, valid by the command's schema."""
    capsys.readouterr()
    words = [str(argument) for argument in arguments]
    assert run(words) == status
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    validator = Draft202012Validator(_PUBLISHED[f"{SCHEMA_OF[words[0]]}.json"], registry=_REGISTRY)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)] == []
    return document


@pytest.mark.parametrize("name", _PUBLISHED)
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(_PUBLISHED[name])
    assert _PUBLISHED[name]["title"]
    assert "torchstone" in _PUBLISHED[name]["description"]


def test_every_schema_belongs_to_a_command() -> None:
    assert set(SCHEMA_OF) <= set(COMMANDS)
    assert {f"{name}.json" for name in SCHEMA_OF.values()} <= set(_PUBLISHED)


TABLES = {
    "binary": ["breast-cancer"],
    "multiclass": ["iris"],
    "regression": ["diabetes"],
    "pictures": ["digits"],
    "multilabel": ["labels.csv", "--target", "warm", "--target", "wet"],
}


def _labels() -> str:
    rows = [f"{i % 17},{i * 7 % 13},{i % 17 // 9},{i * 7 % 13 // 7}" for i in range(200)]
    return "\n".join(["a,b,warm,wet", *rows]) + "\n"


@pytest.mark.parametrize("task", TABLES)
def test_train_evaluate_resume_and_runs(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels.csv").write_text(_labels())
    trained = printed(capsys, "train", *TABLES[task], *_FAST, "--out", "kept/run")
    measured = printed(capsys, "evaluate", "kept/run", "--split", "val", "--json")
    assert measured["metrics"] == trained["evaluations"]["val"]["metrics"]
    assert printed(capsys, "evaluate", "kept/run", "--json")["split"] == "test"
    assert set(printed(capsys, "resume", "kept/run", "--json")["evaluations"]) == {"val", "test"}
    listed = printed(capsys, "runs", "kept", "--json")["runs"]
    assert set(listed[0]["evaluations"]) == {"val", "test"}


def test_predict_and_damaged_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{i % 17},{i * 7 % 13},{i % 17 - i * 7 % 13}" for i in range(100)]
    Path("data.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    printed(capsys, "train", "data.csv", "--target", "y", *_FAST, "--out", "kept/run")
    summary = printed(capsys, "predict", "kept/run", "data.csv", "-o", "p.csv", "--json")
    assert summary["rows"] == 100
    Path("kept/run/manifest.json").write_text('{"status": ')
    assert printed(capsys, "runs", "kept", "--json")["runs"][0]["status"] == "damaged"


def test_models_and_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [model["name"] for model in printed(capsys, "models", "--json")["models"]]
    assert names == sorted(names)
    script = tmp_path / "loop.py"
    script.write_text(
        "import torch\nfrom torch import nn\n\nnet = nn.Linear(4, 1)\n"
        "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
        "for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:\n"
        "    loss = nn.functional.mse_loss(net(x), y)\n    loss.backward()\n    optimizer.step()\n"
    )
    found = printed(capsys, "check", script, "--json", "--no-cache", status=1)
    assert [finding["code"] for finding in found["findings"]] == ["TS101"]
