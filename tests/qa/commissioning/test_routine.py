"""Routine QA: charts on analytic series, observations from real cases and structure sets, and the command."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from shapely import MultiPolygon, box

from autocontour.base.errors import StructureSetError, UsageError
from autocontour.base.jobs import Job
from autocontour.case import Case, CaseKey, CaseStructure, Edit
from autocontour.case.actions import approve, reject
from autocontour.cli import main
from autocontour.dicom.series import write_ct_series
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import GenerationAlgorithm, Structure, StructureSet
from autocontour.qa.commissioning.exchanged import find_exchanged
from autocontour.qa.commissioning.routine.chart import (
    alarm_level,
    chart_all,
    find_changes,
    list_months,
    nelson_rules,
    take_baseline,
    values_of,
)
from autocontour.qa.commissioning.routine.observe import (
    APPROVED,
    REJECTED,
    Observation,
    check_times,
    contour_dsc,
    normalized_at,
    observe_cases,
    observe_pairs,
)
from autocontour.qa.commissioning.routine.run import PairPatterns, RoutineRequest, merge, read_report, run_routine
from autocontour.rtstruct import write_structure_set
from autocontour.rtstruct.read.without_ct import read_sets_without_ct

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)


NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The cases of these tests are of 2026, whatever the clock of the computer."""
    monkeypatch.setattr("autocontour.qa.commissioning.routine.run.current_time", lambda: NOW)


def square(side=20.0, u=0.0):
    return MultiPolygon([box(u, 0, u + side, side)])


def observation(number, dsc=0.95, *, structure="Heart", checksum="a", rejected=False, day=None):
    at = BEGIN + timedelta(days=number if day is None else day)
    return Observation(
        case=f"{structure}{number:04d}",
        structure=structure,
        at=at.isoformat(timespec="seconds"),
        decision=REJECTED if rejected else APPROVED,
        dsc=0.0 if rejected else dsc,
        added_path_length_mm=None if rejected else 1000 * (1 - dsc),
        edited_slices=int(dsc < 1),
        drawn_slices=10,
        seconds=None,
        viewed=None,
        algorithm="net",
        version="1",
        checksum=checksum,
    )


def series(count, shift_from=None, shift=0.0, seed=1, **values):
    rng = np.random.default_rng(seed)
    dsc = np.clip(rng.normal(0.9, 0.02, count), 0, 1)
    if shift_from is not None:
        dsc[shift_from:] += shift
    return [observation(number, float(value), **values) for number, value in enumerate(dsc)]


def chart_of(observations, wanted=50, **settings):
    (chart,) = chart_all(observations, wanted, **settings)
    return chart


def test_a_stable_structure_has_no_alarm():
    chart = chart_of(series(300))
    assert (chart["status"], chart["alarms"], chart["changes"]) in [(s, [], []) for s in ("stable", "signal")]
    assert chart["baseline"]["n"] == 50
    assert sum(row["n"] for row in chart["months"]) == 250


def test_a_drift_is_found_in_the_month_in_which_it_begins():
    first = (BEGIN + timedelta(days=200)).isoformat()[:7]
    chart = chart_of(series(300, shift_from=200, shift=-0.03))
    assert chart["status"] == "alarm"
    assert first <= min(one["month"] for one in chart["alarms"]) <= "2026-08"
    assert {one["direction"] for one in chart["alarms"]} == {"more"}


def test_fewer_corrections_than_before_are_an_alarm_too():
    """Contours that are approved unread look perfect."""
    chart = chart_of(series(300, shift_from=200, shift=0.05))
    assert {one["direction"] for one in chart["alarms"]} == {"less"}


def test_a_few_complete_failures_are_found_although_the_median_stays():
    rows = series(300)
    failing = [replace(one, dsc=0.1, added_path_length_mm=5000.0) if n >= 200 and n % 4 == 0 else one
               for n, one in enumerate(rows)]  # fmt: skip
    assert "tail" in {one["test"] for one in chart_of(failing, 100)["alarms"]}


def test_rejected_contours_count_in_the_tests_and_not_in_the_means():
    rows = [observation(n, one.dsc, rejected=n >= 200 and n % 3 == 0) for n, one in enumerate(series(300))]
    chart = chart_of(rows)
    assert chart["alarms"]
    last = chart["months"][-1]
    assert last["rejected"] > 0
    assert last["dsc"]["mean"] > 0.85


def test_another_package_with_the_same_version_is_an_alarm_without_any_drift():
    rows = [replace(one, checksum="a" if n < 200 else "b") for n, one in enumerate(series(300))]
    chart = chart_of(rows)
    (change,) = chart["changes"]
    assert (change["same_version"], change["at"]) == (True, rows[200].at[:10])
    assert chart["status"] == "alarm"


def test_a_baseline_never_mixes_two_packages():
    rows = [replace(one, checksum="a" if n < 30 else "b") for n, one in enumerate(series(100))]
    baseline = take_baseline("Heart", rows, 50)
    assert (len(baseline.observations), baseline.is_complete) == (30, False)
    assert len(find_changes(baseline, rows[30:])) == 1
    assert chart_of(rows)["status"] == "alarm"


def test_without_a_complete_baseline_nothing_is_judged():
    chart = chart_of(series(40))
    assert (chart["status"], chart["months"], chart["signals"]) == ("collecting", [], [])


def test_an_alarm_stays_until_a_person_has_looked_into_it():
    rows = series(230, shift_from=190, shift=-0.05) + [
        replace(one, case=f"later{n}") for n, one in enumerate(series(300)[230:])
    ]
    assert chart_of(rows)["status"] == "alarm"
    assert chart_of(rows, acknowledged=[("2026-12", "2026-12-31")])["status"] != "alarm"


def test_months_with_few_contours_are_listed_and_not_judged():
    rows = [*series(50), *(observation(60 + n, 0.2, day=70 + 40 * n) for n in range(4))]
    chart = chart_of(rows)
    assert len(chart["months"]) == 4
    assert all(row["dsc"]["z"] is None for row in chart["months"])


def test_contours_that_never_differ_give_no_division_by_zero():
    same = chart_of([observation(n, 1.0) for n in range(120)])
    assert (same["status"], same["months"][-1]["dsc"]["z"]) == ("stable", 0.0)
    after = chart_of([observation(n, 1.0 if n < 90 else 0.9) for n in range(120)])
    assert after["months"][-1]["dsc"]["z"] == -99.0
    assert after["status"] == "alarm"


def test_the_level_falls_with_the_number_of_structures():
    assert alarm_level(1) == pytest.approx(0.05 / (12 * 2 * 3))
    assert alarm_level(10) == pytest.approx(alarm_level(1) / 10)


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        (1, [0, -3.1]),
        (2, [0.5] * 9),
        (3, [-1, -0.6, -0.2, 0.2, 0.6, 0.9]),
        (4, [0.1, -0.1] * 7),
        (5, [2.1, 0, 2.1]),
        (6, [1.1, 1.2, 0, 1.3, 1.1]),
        (7, [0.5, -0.5, 0.2] * 5),
        (8, [1.5, -1.5] * 4),
    ],
)
def test_rules_of_nelson(rule, values):
    assert rule in nelson_rules(values)[-1]
    assert rule not in {one for found in nelson_rules(values)[:-1] for one in found}


def test_dsc_of_contours_is_that_of_areas():
    a = {0: square(10), 1: square(10)}
    assert contour_dsc(a, {0: square(10, u=5)}) == pytest.approx(2 * 50 / 300)
    assert np.isnan(contour_dsc({}, {}))


def test_times_are_utc():
    assert normalized_at("2026-03-01T00:30:00+09:00") == "2026-02-28T15:30:00+00:00"
    assert normalized_at("2026-03-01T00:30:00") == "2026-03-01T00:30:00+00:00"
    assert normalized_at("") == ""


def make_case(root, number, *, shift=0.0, at=None, checksum="a" * 64):
    contours = {z: square() for z in range(6)}
    source = Provenance("net", "2", checksum)
    heart = CaseStructure(Structure("Heart", 1, contours, "Heart", provenance=source), contours)
    own = CaseStructure(Structure("By hand", 2, contours, generation=GenerationAlgorithm.MANUAL))
    liver = CaseStructure(Structure("Liver", 3, contours, "Liver", provenance=source), contours)
    key = CaseKey(f"1.{number}", "1.3")
    case = Case(root / key.folder_name, key)
    case.apply(Edit("Open", added=(heart, own, liver)))
    if shift:
        case.apply(Edit("Brush", {1: {2: square(20, u=shift)}}), seconds=12)
    at = at or BEGIN
    case.apply(approve(case.state, 1, "A", at))
    case.apply(approve(case.state, 2, "A", at))
    case.apply(reject(case.state, 3, "A", "wrong", at))
    case.look(1, 2)
    return case


def test_observations_of_a_case_that_is_open(tmp_path):
    case = make_case(tmp_path, 1, shift=10)
    before = sorted(path.name for path in case.folder.iterdir())
    found, skipped = observe_cases(tmp_path, Job())
    assert not skipped
    heart, liver = found
    assert (heart.structure, heart.decision, heart.edited_slices, heart.seconds) == ("Heart", APPROVED, 1, 12)
    assert heart.dsc == pytest.approx((5 * 400 + 200) / (6 * 400))
    assert heart.added_path_length_mm == pytest.approx(20 + 20 + 2 * 10, abs=2.1)  # four sides, less the tolerance
    assert (heart.checksum, heart.month) == ("a" * 64, "2026-01")
    assert (liver.decision, liver.dsc, liver.added_path_length_mm) == (REJECTED, 0.0, None)
    assert sorted(path.name for path in case.folder.iterdir()) == before
    case.close()


def test_a_damaged_case_and_an_approval_without_time_are_listed(tmp_path):
    make_case(tmp_path, 1).close()
    case = make_case(tmp_path, 2)
    number = 1
    case.apply(Edit("Approve", fields={number: {"approved_at": ""}}))
    case.close()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "case.json").write_text("{")
    found, skipped = observe_cases(tmp_path, Job())
    assert len(found) == 3
    assert {one.finding.code for one in skipped} == {"AC-CASE-045", "AC-QA-316"}


def test_a_case_that_has_lost_changes_is_listed_and_not_counted(tmp_path):
    """A damaged record in its journal: what is left looked like an unedited contour that was approved."""
    case = make_case(tmp_path / "open", 1, shift=10)
    shutil.copytree(case.folder, tmp_path / "damaged" / case.folder.name, ignore=shutil.ignore_patterns("lock"))
    case.close()
    journal = tmp_path / "damaged" / case.folder.name / "journal.bin"
    content = bytearray(journal.read_bytes())
    content[len(content) // 2] ^= 4
    journal.write_bytes(content)
    found, skipped = observe_cases(tmp_path / "damaged", Job())
    assert not found
    assert [one.finding.code for one in skipped] == ["AC-CASE-024"]


def test_a_copy_of_a_case_counts_once(tmp_path):
    """A backup beside the case made every contour of it count twice."""
    make_case(tmp_path, 1).close()
    own = next(tmp_path.iterdir())
    shutil.copytree(own, tmp_path / "A copy")
    found, skipped = observe_cases(tmp_path, Job())
    assert len(found) == 2
    assert {one.case for one in found} == {own.name}
    assert [(one.name, one.finding.code) for one in skipped] == [("A copy", "AC-CASE-044")]
    run = RoutineRequest([tmp_path], tmp_path.with_name(f"{tmp_path.name}-report"))
    assert run_routine(run, Job())["observations"] == 2
    assert run_routine(run, Job())["observations"] == 2


def test_two_structures_of_one_standard_name_are_two_observations(tmp_path):
    contours = {0: square()}
    names = ((1, "Heart"), (2, "Heart_B"))
    items = [CaseStructure(Structure(name, k, contours, "Heart"), contours) for k, name in names]
    case = Case(tmp_path / "a", CaseKey("1", "2"))
    case.apply(Edit("Open", added=tuple(items)))
    for number in (1, 2):
        case.apply(approve(case.state, number, "A", BEGIN))
    case.close()
    found, _ = observe_cases(tmp_path, Job())
    assert {one.structure for one in found} == {"Heart", "Heart_B"}


def test_the_last_decision_counts_and_vanished_cases_are_kept():
    first, again, other = observation(1, 0.9), replace(observation(1, 0.5), at="2026-05-01"), observation(2, 0.8)
    assert merge([first, other], [again]) == [other, again]
    assert merge([first], [], read=[first.case]) == []
    assert values_of([observation(1, rejected=True)], "added_path_length_mm")[0] == np.inf


@pytest.fixture(scope="module")
def pair_folder(tmp_path_factory):
    """Automatic and approved sets of two patients, a set of neither kind, and a file of another kind."""
    root = tmp_path_factory.mktemp("pairs")
    grid = VolumeGeometry.regular((8, 32, 32), (3.0, 1.0, 1.0))
    for number in (1, 2):
        ct = write_ct_series(np.zeros((8, 32, 32), np.int16), grid, root / "CT" / str(number))
        contours = {z: square() for z in range(1, 7)}
        source = Provenance("net", "2", "c" * 64)
        structures = [Structure(name, k, contours, name, provenance=source) for k, name in ((1, "Heart"), (2, "Liver"))]
        (root / "sets" / str(number)).mkdir(parents=True)
        drawn = StructureSet("AUTO", tuple(structures))
        write_structure_set(drawn, ct, root / "sets" / str(number) / "auto.dcm")
        changed = replace(structures[0], contours={z: square(20, u=10) for z in range(1, 7)}, provenance=None)
        if number == 1:
            write_structure_set(StructureSet("OK", (changed,)), ct, root / "sets" / "1" / "approved.dcm")
    write_structure_set(drawn, ct, root / "sets" / "other.dcm")
    (root / "sets" / "notes.txt").write_text("nothing")
    return root / "sets"


def test_pairs_of_structure_sets_need_no_ct(pair_folder):
    found, skipped, _ = observe_pairs(pair_folder, "*/auto.dcm", "*/approved.dcm", Job())
    heart, liver = sorted(found, key=lambda one: one.structure)
    assert heart.dsc == pytest.approx(0.5)
    assert heart.added_path_length_mm == pytest.approx(6 * 60, rel=0.05)
    assert (heart.algorithm, heart.checksum) == ("net", "c" * 64)
    assert liver.decision == REJECTED  # the approved set does not have it
    assert sorted(one.finding.code for one in skipped) == ["AC-QA-311", "AC-QA-312"]


def test_exchanged_sides_do_not_spoil_the_baseline(tmp_path):
    """Silent fault: Lung_L of one set was compared with the right lung of the other, as a DSC of 0."""
    grid = VolumeGeometry.regular((8, 32, 64), (3.0, 1.0, 1.0))
    ct = write_ct_series(np.zeros((8, 32, 64), np.int16), grid, tmp_path / "CT")
    left, right = ({z: square(u=u) for z in range(1, 7)} for u in (40, 0))
    names = ("Lung_L", "Lung_R", "Heart")
    for file, shapes in (("auto.dcm", (left, right, left)), ("approved.dcm", (right, left, left))):
        drawn = tuple(
            Structure(name, k, shape, name) for k, (name, shape) in enumerate(zip(names, shapes, strict=True), 1)
        )
        (tmp_path / "sets").mkdir(exist_ok=True)
        write_structure_set(StructureSet("S", drawn), ct, tmp_path / "sets" / file)
    found, skipped, _ = observe_pairs(tmp_path / "sets", "auto.dcm", "approved.dcm", Job())
    assert [one.structure for one in found] == ["Heart"]
    assert [(one.finding.code, one.finding.where) for one in skipped] == [
        ("AC-QA-319", "Lung_L"),
        ("AC-QA-319", "Lung_R"),
    ]
    assert find_exchanged({"Lung_L": left}, {"Lung_L": right}) == frozenset()  # one structure drawn wrongly counts


def test_sets_in_other_planes_are_refused(pair_folder, tmp_path):
    import pydicom

    dataset = pydicom.dcmread(pair_folder / "1" / "auto.dcm")
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    values = [float(value) for value in contour.ContourData]
    values[2] += 5
    contour.ContourData = values
    dataset.save_as(tmp_path / "tilted.dcm")
    with pytest.raises(StructureSetError, match="AC-QA-315"):
        read_sets_without_ct(tmp_path / "tilted.dcm", pair_folder / "1" / "approved.dcm")


def many_cases(root, count=60):
    for number in range(count):
        make_case(root, number, shift=1 + number % 5, at=BEGIN + timedelta(days=2 * number)).close()


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    root = tmp_path_factory.mktemp("cases")
    many_cases(root)
    return root


def test_the_command_reports_a_change_of_package_and_is_silenced_by_a_person(cases, tmp_path, capsys):
    import shutil

    root, out = tmp_path / "cases", tmp_path / "out"
    shutil.copytree(cases, root)
    assert main(["monitor", str(root), "-o", str(out), "--baseline", "50", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["status"], first["cases"]) in [("stable", 60), ("signal", 60)]
    make_case(root, 100, at=BEGIN + timedelta(days=121), checksum="b" * 64).close()
    assert main(["monitor", str(root), "-o", str(out)]) == 1
    assert "another package since 2026-05-02, same version" in capsys.readouterr().out
    assert main(["monitor", str(root), "-o", str(out), "--acknowledge", "2026-05", "--note", "update"]) == 0
    page = (out / "report.html").read_text()
    assert "update" in page
    assert "net 2 bbbbbbbbbbbb<" in page  # a whole checksum moved the last columns off the page
    assert read_report(out)["acknowledged"][0]["note"] == "update"
    # cases that are archived stay in the record, and the baseline does not move
    shutil.rmtree(root)
    root.mkdir()
    assert main(["monitor", str(root), "-o", str(out)]) == 0
    assert read_report(out)["cases"] == 61
    assert read_report(out)["structures"][0]["baseline"] == first["structures"][0]["baseline"]
    assert main(["monitor", str(root), "-o", str(out), "--new-baseline", "2026-03-01"]) == 0
    assert read_report(out)["structures"][0]["status"] == "alarm" or read_report(out)["settings"]["since"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--baseline", "10"], "AC-QA-317"),
        (["--new-baseline", "soon"], "AC-US-065"),
        (["--acknowledge", "2026-13"], "AC-US-065"),
        (["--automatic", "x"], "AC-US-064"),
    ],
)
def test_wrong_requests_are_refused(tmp_path, capsys, arguments, code):
    assert main(["monitor", str(tmp_path), "-o", str(tmp_path / "out"), *arguments]) != 0
    assert code in capsys.readouterr().err


def test_a_damaged_state_and_a_foreign_folder_are_refused(tmp_path, pair_folder):
    request = RoutineRequest([], tmp_path / "out", [PairPatterns(pair_folder, "*/auto.dcm", "*/approved.dcm")])
    content = run_routine(request, Job())
    assert content["observations"] == 2
    (tmp_path / "out" / "state.json").write_text('{"wanted": 1}')
    with pytest.raises(UsageError, match="AC-QA-318"):
        run_routine(request, Job())
    (tmp_path / "out" / "thesis.doc").write_text("")
    with pytest.raises(UsageError, match="AC-QA-073"):
        run_routine(request, Job())
    assert read_report(tmp_path / "nowhere") is None


def test_pairs_from_the_command_line(tmp_path, pair_folder, capsys):
    arguments = ["--pairs", str(pair_folder), "--automatic", "*/auto.dcm", "--approved", "*/approved.dcm"]
    assert main(["monitor", "-o", str(tmp_path / "out"), *arguments]) == 0
    assert "AC-QA-312" in capsys.readouterr().out


def test_alarms_are_printed(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    rows = [one.to_json() for one in series(300, shift_from=200, shift=-0.05)]
    state = {"wanted": 50, "since": "", "acknowledged": [], "baselines": {}, "observations": rows}
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "state.json").write_text(json.dumps(state))
    assert main(["monitor", str(tmp_path / "empty"), "-o", str(tmp_path / "out")]) == 1
    assert "ALARM Heart 2026-0" in capsys.readouterr().out


def test_an_approved_set_without_a_date_and_two_automatic_sets_are_listed(pair_folder, tmp_path):
    import shutil

    import pydicom

    shutil.copytree(pair_folder / "1", tmp_path / "1")
    dataset = pydicom.dcmread(tmp_path / "1" / "approved.dcm")
    for keyword in ("ReviewDate", "StructureSetDate", "InstanceCreationDate"):
        setattr(dataset, keyword, "")
    dataset.save_as(tmp_path / "1" / "approved.dcm")
    _, skipped, _ = observe_pairs(tmp_path, "*/auto.dcm", "*/approved.dcm", Job())
    assert [one.finding.code for one in skipped] == ["AC-QA-314"]
    dataset = pydicom.dcmread(tmp_path / "1" / "auto.dcm")
    dataset.SOPInstanceUID = "1.2.3"
    (tmp_path / "2").mkdir()
    dataset.save_as(tmp_path / "2" / "auto.dcm")
    _, skipped, _ = observe_pairs(tmp_path, "*/auto.dcm", "*/approved.dcm", Job())
    assert [one.finding.code for one in skipped] == ["AC-QA-313"]
    dataset.FrameOfReferenceUID = ""
    dataset.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = "1.9"
    for item in dataset.StructureSetROISequence:
        item.ReferencedFrameOfReferenceUID = "1.9"
    dataset.save_as(tmp_path / "2" / "auto.dcm")
    with pytest.raises(StructureSetError, match="AC-RS-003"):
        read_sets_without_ct(tmp_path / "2" / "auto.dcm", tmp_path / "1" / "approved.dcm")


@pytest.mark.parametrize(
    ("at", "code"),
    [("2027-03-01", "AC-QA-321"), ("1970-01-01", "AC-QA-322"), ("2027-01-16", None), ("2000-01-01", None)],
)
def test_times_that_cannot_be_are_not_counted(tmp_path, at, code):
    """A contour approved in the future or at the epoch counted in a month of its own."""
    make_case(tmp_path / "cases", 1, at=datetime.fromisoformat(at).replace(tzinfo=UTC)).close()
    content = run_routine(RoutineRequest([tmp_path / "cases"], tmp_path / "out"), Job())
    assert content["observations"] == (0 if code else 2)
    assert [one["code"] for one in content["skipped"]] == ([code] * 2 if code else [])
    assert (content["first"], content["last"]) == ((None, None) if code else (at, at))


def test_a_time_in_the_future_of_an_earlier_run_does_not_count_either():
    kept = [observation(1), replace(observation(2), at="2031-01-01T00:00:00+00:00")]
    assert [(one.case, reason.finding.code) for one, reason in check_times(kept, NOW)] == [("Heart0002", "AC-QA-321")]


def change_set(path, **values):
    import pydicom

    dataset = pydicom.dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def test_a_pair_whose_approved_set_is_older_than_the_automatic_one_is_not_counted(pair_folder, tmp_path):
    """The patterns of the two may be exchanged."""
    shutil.copytree(pair_folder / "1", tmp_path / "1")
    change_set(tmp_path / "1" / "approved.dcm", ReviewDate="20200102", StructureSetDate="20200102")
    found, skipped, _ = observe_pairs(tmp_path, "*/auto.dcm", "*/approved.dcm", Job())
    assert (found, [one.finding.code for one in skipped]) == ([], ["AC-QA-323"])


def test_a_set_that_is_approved_again_counts_once(pair_folder, tmp_path):
    """Its new SOP Instance UID made another case of it, and the contours of both counted."""
    shutil.copytree(pair_folder / "1", tmp_path / "sets" / "1")
    request = RoutineRequest([], tmp_path / "out", [PairPatterns(tmp_path / "sets", "*/auto.dcm", "*/approved.dcm")])
    assert run_routine(request, Job())["observations"] == 2
    state = tmp_path / "out" / "state.json"
    kept = json.loads(state.read_text())
    change_set(tmp_path / "sets" / "1" / "approved.dcm", SOPInstanceUID="1.2.3.4")
    assert run_routine(request, Job())["observations"] == 2
    # An older version named the case after the approved set.
    import hashlib

    for one in kept["observations"]:
        one["case"] = hashlib.sha256(b"1.2.3.4").hexdigest()[:24]
    state.write_text(json.dumps(kept))
    assert run_routine(request, Job())["observations"] == 2


def test_alarms_of_a_month_that_has_not_begun_cannot_be_acknowledged(tmp_path):
    """It silenced every alarm of the years before it."""
    (tmp_path / "cases").mkdir()
    request = RoutineRequest([tmp_path / "cases"], tmp_path / "out", acknowledge="2027-02")
    with pytest.raises(UsageError, match="AC-QA-324"):
        run_routine(request, Job())
    assert run_routine(replace(request, acknowledge="2027-01"), Job())["acknowledged"][0]["month"] == "2027-01"


def test_a_new_baseline_in_the_future_is_refused(tmp_path):
    """With a typing error in the year nothing was watched any more, without a word."""
    (tmp_path / "cases").mkdir()
    request = RoutineRequest([tmp_path / "cases"], tmp_path / "out", new_baseline=date(2072, 1, 1))
    with pytest.raises(UsageError, match="AC-QA-325"):
        run_routine(request, Job())


def test_a_run_that_finds_no_case_states_it(tmp_path, capsys):
    """A folder that is not mounted is empty: the earlier cases alone looked like those of this month."""
    make_case(tmp_path / "cases", 1).close()
    command = ["monitor", str(tmp_path / "cases"), "-o", str(tmp_path / "out")]
    assert main(command) == 0
    assert "1 cases (1 read now), 2 contours" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "cases")
    (tmp_path / "cases").mkdir()
    assert main(command) == 0
    assert "1 cases (0 read now), 2 contours" in capsys.readouterr().out
    assert "0 cases were read in this run" in (tmp_path / "out" / "report.html").read_text()


def test_another_package_later_in_an_acknowledged_month_is_an_alarm():
    """A person acknowledged the package of the 20th; that of the 25th came after."""
    first = BEGIN + timedelta(days=200)
    rows = [replace(one, checksum="a" if n < 200 else "b" if n < 205 else "c") for n, one in enumerate(series(300))]
    acknowledged = [(first.isoformat()[:7], (first + timedelta(days=2)).isoformat()[:10])]
    changes = chart_of(rows, acknowledged=acknowledged)["changes"]
    assert [one["month"] for one in changes] == [first.isoformat()[:7]] * 2
    assert [one["acknowledged"] for one in changes] == [True, False]


def test_an_incomplete_baseline_has_no_limits():
    """The limits of the page were those of the first contours, however few."""
    rows = [replace(one, checksum="a" if n < 30 else "b") for n, one in enumerate(series(100))]
    chart = chart_of(rows)
    assert chart["baseline"]["n"] == 30
    assert all(row["dsc"]["z"] is None and row["dsc"]["standard_error"] is None for row in chart["months"])


def test_months_without_contours_are_shown_and_not_pooled_over(tmp_path):
    """Months on both sides of a gap of half a year stood beside each other, and were judged as three in a row."""
    before = series(100)  # to 10 April
    few = [observation(200 + n, 0.8, day=day) for n, day in enumerate((101, 102, 103, 104, 280, 281, 282, 283))]
    chart = chart_of([*before, *few], wanted=100)
    assert [row["month"] for row in chart["months"]] == ["2026-04", "2026-10"]
    assert chart["alarms"] == []  # four contours in each
    near = [observation(200 + n, 0.8, day=day) for n, day in enumerate((101, 102, 103, 104, 122, 123, 124, 125))]
    assert {one["test"] for one in chart_of([*before, *near], wanted=100)["alarms"]} == {"months", "tail"}
    state = {"wanted": 100, "since": "", "acknowledged": [], "baselines": {},
             "observations": [one.to_json() for one in (*before, *few)]}  # fmt: skip
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "state.json").write_text(json.dumps(state))
    run_routine(RoutineRequest([], tmp_path / "out"), Job())
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<td>2026-07</td><td>0</td>" in page.replace(' class="number"', "")
    assert list_months("2026-04", "2026-04") == ["2026-04"]
