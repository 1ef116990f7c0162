"""The stress suite judges as it says: a loss without a finding is silent, with one it is warned."""

import shutil
from dataclasses import replace

import pytest

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
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


def numbers_of(bench, *names):
    return [number for number, one in enumerate(list_trials(bench)) if one.name in names]


def test_processes_give_the_results_of_one_process_in_the_order_of_the_trials(bench):
    chosen = numbers_of(bench, "a slice missing", "modality MR")
    found = list(stress._judge_in_processes(chosen, 2, Job()))
    assert [one.outcome for one in found] == [Outcome.REFUSED] * 2
    assert found == [stress._judge_number(number) for number in chosen]


def test_a_cancel_or_a_process_that_dies_ends_the_suite(bench, monkeypatch):
    class Broken:
        """A pool whose work ends with an error, as that of `concurrent.futures` does."""

        def __init__(self, *_args, **_options):
            self.is_shut = False

        def __enter__(self):
            return self

        def __exit__(self, *_error):
            return None

        def submit(self, _work, _number):
            future = stress.Future()
            future.set_exception(stress.BrokenProcessPool())
            return future

        def shutdown(self, *, cancel_futures):
            assert cancel_futures

    monkeypatch.setattr(stress, "ProcessPoolExecutor", Broken)
    with pytest.raises(AutoContourError) as failure:
        stress.run_stress(Job(), processes=2)
    assert failure.value.code == "AC-PL-010"
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        stress.run_stress(job, processes=2)


def test_some_groups_in_one_process(monkeypatch):
    monkeypatch.setattr(stress, "judge", lambda one, _: one.name)
    assert "a slice missing" in stress.run_stress(Job(), frozenset({"files"}), processes=1)
