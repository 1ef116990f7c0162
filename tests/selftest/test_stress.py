"""The stress suite judges as it says: a loss without a finding is silent, with one it is warned."""

import shutil
from dataclasses import replace

import pytest

from autocontour.base.findings import Finding, Severity
from autocontour.dicom.series import write_ct_series
from autocontour.selftest import stress
from autocontour.selftest.stress import Bench, Drawn, Outcome
from autocontour.selftest.trials import Scan, Trial, list_trials


@pytest.fixture(scope="module")
def bench():
    return Bench()


def trial(scan):
    return Trial("files", "a trial", lambda: scan)


@pytest.fixture(scope="module")
def plain(bench):
    return bench.scan()


WARNING = Finding("AC-RU-003", Severity.WARN, "Look at both sides.", "Lung_L")
NOTE = Finding("AC-PL-001", Severity.INFO, "Lung_R was not drawn.", "Lung_R")


@pytest.mark.parametrize(
    ("dsc", "findings", "outcome"),
    [
        ({"Lung_L": 0.97, "Lung_R": 0.97}, (), Outcome.HELD),
        ({"Lung_L": 0.70, "Lung_R": 0.97}, (), Outcome.SILENT),
        ({"Lung_L": 0.70, "Lung_R": 0.97}, (WARNING,), Outcome.WARNED),
        ({"Lung_L": 0.97, "Lung_R": 0.70}, (WARNING,), Outcome.SILENT),
        ({"Lung_L": 0.97}, (), Outcome.SILENT),
        ({"Lung_L": 0.97}, (NOTE,), Outcome.WARNED),
        ({"Lung_L": 0.97, "Lung_R": 0.97, "Larynx": 0.0}, (), Outcome.SILENT),
    ],
)
def test_a_loss_needs_a_finding_about_that_structure(dsc, findings, outcome):
    scan = Scan(None, None, {"Lung_L": {}, "Lung_R": {}})
    result = stress._judge_drawn(trial(scan), scan, Drawn(dsc, findings), {"Lung_L": 0.98, "Lung_R": 0.98})
    assert result.outcome is outcome


def test_a_series_that_lacks_a_slice_is_refused(bench, plain):
    harmed = plain.with_files(lambda folder: sorted(folder.iterdir())[40].unlink())
    result = stress.judge(trial(harmed), bench)
    assert (result.outcome, result.detail) == (Outcome.REFUSED, "AC-CT-032")


def test_a_scan_whose_truth_is_moved_is_silent(bench, plain, monkeypatch):
    """The suite can fail: with the true lungs exchanged nothing is where it should be, and no finding says so."""
    monkeypatch.setattr(Bench, "plain_dsc", lambda _, site: {"Lung_L": 0.98, "Lung_R": 0.98})
    exchanged = replace(plain, truth={"Lung_L": plain.truth["Lung_R"], "Lung_R": plain.truth["Lung_L"]})
    result = stress.judge(trial(exchanged), bench)
    assert result.outcome is Outcome.SILENT
    assert "Lung_L" in result.detail


def test_every_trial_has_a_name_of_its_own(bench):
    trials = list(list_trials(bench))
    assert len({(one.group, one.name) for one in trials}) == len(trials) >= 60


@pytest.fixture(scope="module")
def written(plain, tmp_path_factory):
    """The plain scan as files."""
    folder = tmp_path_factory.mktemp("plain") / "CT"
    write_ct_series(plain.hu, plain.geometry, folder)
    return folder


def test_every_trial_changes_the_scan_or_its_files(bench, plain, written, tmp_path):
    """A trial that changes nothing would be held by any program."""
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    for number, one in enumerate(list_trials(bench)):
        if one.group in ("position", "sampling"):
            continue  # other phantoms, built when the suite is run
        scan = one.make()
        if not scan.damage:
            assert scan.hu.shape != plain.hu.shape or (scan.hu != plain.hu).any(), one.name
            continue
        folder = shutil.copytree(written, tmp_path / str(number))
        for harm in scan.damage:
            harm(folder)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} != before, one.name
        shutil.rmtree(folder)
