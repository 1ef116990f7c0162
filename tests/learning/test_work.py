"""The pass as a whole: collecting, rounds, and every way in which it could learn something wrong without a word."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autocontour.base.errors import Cancelled, LearningError, ModelError, OutputError, TrainingError, UsageError
from autocontour.base.jobs import Job
from autocontour.case import actions
from autocontour.case.case import Case
from autocontour.case.source import read_key
from autocontour.cli import main
from autocontour.learning import collect, work
from autocontour.learning.records import TEST, TRAIN, CaseRecord
from autocontour.learning.rounds import CANDIDATE, Result, read_rounds, structures_to_learn
from autocontour.learning.settings import read_settings
from autocontour.learning.work import read_status
from autocontour.models.data.dataset import read_index
from autocontour.models.package.package import read_package, write_package
from autocontour.qa.commissioning.gate import Site
from tests.learning.conftest import edit, take, write_case, write_ct

RETRAIN_AND_TEST = work.Learning._retrain_and_test


@pytest.fixture
def quick(monkeypatch):
    """Neither arrays nor networks: a case becomes an index, a round a package with the gate's verdict."""
    passed = {"passed": True}

    def build(self, record, entry, place, _job):
        folder = self._folder.collected / entry
        files = folder / "patients" / "p"
        files.mkdir(parents=True)
        (files / "ct.npy").write_bytes(b"voxels")
        structures = {name: {} for name in (*record.edited, *record.unedited)}
        (folder / "index.json").write_text(
            json.dumps({"patients": [{"patient": record.name, "folder": "p", "structures": structures}]})
        )
        number = json.loads((place / "person.json").read_text()) if (place / "person.json").exists() else record.name
        fields = {"patient": record.name, "identities": (f"patient_hash:{number}",), "fingerprint": record.name}
        return {**fields, "edited": record.edited, "unedited": record.unedited}

    def retrain(self, active, package):
        for name, chosen in (("cases", active.plan.cases), ("earlier", active.plan.earlier)):
            work.write_view(active.path / name, TRAIN, chosen, self.records, self.folder)
        work.write_view(self.folder.test, TEST, active.plan.tests, self.records, self.folder)
        known = package.metadata["training"].get("retrained", [])
        entry = {"from": f"toy {package.version} ({package.checksum})", "cases": []}
        training = {**package.metadata["training"], "retrained": [*known, entry]}
        metadata = {**package.metadata, "version": f"1.0+{active.number}", "training": training}
        weights = {role: package.read_weights(role) for role in package.stages}
        candidate = write_package(active.candidate, metadata, weights)
        return Result(CANDIDATE, passed["passed"], candidate.version, candidate.checksum)

    monkeypatch.setattr(collect.Collector, "_build", build)
    monkeypatch.setattr(work.Learning, "_retrain_and_test", retrain)
    return passed


def reopen(folder):
    return Case(folder, read_key(folder))


def use(clinic, found):
    """Put the candidate into use."""
    clinic.package = found.round.candidate
    clinic.switch_on()


def test_it_is_off_by_default_and_says_so(clinic):
    (clinic.folder / "settings.toml").unlink()
    with pytest.raises(LearningError, match="AC-LN-001"):
        clinic.learn()
    assert not (clinic.folder / "cases.json").exists()


def test_nothing_happens_until_there_are_enough_cases_and_each_is_used_once(clinic, seven, quick):
    take(clinic, seven, 0, 1, 2)
    found = clinic.learn()
    assert (found.round, found.new, found.tests) == (None, 1, 2)
    take(clinic, seven, 3, 4)
    found = clinic.learn()
    assert found.round.result.state == CANDIDATE
    assert len(found.round.plan.cases) == 3
    assert not (found.round.path / "cases").exists()
    again = clinic.learn()
    assert (again.round, again.new) == (None, 0)
    assert clinic.events == []


def test_a_test_patient_is_never_trained_on(clinic, seven, quick):
    take(clinic, seven, *range(7))
    found = clinic.learn()
    plan = found.round.plan
    tests, train = {one.case for one in plan.tests}, {one.case for one in plan.cases}
    assert len(tests) == 3
    assert len(train) == 4
    assert not tests & train
    listed = {entry["patient"] for entry in json.loads((clinic.folder / "test" / "index.json").read_text())["patients"]}
    assert listed == tests


def test_the_same_patient_under_another_case_is_on_the_same_side(clinic, seven, quick):
    folders = take(clinic, seven, *range(6))
    for folder in folders[:3]:
        (folder / "person.json").write_text('"one person"')
    clinic.learn()
    assert len({clinic.of(folder)["split"] for folder in folders[:3]}) == 1


def test_a_candidate_that_never_came_into_use_has_taught_nobody(clinic, seven, quick):
    take(clinic, seven, *range(5))
    first = clinic.learn()
    take(clinic, seven, 5, 6)
    clinic.switch_on(when=1)
    second = clinic.learn()
    assert {one.case for one in second.round.plan.cases} > {one.case for one in first.round.plan.cases}
    assert not second.round.plan.earlier


def test_what_the_package_in_use_has_learnt_is_repeated_not_learnt_again(clinic, seven, quick):
    take(clinic, seven, *range(5))
    first = clinic.learn()
    use(clinic, first)
    take(clinic, seven, 5, 6)
    clinic.switch_on(when=1)
    second = clinic.learn()
    assert {one.case for one in second.round.plan.earlier} == {one.case for one in first.round.plan.cases}
    assert not {one.case for one in second.round.plan.cases} & {one.case for one in first.round.plan.cases}
    assert read_status(clinic.folder)["rounds"][0]["in_use"]
    assert not read_status(clinic.folder)["rounds"][1]["in_use"]


def test_a_case_that_is_reopened_and_edited_counts_again_and_one_only_reopened_does_not(clinic, seven, quick):
    take(clinic, seven, *range(5))
    first = clinic.learn()
    learnt = [Path(one["path"]) for one in clinic.records().values() if one["split"] == TRAIN]
    with reopen(learnt[0]) as case:  # withdrawn and approved again, unchanged
        case.apply(actions.withdraw_approval(case.state, 1))
        case.apply(actions.approve(case.state, 1, reviewer="B. Physicist"))
    assert clinic.learn().new == 0
    with reopen(learnt[1]) as case:
        case.apply(actions.withdraw_approval(case.state, 1))
        edit(case, 1, 0.8)
        case.apply(actions.approve(case.state, 1, reviewer="B. Physicist"))
    found = clinic.learn()
    assert (found.round, found.new) == (None, 1)
    (status,) = read_status(clinic.folder)["rounds"]
    assert list(status["changed_since"]) == [clinic.of(learnt[1])["name"]]
    assert first.round.plan.cases


def test_a_withdrawn_or_deleted_case_is_used_no_more_and_named(clinic, seven, quick):
    take(clinic, seven, *range(7))
    clinic.learn()
    withdrawn, deleted = [Path(one["path"]) for one in clinic.records().values() if one["split"] == TRAIN][:2]
    with reopen(withdrawn) as case:
        case.apply(actions.withdraw_approval(case.state, 1))
    shutil.rmtree(deleted)
    clinic.learn()
    assert clinic.of(withdrawn)["state"] == "withdrawn"
    assert clinic.of(deleted)["state"] == "deleted"
    names = {clinic.of(withdrawn)["name"], clinic.of(deleted)["name"]}
    assert {values["case"] for event, values in clinic.events if event == "withdrawn"} == names
    assert not any(path.name[:13] in names for path in (clinic.folder / "collected").iterdir())
    (status,) = read_status(clinic.folder)["rounds"]
    assert set(status["changed_since"]) == names
    clinic.learn()
    assert clinic.events == []


def test_a_share_that_is_not_connected_is_not_a_deletion(clinic, seven, quick):
    take(clinic, seven, *range(3))
    clinic.learn()
    before = clinic.records()
    for change in (lambda: clinic.cases.rename(clinic.root / "away"), lambda: clinic.cases.mkdir()):
        change()
        with pytest.raises(LearningError, match="AC-LN-006"):
            clinic.learn()
        assert clinic.records() == before


def test_a_case_approved_untouched_is_not_a_correction(clinic, quick, tmp_path):
    patient = write_ct(tmp_path / "archive", 0)
    folder = write_case(clinic.cases, patient, edited=(), unedited=("Heart", "Lung_L"))
    clinic.learn()
    assert clinic.of(folder)["state"] == "not corrected"
    with reopen(folder) as case:  # edited, and put back by hand
        automatic = case.state[1].automatic
        case.apply(actions.withdraw_approval(case.state, 1))
        edit(case, 1)
        case.apply(actions.redraw(1, dict(automatic)))
        case.apply(actions.approve(case.state, 1, reviewer="A. Physicist"))
    clinic.learn()
    assert clinic.of(folder)["state"] == "not corrected"


@pytest.mark.parametrize(
    ("drawn_by", "is_learnt"),
    [
        ("toy 1.0", True),
        ("autocontour rules 1.4", True),
        ("toy 1.0+1", False),
        ("toy 1.0+2-habits", False),
        ("toy-patient-0a1b2c3d 1.0", False),
    ],
)
def test_contours_approved_untouched_of_a_package_trained_on_here_are_not_learnt(drawn_by, is_learnt):
    """A patient's package has learnt from the clinic's own contours, as a retrained one has."""
    record = CaseRecord("c", "", edited=("Heart",), unedited={"Lung_L": drawn_by})
    assert structures_to_learn(record) == (("Heart", "Lung_L") if is_learnt else ("Heart",))


def test_a_retrained_package_does_not_learn_from_what_it_drew_itself(clinic, quick, tmp_path):
    for number, version in ((0, "1.0"), (1, "1.0+1"), (2, "1.0"), (3, "1.0+2")):
        write_case(clinic.cases, write_ct(tmp_path / "archive", number), version=version)
    plan = clinic.learn(now=True).round.plan
    records = {one["name"]: one for one in clinic.records().values()}
    for one in plan.cases:
        is_retrained = "+" in records[one.case]["unedited"]["Lung_L"]
        assert one.structures == (("Heart",) if is_retrained else ("Heart", "Lung_L"))
    assert all(one.structures == ("Heart",) for one in plan.tests)


def test_the_clinics_own_names_wait_until_a_person_confirms_them(clinic, quick, tmp_path):
    names = {"Lung_L": "Lunge li"}
    folder = write_case(clinic.cases, write_ct(tmp_path / "archive", 0), edited=("Lung_L",), unedited=(), names=names)
    clinic.learn()
    assert clinic.of(folder)["code"] == "AC-LN-012"
    path = clinic.folder / "private" / "names.toml"
    text = path.read_text()
    assert 'name = "Lunge li"\nstructure = "Lung_L"' in text
    clinic.learn()
    assert clinic.of(folder)["code"] == "AC-LN-012"
    path.write_text(text.replace("confirmed = false", "confirmed = true"))
    clinic.learn()
    assert clinic.of(folder)["state"] == "collected"
    assert clinic.of(folder)["edited"] == ["Lung_L"]
    path.write_text(path.read_text().replace('structure = "Lung_L"', 'structure = "Lung_R"'))
    with pytest.raises(Exception, match="AC-DS-003"):
        clinic.learn()


def test_a_case_that_is_open_or_was_just_changed_waits(clinic, seven, quick):
    (folder,) = take(clinic, seven, 0)
    clinic.switch_on(quiet_minutes=600.0)
    clinic.learn()
    assert clinic.of(folder)["state"] == "open"
    clinic.switch_on()
    with reopen(folder):
        clinic.learn()
        assert clinic.of(folder)["state"] == "open"
    clinic.learn()
    assert clinic.of(folder)["state"] == "collected"
    with reopen(folder):
        clinic.learn()
        assert clinic.of(folder)["state"] == "collected"


def test_a_bad_case_stops_no_other(clinic, seven, quick, monkeypatch):
    folders = take(clinic, seven, *range(4))
    (folders[0] / "journal.bin").write_bytes(b"damaged")
    for path in folders[0].glob("snapshot-*"):
        path.write_bytes(b"damaged")
    (folders[1] / "case.json").write_text("{}")
    build = collect.Collector._build
    bad = folders[2].name

    def fail(self, record, entry, place, job):
        if place.name == bad:
            raise ZeroDivisionError
        return build(self, record, entry, place, job)

    monkeypatch.setattr(collect.Collector, "_build", fail)
    clinic.learn()
    states = [clinic.of(folder)["state"] for folder in folders]
    assert states[3] == "collected"
    assert "collected" not in states[:3]
    assert clinic.of(folders[2])["message"] == "It failed unexpectedly (ZeroDivisionError)."


def test_a_case_at_which_the_program_dies_is_set_aside(clinic, seven, quick, monkeypatch):
    (folder,) = take(clinic, seven, 0)

    def die(*_):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(collect.Collector, "_build", die)
        for _ in range(collect.MOST_STARTS):
            with pytest.raises(SystemExit):
                clinic.learn()
    clinic.learn()
    assert clinic.of(folder)["code"] == "AC-LN-010"
    clinic.learn()
    assert clinic.events == []


def test_a_reason_that_may_pass_is_tried_again_later(clinic, seven, quick, monkeypatch):
    (folder,) = take(clinic, seven, 0)
    with monkeypatch.context() as patch:
        patch.setattr(collect.Collector, "_build", lambda *_: (_ for _ in ()).throw(collect.DatasetError("AC-DS-031")))
        clinic.learn()
        clinic.learn()
    assert clinic.of(folder)["code"] == "AC-DS-031"
    assert clinic.of(folder)["failures"] == 1
    clinic.learn()
    assert clinic.of(folder)["state"] == "set aside"
    later = time.time() + 3600
    monkeypatch.setattr(collect.time, "time", lambda: later)
    clinic.learn()
    assert clinic.of(folder)["state"] == "collected"


def test_the_same_ct_in_two_cases_is_used_once(clinic, seven, quick, monkeypatch):
    folders = take(clinic, seven, 0, 1)
    build = collect.Collector._build

    def same(self, record, entry, place, job):
        found = build(self, record, entry, place, job)
        return found | {"identities": (*found["identities"], "ct_hash:1")}

    monkeypatch.setattr(collect.Collector, "_build", same)
    clinic.learn()
    assert sorted(clinic.of(folder)["state"] for folder in folders) == ["collected", "set aside"]
    assert "AC-LN-014" in {clinic.of(folder)["code"] for folder in folders}


def test_a_round_is_planned_anew_if_its_cases_or_the_package_change(clinic, seven, quick, monkeypatch):
    take(clinic, seven, *range(7))
    with monkeypatch.context() as patch:
        patch.setattr(work.Learning, "_retrain_and_test", lambda *_: (_ for _ in ()).throw(Cancelled))
        with pytest.raises(Cancelled):
            clinic.learn()
    (unfinished,) = read_rounds(work.Folder(clinic.folder))
    assert unfinished.result is None
    gone = next(Path(one["path"]) for one in clinic.records().values() if one["split"] == TRAIN)
    name = clinic.of(gone)["name"]
    shutil.rmtree(gone)
    found = clinic.learn()
    assert [one.result.state for one in read_rounds(work.Folder(clinic.folder))] == ["abandoned", "candidate"]
    assert name not in {one.case for one in found.round.plan.cases}


def test_a_failing_round_waits_and_ends_at_last(clinic, seven, quick, monkeypatch):
    take(clinic, seven, *range(5))
    now = [time.time()]
    monkeypatch.setattr(work.time, "time", lambda: now[0])
    full = OutputError("AC-OUT-001", file="x", reason="y")
    monkeypatch.setattr(work.Learning, "_retrain_and_test", lambda *_: (_ for _ in ()).throw(full))
    for _ in range(work.MOST_FAILURES - 1):
        assert clinic.learn().round.result is None
        assert [event for event, _ in clinic.events if event == "waits"]
        assert clinic.learn().round.attempt.not_before > now[0]
        now[0] += 4000
    ended = clinic.learn().round
    assert ended.result.state == "failed"
    assert ended.result.code == "AC-OUT-001"
    assert clinic.learn().round is None


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (TrainingError("AC-TR-024"), "failed", "AC-TR-024"),
        (TrainingError("AC-TR-023", folder="x"), "abandoned", "AC-TR-023"),
        (RuntimeError("Doe^John"), "failed", "AC-LN-011"),
    ],
)
def test_a_round_that_cannot_go_on_ends_with_its_reason(clinic, seven, quick, monkeypatch, error, state, code):
    take(clinic, seven, *range(5))
    monkeypatch.setattr(work.Learning, "_retrain_and_test", lambda *_: (_ for _ in ()).throw(error))
    result = clinic.learn().round.result
    assert (result.state, result.code) == (state, code)
    assert "Doe" not in (clinic.folder / "learning.log").read_text()


def test_test_data_that_are_gone_end_a_round_before_hours_of_training(clinic, seven, quick, monkeypatch, tmp_path):
    monkeypatch.setattr(work.Learning, "_retrain_and_test", RETRAIN_AND_TEST)
    take(clinic, seven, *range(5))
    clinic.switch_on(tests=(f"old={tmp_path / 'gone'}:test",))
    found = clinic.learn().round
    assert (found.result.state, found.result.code) == ("failed", "AC-TR-002")
    assert not (found.path / "run").exists()


def test_a_place_of_test_data_is_kept_from_the_folder_in_which_it_was_given(clinic, monkeypatch, tmp_path):
    """A service runs in another folder."""
    monkeypatch.chdir(tmp_path)
    for text in ("old=frozen:test", "frozen", "frozen:other"):
        assert (
            main(["learn", "on", "--folder", str(clinic.folder), "--package", str(clinic.package), "--test", text]) == 0
        )
        (kept,) = read_settings(clinic.folder).tests
        monkeypatch.chdir(clinic.root)
        assert Site.parse(kept).data == tmp_path / "frozen"
        monkeypatch.chdir(tmp_path)
        assert replace(Site.parse(text), data=tmp_path / "frozen") == Site.parse(kept)


def test_a_round_at_which_the_program_dies_ends(clinic, seven, quick, monkeypatch):
    take(clinic, seven, *range(5))
    with monkeypatch.context() as patch:
        patch.setattr(work.Learning, "_retrain_and_test", lambda *_: (_ for _ in ()).throw(SystemExit))
        for _ in range(work.MOST_STARTS):
            with pytest.raises(SystemExit):
                clinic.learn()
    assert clinic.learn().round.result.code == "AC-LN-021"


def test_a_package_that_does_not_state_its_patients_is_refused_before_anything(clinic, seven, quick):
    take(clinic, seven, 0)
    package = read_package(clinic.package)
    metadata = {key: value for key, value in package.metadata.items() if key != "training"}
    weights = {role: package.read_weights(role) for role in package.stages}
    clinic.package = write_package(clinic.root / "silent", metadata, weights).path
    clinic.switch_on()
    with pytest.raises(UsageError, match="AC-QA-039"):
        clinic.learn()


def test_two_programs_at_once_and_a_lost_key_are_refused(clinic, seven, quick):
    take(clinic, seven, 0)
    clinic.learn()
    with work.Folder(clinic.folder).locked(), pytest.raises(LearningError, match="AC-LN-005"):
        clinic.learn()
    (clinic.folder / "private" / "key").unlink()
    with pytest.raises(LearningError, match="AC-LN-004"):
        clinic.learn()


def test_damaged_files_are_refused(clinic, seven, quick):
    take(clinic, seven, *range(5))
    one = clinic.learn().round
    for path in (clinic.folder / "cases.json", one.path / "plan.json", one.path / "result.json"):
        before = path.read_text()
        path.write_text("{}" if path.name != "cases.json" else "[")
        with pytest.raises(LearningError, match="AC-LN-003"):
            clinic.learn()
        path.write_text(before)
    (clinic.folder / "settings.toml").write_text("enabled = 1\nwhen = 0\n")
    with pytest.raises(LearningError, match="AC-LN-002") as refusal:
        read_settings(clinic.folder)
    assert len(refusal.value.problems) == 2


def test_an_unknown_package_is_refused(clinic, quick):
    clinic.switch_on(package="none")
    with pytest.raises(ModelError):
        clinic.learn()


def test_no_identity_is_written_outside_the_private_files(clinic, seven, quick):
    take(clinic, seven, *range(5))
    clinic.learn()
    for path in clinic.folder.rglob("*"):
        if path.is_file():
            assert b"Canary" not in path.read_bytes() or path.name in ("cases.json", "sources.json")
    assert clinic.folder.stat().st_mode & 0o077 == 0
    assert "Canary" not in json.dumps(read_status(clinic.folder)["cases"])
    assert "Canary" not in json.dumps(clinic.events)


class Killed(Job):
    def advance(self, stage, fraction):
        super().advance(stage, fraction)
        if stage.startswith("training"):
            raise Cancelled


def test_real_cases_become_a_candidate_with_the_gates_record(clinic, seven):
    """From approved cases on the disk to a candidate with the gate's record, over a stop, without fakes.

    Only the heart was corrected: what no test patient shows of the other organs does not pass.
    """
    folders = take(clinic, seven, *range(5))
    shutil.rmtree(clinic.cases / folders[4].name)
    with pytest.raises(Cancelled):
        clinic.learn(Killed(), now=True)
    found = clinic.learn(now=True).round
    assert found.result.state == CANDIDATE
    assert not found.result.passed
    candidate = read_package(found.candidate)
    learnt = candidate.metadata["training"]["retrained"][-1]
    assert len(learnt["cases"]) == len(found.plan.cases)
    record = json.loads(found.record.read_text())
    assert record["candidate"]["checksum"] == candidate.checksum
    assert record["sites"][0]["name"] == "clinic"
    problems = {(row["structure"], one["code"]) for row in record["judgements"] for one in row["problems"]}
    assert problems == {(name, "AC-QA-033") for name in candidate.structures if name != "Heart"}
    tests = read_index(clinic.folder / "test")["patients"]
    assert all(list(entry["structures"]) == ["Heart"] for entry in tests)
    prints = {one["fingerprint"] for one in clinic.records().values() if one["split"] == TEST}
    assert prints
    assert not prints & set(candidate.metadata["training"]["fingerprints"])
    _, patients, _ = seven
    for path in clinic.folder.rglob("*"):
        if path.is_file() and path.name not in ("cases.json", "sources.json"):
            content = path.read_bytes()
            assert not any(patient.surname.encode() in content for patient in patients)


def test_a_case_of_another_ct_is_set_aside(clinic, seven, tmp_path):
    """The CT at the stored place is another one: nothing is learnt from contours on a wrong scan."""
    (folder,) = take(clinic, seven, 0)
    other = write_ct(tmp_path / "other", 5)
    content = json.loads((folder / "ct.json").read_text())
    (folder / "ct.json").write_text(json.dumps(content | {"path": str(other.folder / "CT")}))
    clinic.learn()
    assert clinic.of(folder)["code"] == "AC-DS-031"


def test_swapped_sides_are_set_aside(clinic, tmp_path):
    """Both lungs under the wrong names, corrected and approved: a wrong label is not learnt."""

    def swap(patient):
        patient.contours["Lung_L"], patient.contours["Lung_R"] = patient.contours["Lung_R"], patient.contours["Lung_L"]

    patient = write_ct(tmp_path / "archive", 0, swap)
    folder = write_case(clinic.cases, patient, edited=("Lung_L", "Lung_R"), unedited=())
    clinic.learn()
    assert clinic.of(folder)["state"] == "set aside"


def test_the_commands(clinic, seven, quick, capsys):
    """Settings, a pass and the status, as a script and a person see them."""
    folder = ["--folder", str(clinic.folder)]
    take(clinic, seven, *range(5))
    assert main(["learn", "off", *folder]) == 0
    assert main(["learn", "run", *folder]) == LearningError.exit_code
    assert main(["learn", "on", *folder, "--when", "0"]) == LearningError.exit_code
    assert not read_settings(clinic.folder).enabled
    options = ["--when", "9", "--replay", str(clinic.root), "--test", "old=/data:test", "--cases", str(clinic.cases)]
    assert main(["learn", "on", *folder, *options, "--limits", str(clinic.root / "limits.toml"), "--json"]) == 0
    assert main(["learn", "on", *folder]) == 0
    settings = read_settings(clinic.folder)
    assert (settings.when, settings.tests, settings.replay) == (9, ("old=/data:test",), (str(clinic.root),))
    clinic.switch_on()
    capsys.readouterr()
    assert main(["learn", "run", *folder, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"progress", "collected", "begun", "candidate", "end"} <= {event["event"] for event in events}
    assert events[-1]["state"] == CANDIDATE
    assert main(["learn", "run", *folder]) == 0
    assert capsys.readouterr().out.startswith("Waiting. New for the training: 0 of 2; in the test: ")
    assert main(["learn", "status", *folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rounds"][0]["passed"]
    shutil.rmtree(next(Path(one["path"]) for one in clinic.records().values() if one["split"] == TRAIN))
    main(["learn", "run", *folder])
    assert main(["learn", "status", *folder]) == 0
    shown = capsys.readouterr().out
    assert "1 of its cases were changed or withdrawn since" in shown
    assert "models promote" in shown
