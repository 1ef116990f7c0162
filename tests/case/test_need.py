"""What needs a look first, and why."""

from dataclasses import replace

import pytest
from shapely import MultiPolygon, Point

from autocontour.base.findings import Finding, Severity
from autocontour.case import CaseState, CaseStructure
from autocontour.case.need import assess_need, choose_next, open_places, runs
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import ReviewStatus, Structure

WARN, INFO, BLOCK = Severity.WARN, Severity.INFO, Severity.BLOCK


def disc():
    return MultiPolygon([Point(0, 0).buffer(10)])


def item(number, name="Heart", findings=(), confidence=None, status=ReviewStatus.AUTO):
    contours = {z: disc() for z in range(10)}
    source = Provenance("net", "1", confidence=confidence)
    structure = Structure(name, number, contours, findings=findings, provenance=source, status=status)
    return CaseStructure(structure, contours)


def doubt(*slices, severity=WARN):
    return Finding("AC-QA-006", severity, "It changes suddenly.", slices=slices)


def order(items, seen):
    return [i.structure.number for i in sorted(items, key=lambda i: assess_need(i, seen).rank, reverse=True)]


def test_findings_come_before_an_unsure_network_before_what_was_never_looked_at():
    approved = item(1, findings=(doubt(3),), status=ReviewStatus.APPROVED)
    one, two = item(2, findings=(doubt(3),)), item(3, findings=(doubt(3), doubt(8)))
    worse = item(4, findings=(doubt(severity=BLOCK),))
    unsure, sure, looked = item(5, confidence=0.7), item(6, confidence=0.95), item(7)
    everything = [approved, one, two, worse, unsure, sure, looked]
    assert order(everything, {7: {5}}) == [4, 3, 2, 5, 6, 7, 1]


@pytest.mark.parametrize(
    ("one", "seen", "reason"),
    [
        (item(1, findings=(doubt(3),)), {}, "1 finding, not viewed"),
        (item(1, findings=(doubt(3), doubt(7, 8))), {1: {0}}, "2 findings, 2 places not viewed"),
        (item(1, confidence=0.62), {}, "network unsure (0.62), not viewed"),
        (item(1, confidence=0.97), {}, "not viewed"),
        (item(1), {1: {4}}, "viewed, not approved"),
        (item(1, findings=(doubt(3, severity=INFO),)), {1: {4}}, "viewed, not approved"),
        (item(1, status=ReviewStatus.APPROVED), {}, ""),
    ],
)
def test_the_reason_is_one_short_phrase(one, seen, reason):
    assert assess_need(one, seen).reason == reason


def test_a_place_is_settled_by_a_look_or_by_drawing_it_anew():
    one = item(1, findings=(doubt(2, 3, 4, 8), doubt(12)))
    assert open_places(one, {}) == (range(2, 5), range(8, 9), range(12, 13))
    assert open_places(one, {1: {4}}) == (range(8, 9), range(12, 13))
    drawn = {**one.structure.contours, 8: disc(), 12: disc()}
    edited = replace(one, structure=replace(one.structure, contours=drawn))
    assert open_places(edited, {1: {4}}) == ()


def test_one_key_walks_through_all_that_is_open_and_then_through_the_rest():
    items = (item(1), item(2, findings=(doubt(3), doubt(8))), item(3))
    state, seen, selected, walked = CaseState(items), {}, 1, []
    for _ in range(7):
        chosen, need = choose_next(state, selected, seen)
        selected = chosen.structure.number
        place = need.places[0] if need.places else None
        seen.setdefault(selected, set()).add(place[0] if place else 5)
        walked.append((selected, place[0] if place else None))
    assert walked == [(2, 3), (2, 8), (1, None), (3, None), (1, None), (2, None), (3, None)]


def test_when_all_is_approved_nothing_is_next():
    assert choose_next(CaseState((item(1, status=ReviewStatus.APPROVED),)), 1, {}) is None


def test_neighbouring_slices_are_one_place():
    assert runs([7, 3, 4, 5, 9, 4]) == (range(3, 6), range(7, 8), range(9, 10))
