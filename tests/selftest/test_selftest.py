"""The installation check and the newcomer's demo."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydicom import dcmread

from autocontour import __version__
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.patient.volume import CTVolume
from autocontour.report.pictures import middle_of
from autocontour.selftest import demo, record, rehearsal, selftest
from autocontour.selftest.round_trip import RoundTrip
from autocontour.selftest.stress import Outcome, Result


def test_a_sound_installation_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selftest", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["passed"]
    assert report["program"] == __version__
    assert [one.split()[0] for one in report["packages"]] == ["head-and-neck"]
    assert datetime.strptime(report["date"], "%Y-%m-%d %H:%M UTC")
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

    monkeypatch.setattr("autocontour.pipeline.sources.read_ct", shifted)
    monkeypatch.setattr(selftest, "SITES", ("thorax",))
    assert main(["selftest"]) != 0


def test_a_structure_that_is_no_longer_drawn_fails_its_check() -> None:
    assert not selftest.Check("thorax", "Lung_L", 0.98, None).passed
    assert not selftest.Check("thorax", "Lung_L", None, 0.98).passed
    assert not selftest.Check("thorax", "Lung_L", 0.98, 0.95).passed
    assert selftest.Check("thorax", "Lung_L", 0.98, 0.981).passed


def test_the_demo_contours_a_real_patient_beside_the_clinic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo.run_demo, "__defaults__", (("pt_236",),))
    folder = tmp_path / "demo"
    assert main(["demo", "-o", str(folder)]) == 0
    assert "index.html" in capsys.readouterr().out
    page = (folder / "index.html").read_text()
    assert len(re.findall("data:image/png;base64,", page)) >= 2
    assert set(demo.ORGANS) <= set(re.findall(r"</span>(\w+)</td>", page))
    drawn, clinical = (dcmread(folder / "pt_236" / name) for name in ("RS.dcm", "RS.clinical.dcm"))
    assert drawn.FrameOfReferenceUID == clinical.FrameOfReferenceUID
    assert {roi.ROIName for roi in clinical.StructureSetROISequence} == set(demo.ORGANS)
    assert main(["demo", "-o", str(folder)]) == 5


def test_the_demo_patients_lie_as_the_clinic_says(tmp_path: Path) -> None:
    """A right parotid lies at the patient's right, a brainstem above a larynx: nothing is flipped."""
    patient = demo.contour_patient("pt_201", tmp_path, Job())
    for structure_set in (patient.clinical, patient.drawn):
        middle = {name: middle_of(patient.ct.geometry, [structure_set[name].contours]) for name in demo.ORGANS}
        assert middle["Parotid_R"][2] < middle["Larynx"][2] < middle["Parotid_L"][2]
        assert middle["Esophagus"][0] < middle["Larynx"][0] < middle["Brainstem"][0]
        assert middle["Bone_Mandible"][1] < middle["SpinalCord"][1]
    assert min(row.metrics.dsc for row in patient.compared) > 0.5


def test_what_a_package_of_the_users_own_draws_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    def rehearsal(site: str, **drawn_by: str) -> SimpleNamespace:
        structures = [SimpleNamespace(name=name, drawn_by=by) for name, by in drawn_by.items()]
        rows = [SimpleNamespace(name=name, metrics=SimpleNamespace(dsc=0.1)) for name in drawn_by]
        return SimpleNamespace(site=site, report=SimpleNamespace(structures=structures), compared=rows)

    own = [SimpleNamespace(name="ours", bundled=False), SimpleNamespace(name="head-and-neck", bundled=True)]
    made = [rehearsal("head-neck", Larynx="ours", Liver="ours", Brainstem="head-and-neck"), rehearsal("thorax")]
    monkeypatch.setattr(selftest, "available_packages", lambda: own)
    monkeypatch.setattr(selftest, "rehearse_all", lambda job: iter(made))
    checks = {(check.site, check.structure): check.passed for check in selftest.run_selftest(Job())}
    assert ("head-neck", "Larynx") not in checks
    assert ("head-neck", "Liver") not in checks
    assert checks["head-neck", "Brainstem"] is False


def test_the_record_of_the_whole_test_fails_with_one_silent_trial(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = Result("files", "a trial", Outcome.SILENT, "Lung_L DSC 0.50")
    held = Result("files", "another", Outcome.HELD)
    check, trip = selftest.Check("thorax", "Lung_L", 0.98, 0.98), RoundTrip("HFS", "default", 3, 90, 0.0)
    monkeypatch.setattr(record, "run_selftest", lambda _: [check])
    monkeypatch.setattr(record, "run_round_trips", lambda _: [trip])
    monkeypatch.setattr(record, "run_stress", lambda _: [held])
    assert record.make_record(Job(), full=True)["passed"]
    monkeypatch.setattr(record, "run_stress", lambda _: [held, silent])
    assert record.make_record(Job())["passed"], "without the stress suite"
    assert not record.make_record(Job(), full=True)["passed"]
    assert main(["selftest", "--full"]) == 1
    text = capsys.readouterr().out
    assert "2 trials: 1 held, 0 warned, 0 refused, 1 SILENT." in text
    assert "FAILS" in text
    assert "90 contours" in text
