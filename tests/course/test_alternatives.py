"""What each method drew on a later CT, with the findings about it."""

from __future__ import annotations

from autocontour.base.findings import Severity
from autocontour.base.jobs import Job
from autocontour.course import read_course, read_date
from autocontour.course.alternatives import read_alternatives, with_findings
from autocontour.course.choice import PROPAGATED
from autocontour.course.intake import find_course


def test_every_method_of_a_structure_under_its_own_name(contoured) -> None:
    course = read_course(contoured.folder)
    (ct,) = course.dates
    _, chosen, by_method = read_date(course, ct, Job())
    found = read_alternatives(course, ct, by_method)
    assert set(found) == {structure.name for structure in chosen.structures}
    for name, alternatives in found.items():
        assert {one.structure.name for one in alternatives} == {name}
        assert len([one for one in alternatives if one.is_chosen]) == 1
        taken = next(one for one in alternatives if one.is_chosen)
        assert taken.structure.contours.keys() == chosen[name].contours.keys()
        assert taken.structure.provenance == chosen[name].provenance
    propagated = [one for ones in found.values() for one in ones if one.method == PROPAGATED]
    assert {one.structure.provenance.algorithm for one in propagated} == {"autocontour propagation"}


def test_a_target_keeps_its_warning_where_its_file_has_none(contoured) -> None:
    """A propagated CTV that comes into a case without its warning would look like any other structure."""
    course = read_course(contoured.folder)
    (ct,) = course.dates
    _, chosen, by_method = read_date(course, ct, Job())
    target = with_findings(course, ct, chosen)["CTV_54"]
    assert [one for one in target.findings if one.severity >= Severity.WARN]
    (only,) = read_alternatives(course, ct, by_method)["CTV_54"]
    assert [one for one in only.structure.findings if one.severity >= Severity.WARN]


def test_a_course_is_found_beside_its_patient(contoured, tmp_path) -> None:
    (tmp_path / "p1-course").symlink_to(contoured.folder, target_is_directory=True)
    assert find_course(tmp_path / "p1").dates == contoured.dates
    assert find_course(contoured.folder).dates == contoured.dates
