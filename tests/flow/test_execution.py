"""What ends a training is told in the user's words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_machine_without_a_compiler_is_told_in_one_message(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "CXX": "/nonexistent",
        "PATH": str(tmp_path),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-m", "torchstone", "train", "iris", "--epochs", "1", "--compile", "--quiet"]
    result = subprocess.run(
        [*command, "--out", str(tmp_path / "run")],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "error: --compile: torch could not compile the module: " in result.stderr
    assert "C++ compiler" in result.stderr
    assert "Traceback" not in result.stderr
