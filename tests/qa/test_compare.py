"""Comparing structure sets: who is whose partner, and what is said of the rest."""

import json
from dataclasses import replace

import numpy as np
import pytest
from shapely import MultiPolygon, box

from autocontour.base.findings import Finding, Severity
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Structure, StructureSet
from autocontour.qa import compare_sets, match_structures, summarize_patients

GEOMETRY = VolumeGeometry.regular((10, 40, 50), (3.0, 1.0, 1.0), (-25.0, -20.0, 0.0))


def _cube(x=0.0, slices=range(2, 7), size=8.0):
    return {index: MultiPolygon([box(x - size, -size, x + size, size)]) for index in slices}


def _set(*named, tg263=()):
    names = dict(tg263)
    return StructureSet(
        "TEST", tuple(Structure(n, i, c, tg263_name=names.get(n, "")) for i, (n, c) in enumerate(named, 1))
    )


def test_the_same_name_comes_first_then_the_tg263_name():
    a = _set(("Lung_L", _cube()), ("cord", _cube()), ("PTV 1", _cube()))
    b = _set(("Spinal Cord", _cube()), ("Lung_L", _cube()), ("left lung", _cube()), ("other", _cube()))
    assert [(x.name, y.name) for x, y in match_structures(a, b)] == [("Lung_L", "Lung_L"), ("cord", "Spinal Cord")]
    compared = compare_sets(a, b, GEOMETRY)
    assert compared.only_a == ("PTV 1",)
    assert compared.only_b == ("left lung", "other")


def test_a_name_borne_twice_is_not_paired():
    a, b = _set(("Heart", _cube())), _set(("Heart", _cube()), ("Heart", _cube(3)))
    compared = compare_sets(a, b, GEOMETRY)
    assert (compared.rows, compared.only_a, compared.only_b) == ((), ("Heart",), ("Heart", "Heart"))


def test_metrics_of_a_shift():
    (row,) = compare_sets(_set(("Heart", _cube())), _set(("Heart", _cube(4.0))), GEOMETRY).rows
    assert row.metrics.dsc == pytest.approx(0.75)
    assert row.metrics.hausdorff_mm == pytest.approx(4.0)
    assert row.metrics.volume_a_cc == pytest.approx(16 * 16 * 15 / 1000)


def test_patients_are_summarized_by_tg263_name():
    patients = [
        compare_sets(_set((name, _cube())), _set((name, _cube(shift))), GEOMETRY)
        for name, shift in (("Heart", 0.0), ("heart", 4.0), ("my organ", 4.0))
    ]
    summaries = summarize_patients(patients)
    assert set(summaries) == {"Heart", "my organ"}
    assert summaries["Heart"]["dsc"].n == 2
    assert summaries["Heart"]["dsc"].mean == pytest.approx(0.875)
    assert summaries["my organ"]["hausdorff_mm"].maximum == pytest.approx(4.0)


def test_only_where_the_reference_is_drawn():
    a, b = _set(("Lung_L", _cube(slices=range(3, 6)))), _set(("Lung_L", _cube(slices=range(10))))
    assert compare_sets(a, b, GEOMETRY).rows[0].metrics.dsc < 0.5
    assert compare_sets(a, b, GEOMETRY, where_a_is_drawn=True).rows[0].metrics.dsc == 1


def test_what_was_noticed_on_reading_is_said_again():
    finding = Finding("AC-RS-999", Severity.WARN, "A contour lies on no slice.")
    (structure,) = _set(("Heart", _cube())).structures
    read = StructureSet("READ", (replace(structure, findings=(finding,)),), findings=(finding,))
    said = compare_sets(_set(("Heart", _cube())), read, GEOMETRY).findings
    assert [(f.code, f.where) for f in said] == [("AC-RS-999", "B Heart"), ("AC-RS-999", "B")]


def test_names_choose_by_either_name():
    a = _set(("cord", _cube()), ("Heart", _cube()))
    assert [row.name for row in compare_sets(a, a, GEOMETRY, names=["SpinalCord"])] == ["cord"]
    asked = compare_sets(a, _set(("Heart", _cube()), ("Eye_L", _cube())), GEOMETRY, names=["Heart", "Liver"])
    assert [row.name for row in asked] == ["Heart"]
    assert (asked.only_a, asked.only_b) == ((), ())
    assert [(f.code, f.where) for f in asked.findings] == [("AC-QA-004", "Liver")]


def test_empty_and_tiny_structures_are_said():
    tiny = {4: MultiPolygon([box(0.2, 0.2, 0.4, 0.4)])}
    a, b = _set(("Eye_L", _cube()), ("Lens_L", _cube())), _set(("Eye_L", tiny), ("Lens_L", {}))
    compared = compare_sets(a, b, GEOMETRY)
    assert [(f.code, f.where) for f in compared.findings] == [("AC-QA-003", "B Eye_L"), ("AC-QA-002", "B Lens_L")]
    assert [row.metrics.dsc for row in compared] == [0, 0]
    both = compare_sets(_set(("Lens_L", {})), _set(("Lens_L", {})), GEOMETRY)
    assert np.isnan(both.rows[0].metrics.dsc)
    assert [(f.code, f.where) for f in both.findings] == [("AC-QA-002", "Lens_L")]
    json.dumps(both.to_json(), allow_nan=False)


def test_uneven_slices_are_said():
    origins = np.array([(0.0, 0.0, z) for z in (0, 3, 6, 11)])
    uneven = VolumeGeometry(40, 50, (1.0, 1.0), np.eye(3), origins)
    a = _set(("Heart", {1: MultiPolygon([box(5, 5, 15, 15)])}))
    assert [finding.code for finding in compare_sets(a, a, uneven).findings] == ["AC-QA-001"]
