"""Fixtures that tests of several parts share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real data sets: beside the checkout, or where TORCHSTONE_DATA says."""
    folder = Path(os.environ.get("TORCHSTONE_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"real data sets are not here ({folder}); TORCHSTONE_DATA names their folder")
    return folder
