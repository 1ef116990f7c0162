"""Details of the learning: reasons without texts of the archive, disks without links, a service that goes on."""

import argparse
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from autocontour.base.errors import Cancelled, CTError, DatasetError, LearningError, OutputError
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.cli import learn, main
from autocontour.learning import collect, rounds
from autocontour.learning.folder import Folder
from autocontour.learning.records import CaseRecord
from autocontour.learning.settings import LearningSettings, read_settings
from autocontour.learning.work import Outcome


def test_the_reason_is_that_of_the_patient_without_texts_of_the_archive():
    found = SimpleNamespace(excluded=[SimpleNamespace(finding=Finding.of("AC-DS-036"))])
    nothing = DatasetError("AC-DS-002", excluded=1, waiting=0, names="Doe", page="x")
    assert collect._reason(nothing, found).code == "AC-DS-036"
    assert collect._reason(nothing, SimpleNamespace(excluded=[])) is nothing
    other = DatasetError("AC-DS-005", file="Doe.key")
    assert collect._reason(other, found) is other
    assert "Doe" not in collect._safe(other)
    assert collect._safe(LearningError("AC-LN-013")).startswith("Every corrected structure")


def test_a_folder_that_is_gone_has_no_stamp(tmp_path):
    assert collect._stamp(tmp_path / "gone", "") == ""
    assert collect._age_s(tmp_path / "gone") == 0.0


@pytest.fixture
def collected(tmp_path):
    """A collected case of one structure."""
    folder = Folder(tmp_path)
    place = folder.collected / "c1-x" / "patients" / "p"
    place.mkdir(parents=True)
    (place / "ct.npy").write_bytes(b"voxels")
    entry = {"patient": "p", "folder": "p", "structures": {"Heart": {}, "Lung_L": {}}}
    (folder.collected / "c1-x" / "index.json").write_text(json.dumps({"patients": [entry]}))
    return folder, {"c1": CaseRecord("c1", "", entry="c1-x")}, [rounds.Learnt("c1", "x", ("Heart",))]


def test_on_a_disk_without_links_voxels_are_copied(collected, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError

    folder, records, chosen = collected
    monkeypatch.setattr(rounds.os, "link", refuse)
    rounds.write_view(tmp_path / "view", "train", chosen, records, folder)
    assert (tmp_path / "view" / "patients" / "c1-x" / "ct.npy").read_bytes() == b"voxels"
    (stored,) = json.loads((tmp_path / "view" / "index.json").read_text())["patients"]
    assert list(stored["structures"]) == ["Heart"]


def test_what_was_collected_is_gone_or_the_disk_is_full(collected, tmp_path, monkeypatch):
    folder, records, chosen = collected

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        with pytest.raises(OutputError, match="AC-OUT-001"):
            rounds.write_view(tmp_path / "view", "train", chosen, records, folder)
    (folder.collected / "c1-x" / "index.json").unlink()
    with pytest.raises(LearningError, match="AC-LN-003"):
        rounds.write_view(tmp_path / "view", "train", chosen, records, folder)


def test_the_training_of_a_round_is_measured_by_its_reports(tmp_path):
    (tmp_path / "run" / "segmenter").mkdir(parents=True)
    (tmp_path / "run" / "segmenter" / "log.jsonl").write_text("12345")
    plan = rounds.Plan("", (), (), (), "")
    assert rounds.training_step(rounds.Round(tmp_path, plan)) == 5


def test_settings_that_are_not_a_file_and_the_users_own_cases(tmp_path):
    (tmp_path / "settings.toml").mkdir()
    with pytest.raises(LearningError, match="AC-LN-002"):
        read_settings(tmp_path)
    assert LearningSettings().cases_folder.name == "cases"


def test_a_service_goes_on_after_an_error_until_it_is_stopped(tmp_path, monkeypatch, capsys):
    outcomes = [CTError("AC-CT-100"), Outcome(None, 1, 2, 3, 4)]
    pauses = []

    class Fake:
        def __init__(self, *_):
            pass

        def work_once(self, **_):
            outcome = outcomes.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

    def pause(_job, seconds):
        pauses.append(seconds)
        if not outcomes:
            raise Cancelled

    monkeypatch.setattr("autocontour.learning.work.Learning", Fake)
    monkeypatch.setattr(learn, "_pause", pause)
    assert main(["learn", "run", "--every", "5", "--json", "--folder", str(tmp_path)]) == Cancelled.exit_code
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"event"')]
    assert [event["event"] for event in events] == ["error", "end"]
    assert pauses == [300.0, 300.0]


def test_a_pause_ends_when_the_job_is_cancelled():
    job = Job()
    learn._pause(job, 0.01)
    job.cancel()
    with pytest.raises(Cancelled):
        learn._pause(job, 60)


def test_progress_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    args = argparse.Namespace(json=False)
    for left in (None, 130):
        learn._print_event(args, "progress", {"stage": "training", "fraction": 0.5, "seconds_left": left})
    shown = capsys.readouterr()
    assert "training 50%" in shown.err
    assert "about 2 min left" in shown.err
    assert shown.out == ""


def test_the_status_names_reasons_waiting_names_and_failed_rounds():
    case = {"name": "c1", "code": "AC-LN-012", "message": "Nobody has confirmed the names."}
    failed = {"round": 1, "cases": 2, "tests": 3, "earlier": 0, "state": "failed", "code": "AC-TR-024", "message": "x"}
    unfinished = {"round": 2, "cases": 2, "tests": 3, "earlier": 0, "state": "unfinished"}
    status = {"package": "toy 1", "enabled": False, "states": {}, "new": 0, "wanted": 2, "tests": 3, "wanted_tests": 8}
    status |= {"cases": [case], "names": "private/names.toml", "rounds": [failed, unfinished]}
    text = "\n".join(learn._lines(status))
    for words in ("learning is off", "none read yet", "AC-LN-012", "Confirm the names", "AC-TR-024", "unfinished"):
        assert words in text
    assert "in the test: 3 of at least 8" in text


def test_a_pass_states_for_a_person_what_it_waits_for_and_how_it_ended():
    waiting = {"waiting": True, "new": 2, "wanted": 2, "tests": 3, "wanted_tests": 8}
    assert list(learn._event_lines("end", waiting)) == [
        "Waiting. New for the training: 2 of 2; in the test: 3 of at least 8."
    ]
    ended = {"waiting": False, "round": 1, "cases": 2, "earlier": 0, "tests": 2, "state": "candidate", "code": ""}
    ended |= {"passed": False, "version": "1.1.2+1", "candidate": "/c", "record": "/r.json"}
    first, command = learn._event_lines("end", ended)
    assert first.endswith("candidate 1.1.2+1 did not pass the gate.")
    assert command.strip() == "The reasons are in /r.json."
    assert list(learn._event_lines("end", {**ended, "passed": True}))[1:] == [
        "  autocontour models promote /c --record /r.json"
    ]
    collected = {"case": "c1", "structures": ["Heart", "Lung_L"], "message": ""}
    assert list(learn._event_lines("collected", collected)) == ["collected: case c1; structures Heart, Lung_L"]


def test_what_a_package_learnt_stays_learnt_when_it_is_distilled(tmp_path):
    """Its cases would otherwise count as new ones again: the smaller package has another checksum."""
    plan = rounds.Plan("0", (rounds.Learnt("c1", "x"),), (), (), "")
    result = rounds.Result("candidate", passed=True, version="1+1", checksum="abc")
    training = {"retrained": [{"from": "toy 1 (000)"}], "distilled": [{"from": "toy 1+1 (abc)"}]}
    package = SimpleNamespace(checksum="def", metadata={"training": training})
    assert rounds.learnt_contents([rounds.Round(tmp_path / "1", plan, result)], package) == {"x"}
