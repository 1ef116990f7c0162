"""Results of a study read for a view: boxes, outliers, the worst slice, and the CT they belong to."""

import json
import math
import shutil
from pathlib import Path

import pytest
from shapely import affinity

from autocontour.base.errors import UsageError
from autocontour.base.jobs import Job
from autocontour.qa.commissioning.study.request import SetRole, StudyRequest
from autocontour.qa.commissioning.study.results import Result, read_results
from autocontour.qa.commissioning.study.run import run_study
from autocontour.rtstruct import write_structure_set
from tests.qa.commissioning.blind_cohort import organs, structure_set, write_patient

SHIFTS = (1.0, 1.5, 2.0, 2.5, 3.0, 14.0)


def renamed(shift):
    """Return the contours under names of organs without limits of volume."""
    names = {"Heart": "Stomach", "Liver": "Pancreas", "Kidney_L": "Duodenum"}
    return {names[name]: mine for name, mine in organs(shift).items()}


def write_study(root: Path) -> Path:
    """Write six patients; of the last one, one structure is far off and another was not drawn."""
    for number, shift in enumerate(SHIFTS):
        place = root / "cohort" / f"patient{number}"
        ct = write_patient(place, number, ())
        write_structure_set(structure_set("manual", renamed(0), ct), ct, place / "manual" / "RS.dcm")
        drawn = renamed(shift)
        if number == len(SHIFTS) - 1:
            del drawn["Pancreas"]
            drawn["Stomach"] = {k: affinity.scale(s, 1, 0.5 if k == 7 else 1) for k, s in drawn["Stomach"].items()}
        write_structure_set(structure_set("automatic", drawn, ct), ct, place / "vendor" / "RS.dcm")
    request = StudyRequest(
        root / "cohort", root / "report", reference="*/manual/*", others=[SetRole("vendor", "*/vendor/*")], pictures=0
    )
    with pytest.raises(UsageError):
        run_study(request, Job())
    names = request.names_file
    names.write_text(names.read_text().replace("confirmed = false", "confirmed = true"))
    run_study(request, Job())
    return root / "report"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture
def copy(report, tmp_path):
    shutil.copytree(report, tmp_path / "report")
    shutil.copytree(report.with_name("report.private"), tmp_path / "report.private")
    return tmp_path / "report"


def test_boxes_and_outliers(report):
    results = read_results(report)
    assert results.structures == ["Duodenum", "Pancreas", "Stomach"]
    assert results.methods == ["vendor"]
    assert results.missing == []
    assert next(iter(results.tables)).title == "Results"
    heart = results.box("Stomach", "vendor", "dsc")
    values = [one.values["dsc"] for one in heart.results]
    assert values == sorted(values)  # the worst first
    assert heart.outliers == {heart.results[0].patient}
    assert heart.whiskers[0] == values[1]
    assert heart.quartiles[0] < heart.quartiles[1] < heart.quartiles[2]
    liver = results.box("Pancreas", "vendor", "hd95_mm")
    assert liver.results[0].is_missing
    assert math.isinf(liver.results[0].values["hd95_mm"])
    assert math.isfinite(liver.whiskers[1])
    assert liver.outliers == {liver.results[0].patient}
    volumes = results.box("Stomach", "vendor", "volume_difference_cc")
    sizes = [abs(one.values["volume_difference_cc"]) for one in volumes.results]
    assert sizes == sorted(sizes, reverse=True)


def test_the_worst_slice_is_where_most_had_to_be_added(report):
    results = read_results(report)
    worst = results.box("Stomach", "vendor", "dsc").results[0]
    lengths = {one["slice"]: one["added_path_length_mm"] for one in worst.slices}
    assert lengths[worst.worst_slice] == max(lengths.values())
    assert Result("p", "s", "m", {}, False, ()).worst_slice is None


def test_contours_and_ct_are_those_of_the_result(report):
    results = read_results(report)
    liver = results.box("Pancreas", "vendor", "dsc").results
    reference, drawn = results.contours(liver[0])
    assert reference
    assert drawn == {}
    reference, drawn = results.contours(liver[-1])
    assert reference.keys() == drawn.keys()
    ct = results.read_ct(liver[0].patient, Job())
    assert ct.hu.shape == tuple(results.records[liver[0].patient]["shape_zyx"])


def test_a_record_of_another_run_is_not_shown(copy):
    results = read_results(copy)
    first, second, third = sorted(results.records)[:3]
    records = {name: copy / "patients" / f"{name}.json" for name in (first, second, third)}
    changed = json.loads(records[first].read_text()) | {"fingerprint": "another"}
    records[first].write_text(json.dumps(changed))
    records[second].write_text("{")
    (copy / "patients" / f"{third}.contours.json.gz").unlink()
    again = read_results(copy)
    assert sorted(again.missing) == [first, second, third]
    assert len(again.box("Stomach", "vendor", "dsc").results) == len(SHIFTS) - 3


def test_a_ct_with_other_values_or_another_place_is_not_shown(copy):
    results = read_results(copy)
    patient = sorted(results.records)[0]
    sources = copy.with_name("report.private") / "sources.json"
    places = json.loads(sources.read_text())
    other = next(name for name in sorted(results.records) if name != patient)
    sources.write_text(json.dumps(places | {patient: places[other]}))  # another patient's CT
    for content in (None, "{", "{}", json.dumps({patient: {"ct": str(copy / "nowhere")}})):
        with pytest.raises(UsageError, match="AC-QA-242"):
            results.read_ct(patient, Job())
        sources.write_text(content or "[]")
    sources.unlink()
    with pytest.raises(UsageError, match="AC-QA-242"):
        results.read_ct(patient, Job())


def test_a_ct_that_cannot_be_read_is_not_shown(copy, tmp_path):
    results = read_results(copy)
    patient = sorted(results.records)[0]
    sources = copy.with_name("report.private") / "sources.json"
    place = Path(json.loads(sources.read_text())[patient]["ct"])
    shutil.copytree(place, tmp_path / "CT")
    sorted((tmp_path / "CT").iterdir())[4].unlink()
    sources.write_text(json.dumps({patient: {"ct": str(tmp_path / "CT")}}))
    with pytest.raises(UsageError, match="AC-QA-242"):
        results.read_ct(patient, Job())


def test_damaged_contours_are_not_shown(copy):
    results = read_results(copy)
    worst = results.box("Stomach", "vendor", "dsc").results[0]
    (copy / "patients" / f"{worst.patient}.contours.json.gz").write_bytes(b"x")
    with pytest.raises(UsageError, match="AC-QA-241"):
        results.contours(worst)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "autocontour commissioning", "version": 9}',
                                     '{"format": "autocontour commissioning", "version": 1}'])  # fmt: skip
def test_folders_without_a_report(tmp_path, content):
    with pytest.raises(UsageError, match="AC-QA-240"):
        read_results(tmp_path)
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(UsageError, match="AC-QA-240"):
        read_results(tmp_path)


def test_a_metric_without_a_finite_value_has_no_box(copy):
    results = read_results(copy)
    for record in results.records.values():
        for row in record["rows"]:
            if row["structure"] == "Pancreas":
                row["hd95_mm"], row["missing"] = None, True
    box = results.box("Pancreas", "vendor", "hd95_mm")
    assert math.isnan(box.quartiles[1])
    assert box.outliers == {one.patient for one in box.results}
