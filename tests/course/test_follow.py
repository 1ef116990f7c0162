"""A few corrected slices on a later CT of a course: the others follow."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from shapely.affinity import scale

from autocontour.base.errors import CourseError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.course import follow_date, read_date
from autocontour.rtstruct import read_structure_set, write_structure_set

NAME = "Parotid_L"


@pytest.fixture(scope="module")
def corrected(contoured, tmp_path_factory):
    """The date's contours with two larger slices, as a person saves them; their positions."""
    course = contoured
    ct, chosen, _ = read_date(course, course.dates[0], Job())
    structure = chosen[NAME]
    slices = sorted(structure.contours)
    changed = [slices[len(slices) // 3], slices[2 * len(slices) // 3]]
    contours = {**structure.contours, **{z: scale(structure.contours[z], 1.3, 1.3) for z in changed}}
    edited = replace(structure, contours=contours, imported={})
    path = tmp_path_factory.mktemp("corrected") / "RS.dcm"
    structures = tuple(edited if one is structure else one for one in chosen.structures)
    write_structure_set(replace(chosen, structures=structures), ct, path)
    return course, ct, path, [float(ct.geometry.slice_origins_lps_mm[z, 2]) for z in changed], changed


def test_the_other_slices_of_the_propagated_contour_follow(corrected, tmp_path, capsys):
    course, ct, path, positions, changed = corrected
    before = {one: one.read_bytes() for one in course.folder.rglob("*") if one.is_file()}
    out = tmp_path / "out.dcm"
    places = [str(z) for z in positions]
    date = course.dates[0].name
    arguments = [str(course.folder), date, str(path), "--structure", NAME, "--corrected", *places, "-o", str(out)]
    assert main(["course", "follow", *arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["corrected_slices"] == changed
    written, drawn = (read_structure_set(one, ct)[NAME] for one in (out, path))
    for z in changed:
        assert written.contours[z].equals(drawn.contours[z])
    moved = {one["slice"] for one in report["changed_slices"]}
    assert bool(moved) == report["likely_to_help"]
    assert all(written.contours[z].equals(drawn.contours[z]) for z in drawn.contours if z not in moved)
    assert {one: one.read_bytes() for one in course.folder.rglob("*") if one.is_file()} == before


def test_what_does_not_fit_is_refused(corrected, tmp_path):
    course, _, path, positions, _ = corrected

    def follow(date):
        follow_date(course, date, path, tmp_path / "out.dcm", NAME, positions, Job())

    with pytest.raises(CourseError) as refused:
        follow("2001-01-01")
    assert refused.value.code == "AC-CO-007"
    folder = course.folder_of(course.dates[0])
    for name, code in (("RS.dcm", "AC-CO-050"), ("result.json", "AC-CO-051")):
        kept = (folder / name).read_bytes()
        try:
            if name == "RS.dcm":
                (folder / name).write_bytes(kept + b"\0")
            else:
                (folder / name).unlink()
            with pytest.raises(CourseError) as refused:
                follow(course.dates[0].name)
            assert refused.value.code == code
        finally:
            (folder / name).write_bytes(kept)
    assert not (tmp_path / "out.dcm").exists()
