"""The tests on real CTs do run where the real CTs are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import SHARED_DATA


@pytest.mark.skipif(not SHARED_DATA.parent.is_dir(), reason="no shared/ folder beside this checkout")
def test_real_data_is_found_when_shared_lies_beside_the_checkout(shared_data: Path, dicom_data: Path) -> None:
    assert (shared_data / "openkbp" / "index.json").is_file()
    assert len(list((dicom_data / "lung1-001" / "ct").iterdir())) == 134
