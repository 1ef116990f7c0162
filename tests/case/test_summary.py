"""The list of cases: the state of each without opening it, the right patient or none; damage stops no other case."""

import json
import logging
import os
import shutil
from dataclasses import replace

import pytest
from pydicom import dcmread
from shapely import MultiPolygon, Point

from autocontour.base.errors import CaseError
from autocontour.base.lock import lock_handle
from autocontour.case import Case, CaseKey, Edit, actions
from autocontour.case.export import ExportOptions, export_case
from autocontour.case.lock import CaseLock, is_locked
from autocontour.case.snapshots import Place
from autocontour.case.summary import CaseList, summarize_case
from autocontour.cli import main
from autocontour.patient.structures import Structure
from tests.case.test_export import ct, ct_folder  # noqa: F401  (fixtures)

NAME = "PHANTOM"


def disc(u=40.0, r=20.0):
    return MultiPolygon([Point(u, 40).buffer(r)])


def organ(name, number):
    return Structure(name, number, {z: disc() for z in (10, 11, 12)})


def filled(case):
    """Six structures: two approved, one rejected, one edited, two automatic."""
    for number, name in enumerate(("Heart", "Esophagus", "Liver", "Lung_L", "Lung_R", "Trachea"), 1):
        case.apply(actions.receive(case.state, organ(name, number)))
    case.apply(actions.approve_several(case.state, [1, 2], "A. Physicist"))
    case.apply(actions.reject(case.state, 3, "A. Physicist", "Too large"))
    case.apply(Edit("Brush", {4: {11: disc(50)}}))


@pytest.fixture
def root(ct, ct_folder, tmp_path):  # noqa: F811
    """A folder with one case, closed."""
    with actions.open_case(ct, tmp_path / "cases", ct_folder) as case:
        filled(case)
    return tmp_path / "cases"


def only(root):
    (summary,) = CaseList(root).read()
    return summary


def counts(summary):
    return summary.structures, summary.approved, summary.rejected, summary.edited


def codes(summary):
    return [problem.code for problem in summary.problems]


def files_of(folder):
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_a_closed_case_is_summarized_from_its_snapshot_and_nothing_is_written(root, ct):  # noqa: F811
    before = files_of(root)
    summary = only(root)
    assert counts(summary) == (6, 2, 1, 1)
    assert (summary.is_open, summary.problems, summary.is_usable, summary.exported_at) == (False, (), True, None)
    assert summary.facts.name
    assert summary.facts.patient_id == ct.reference.header.PatientID
    assert summary.facts.scan_date[:2] == "20"
    assert files_of(root) == before


def test_no_contour_is_decoded_and_no_voxel_is_read(root, monkeypatch):
    import shapely

    def refuse(*_, **__):
        raise AssertionError("decoded")

    monkeypatch.setattr(shapely, "from_wkb", refuse)
    monkeypatch.setattr("autocontour.case.records.decode_item", refuse)
    monkeypatch.setattr("autocontour.dicom.read_ct", refuse)
    assert counts(only(root)) == (6, 2, 1, 1)


def test_the_state_of_a_case_that_is_open_elsewhere_is_that_of_its_last_change(root, ct, ct_folder):  # noqa: F811
    reader = CaseList(root)
    assert counts(reader.read()[0]) == (6, 2, 1, 1)
    with actions.open_case(ct, root, ct_folder) as case:
        assert reader.read()[0].is_open
        case.apply(actions.approve(case.state, 5, "A. Physicist"))
        assert counts(reader.read()[0]) == (6, 3, 1, 1)
        case.apply(actions.reject(case.state, 5, "A. Physicist", "Too small"))
        assert counts(reader.read()[0]) == (6, 2, 2, 1)
        case.undo()
        case.undo()
        assert counts(reader.read()[0]) == (6, 2, 1, 1)
        case.undo()  # a step that lies before the last snapshot
        assert counts(reader.read()[0]) == (6, 2, 1, 0)
        case.apply(actions.remove(case.state, 6))
        summary = reader.read()[0]
        assert counts(summary) == (5, 2, 1, 0)
        assert (summary.is_open, codes(summary)) == (True, [])
    assert not reader.read()[0].is_open


def test_what_has_not_changed_is_not_read_again(root, monkeypatch):
    reader = CaseList(root)
    first = reader.read()
    monkeypatch.setattr("autocontour.case.summary.summarize_case", lambda _: pytest.fail("read again"))
    assert reader.read()[0] is first[0]


def test_a_killed_case_is_counted_with_the_changes_after_its_snapshot(root, ct, ct_folder):  # noqa: F811
    case = actions.open_case(ct, root, ct_folder)
    case.apply(actions.approve(case.state, 6, "A. Physicist"))
    case._journal.close()
    case._lock.release()
    summary = only(root)
    assert counts(summary) == (6, 3, 1, 1)
    assert codes(summary) == ["AC-CASE-047"]


def test_a_case_of_an_older_version_is_counted_from_its_structures(root, monkeypatch, ct, ct_folder):  # noqa: F811
    from autocontour.case import records, snapshots
    from autocontour.case.records import pack

    def older(record):
        return pack({name: value for name, value in record.items() if name not in ("reviews", "place")})

    monkeypatch.setattr(records, "pack", older)
    monkeypatch.setattr(snapshots, "pack", older)
    with actions.open_case(ct, root, ct_folder) as case:
        case.apply(actions.approve(case.state, 5, "A. Physicist"))
        assert counts(only(root)) == (6, 3, 1, 1)
        case.apply(Edit("Brush", {6: {11: disc(50)}}))
        case.apply(actions.remove(case.state, 4))
        assert counts(only(root)) == (5, 3, 1, 1)
    assert counts(only(root)) == (5, 3, 1, 1)


def test_a_moved_ct_leaves_the_patient_unknown(root, ct_folder, tmp_path):  # noqa: F811
    folder = next(root.iterdir())
    source = json.loads((folder / "ct.json").read_text())
    (folder / "ct.json").write_text(json.dumps({**source, "path": str(tmp_path / "gone")}))
    summary = only(root)
    assert codes(summary) == ["AC-CASE-040"]
    assert (summary.facts.name, summary.facts.patient_id) == ("", "")
    assert counts(summary) == (6, 2, 1, 1)
    assert summary.is_usable
    assert not summary.is_ct_there


def test_another_patient_in_the_folder_of_a_moved_ct_is_never_named(root, ct_folder, tmp_path):  # noqa: F811
    other = tmp_path / "other"
    shutil.copytree(ct_folder, other)
    for path in other.iterdir():
        dataset = dcmread(path)
        dataset.PatientName, dataset.PatientID, dataset.SeriesInstanceUID = "Other^Person", "999", "1.2.3.4"
        dataset.save_as(path)
    folder = next(root.iterdir())
    source = json.loads((folder / "ct.json").read_text())
    (folder / "ct.json").write_text(json.dumps({**source, "path": str(other)}))
    summary = only(root)
    assert codes(summary) == ["AC-CASE-041"]
    assert (summary.facts.name, summary.facts.patient_id) == ("", "")


def test_a_copy_of_a_case_is_not_offered_as_the_case(root):
    folder = next(root.iterdir())
    shutil.copytree(folder, root / f"{folder.name} (copy)")
    by_name = {summary.folder.name: summary for summary in CaseList(root).read()}
    assert by_name[folder.name].is_usable
    copy = by_name[f"{folder.name} (copy)"]
    assert codes(copy) == ["AC-CASE-044"]
    assert not copy.is_usable


def damage_journal(folder):
    """Cut the last change of a killed case in two."""
    path = folder / "journal.bin"
    with path.open("ab") as file:
        file.write(b"ACJ1\x40\x00\x00\x00half")


def damage_snapshot(folder):
    path = max(folder.glob("snapshot-*.bin"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (damage_journal, "AC-CASE-042"),
        (lambda folder: (folder / "journal.bin").write_bytes(b""), "AC-CASE-042"),
        (lambda folder: max(folder.glob("snapshot-*.bin")).write_bytes(b""), "AC-CASE-042"),
        (lambda folder: (folder / "case.json").write_bytes(b"{"), "AC-CASE-045"),
        (lambda folder: (folder / "case.json").unlink(), "AC-CASE-045"),
        (lambda folder: (folder / "snapshot-00000099.bin").mkdir(), "AC-CASE-043"),
    ],
)
def test_a_damaged_case_is_shown_with_its_code_and_stops_no_other(root, damage, code):
    folder = next(root.iterdir())
    other = Case(root / CaseKey("1.2", "1.3").folder_name, CaseKey("1.2", "1.3"))
    other.apply(actions.receive(other.state, organ("Heart", 1)))
    other.close()
    damage(folder)
    by_name = {summary.folder: summary for summary in CaseList(root).read()}
    assert code in codes(by_name[folder])
    assert counts(by_name[other.folder]) == (1, 0, 0, 0)


def test_a_damaged_structure_in_a_snapshot_is_noticed(root):
    folder = next(root.iterdir())
    path = max(folder.glob("snapshot-*.bin"))
    data = path.read_bytes()
    path.write_bytes(data[:200])
    assert "AC-CASE-042" in codes(only(root))


def test_files_and_folders_that_are_no_cases_are_left_out(root):
    (root / "readme.txt").write_text("x")
    (root / "notes").mkdir()
    assert len(CaseList(root).read()) == 1
    assert CaseList(root / "missing").read() == []


def test_an_export_is_noted_without_the_file_and_so_are_changes_after_it(root, ct, ct_folder, tmp_path):  # noqa: F811
    with actions.open_case(ct, root, ct_folder) as case:
        options = ExportOptions(numbers=frozenset({1, 2}))
        export_case(case, ct, tmp_path / "SECRET.dcm", options, accepted={"AC-EX-002", "AC-EX-005"})
        summary = only(root)
        assert summary.exported_at is not None
        assert not summary.is_changed_since_export
        case.apply(Edit("Brush", {5: {11: disc(50)}}))
        assert only(root).is_changed_since_export
        stored = b"".join(path.read_bytes() for path in case.folder.iterdir())
        assert b"SECRET" not in stored
    with actions.open_case(ct, root, ct_folder) as case:
        assert case.findings == ()  # the note is a file of the case


def test_reading_the_list_never_refuses_the_opening_of_a_case(root, monkeypatch):
    folder = next(root.iterdir())
    lock = CaseLock(folder)
    assert is_locked(folder)
    lock.release()
    assert not is_locked(folder)
    handle = os.open(folder / "lock", os.O_RDWR)
    lock_handle(handle)
    monkeypatch.setattr("autocontour.case.lock.time.sleep", lambda _: os.close(handle))
    CaseLock(folder).release()


def test_the_place_of_the_user_is_kept_and_after_a_kill_it_is_that_of_the_last_change(root, ct, ct_folder):  # noqa: F811
    with actions.open_case(ct, root, ct_folder) as case:
        case.place = Place(4, 12)
    case = actions.open_case(ct, root, ct_folder)
    assert case.place == Place(4, 12)
    case.apply(Edit("Brush", {5: {11: disc(60)}}))
    case._journal.close()
    case._lock.release()
    with actions.open_case(ct, root, ct_folder) as case:
        assert case.place == Place(5, 11)


def test_the_command_lists_cases_with_ids_and_never_names(root, ct, capsys, caplog):  # noqa: F811
    caplog.set_level(logging.DEBUG)
    name, patient_id = str(ct.reference.header.PatientName), ct.reference.header.PatientID
    assert main(["case", "list", str(root), "--json"]) == 0
    text = capsys.readouterr().out
    (row,) = json.loads(text)
    assert (row["structures"], row["approved"], row["rejected"], row["edited"]) == (6, 2, 1, 1)
    assert row["patient_id"] == patient_id
    assert main(["case", "list", str(root)]) == 0
    text += capsys.readouterr().out + caplog.text + repr(only(root))
    if name != patient_id:
        assert name not in text
        assert name.replace("^", " ") not in text


def test_the_command_refuses_a_folder_that_is_not_there(tmp_path, capsys):
    assert main(["case", "list", str(tmp_path / "missing")]) != 0
    assert "AC-US-003" in capsys.readouterr().err


def test_a_case_in_a_folder_that_may_not_be_read_is_shown(root, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("autocontour.case.summary.peek_reviews", refuse)
    summary = summarize_case(next(root.iterdir()))
    assert [(p.code, dict(p.values)["reason"]) for p in summary.problems] == [("AC-CASE-043", "Permission denied")]


def test_opening_a_case_that_is_open_elsewhere_is_refused(root, ct, ct_folder):  # noqa: F811
    with actions.open_case(ct, root, ct_folder), pytest.raises(CaseError, match="AC-CASE-001"):
        actions.open_case(ct, root, ct_folder)


def test_a_summary_does_not_show_the_patient_in_its_representation(root):
    summary = only(root)
    named = replace(summary, facts=replace(summary.facts, name="Somebody Special"))
    assert "Somebody" not in repr(named)
    assert "Somebody" not in json.dumps(named.to_json())
