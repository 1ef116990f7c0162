"""The installation check and the newcomer's demo."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydicom import dcmread

from autocontour.cli import main
from autocontour.patient.volume import CTVolume
from autocontour.selftest import demo, rehearsal, selftest


def test_a_sound_installation_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selftest", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["passed"]
    assert {check["structure"] for check in report["checks"]} >= {"External", "Lung_L", "Lung_R", "Trachea"}


def test_contours_a_pixel_off_fail_the_selftest(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = rehearsal.read_ct

    def shifted(*args: object) -> CTVolume:
        """The CT as a reader with an error of one pixel would give it to the comparison."""
        ct = sound(*args)  # type: ignore[arg-type]
        moved = ct.geometry.slice_origins_lps_mm + ct.geometry.direction[:, 0] * ct.geometry.pixel_spacing_vu_mm[1]
        geometry = type(ct.geometry)(
            ct.geometry.rows, ct.geometry.columns, ct.geometry.pixel_spacing_vu_mm, ct.geometry.direction, moved
        )
        return CTVolume(ct.hu, geometry, ct.reference, ct.findings)

    monkeypatch.setattr("autocontour.pipeline.request.read_ct", shifted)
    monkeypatch.setattr(selftest, "SITES", ("thorax",))
    assert main(["selftest"]) != 0


def test_a_structure_that_is_no_longer_drawn_fails_its_check() -> None:
    assert not selftest.Check("thorax", "Lung_L", 0.98, None).passed
    assert not selftest.Check("thorax", "Lung_L", None, 0.98).passed
    assert not selftest.Check("thorax", "Lung_L", 0.98, 0.95).passed
    assert selftest.Check("thorax", "Lung_L", 0.98, 0.981).passed


def test_the_demo_leaves_a_page_with_pictures_and_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "SPACING_ZYX_MM", selftest.SPACING_ZYX_MM)
    monkeypatch.setattr(demo, "SHAPE_ZYX", selftest.SHAPE_ZYX)
    folder = tmp_path / "demo"
    assert main(["demo", "-o", str(folder)]) == 0
    assert "index.html" in capsys.readouterr().out
    page = (folder / "index.html").read_text()
    assert len(re.findall("data:image/png;base64,", page)) == 4
    assert {"External", "Lung_L", "Trachea"} <= set(re.findall(r"</span>(\w+)</td>", page))
    for site in ("head-neck", "thorax"):
        assert dcmread(folder / site / "RS.dcm").Modality == "RTSTRUCT"
        assert len(list((folder / site / "CT").iterdir())) == selftest.SHAPE_ZYX[0]
    assert main(["demo", "-o", str(folder)]) == 5
