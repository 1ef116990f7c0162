"""Fixtures every test folder shares."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def find_shared_data() -> Path | None:
    """Return the folder of real CTs beside the checkout; None where there is none, as on a user's machine."""
    return SHARED_DATA if SHARED_DATA.is_dir() else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data (``../shared/data``)."""
    found = find_shared_data()
    if found is None:
        pytest.skip("real CTs (../shared/data) are not on this machine")
    return found


@pytest.fixture(scope="session")
def dicom_data(shared_data: Path) -> Path:
    """The unpacked DICOM sets: ``lung1-001/ct``, ``pancreas-ct-cb-001/ct``, ``odd/…``."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "autocontour-data"
    subprocess.run([shared_data / "unpack", cache], check=True, capture_output=True)
    return cache


@pytest.fixture(autouse=True)
def networks_are_not_kept():
    """Commands keep opened networks until their process ends; no test uses those of another."""
    yield
    runtime = sys.modules.get("autocontour.models.inference.runtime")
    if runtime is not None:
        runtime._most_kept = 0
        runtime._kept_runners.clear()
