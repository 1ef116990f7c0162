"""The contours of another method are taken over: whole structures with their origin, or single slices."""

from __future__ import annotations

import pytest
from shapely import MultiPolygon, box

from autocontour.base.errors import CaseError
from autocontour.base.findings import Finding
from autocontour.case import CaseState, CaseStructure, actions
from autocontour.case.follow import SliceOrigin, slice_origins
from autocontour.case.state import edit_between
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import GenerationAlgorithm, ReviewStatus, Structure


def square(side: float) -> MultiPolygon:
    return MultiPolygon([box(0, 0, side, side)])


NETWORK = Structure("Parotid_L", 4, {1: square(5), 2: square(5), 3: square(5)}, provenance=Provenance("network", "1.0"))
DOUBT = Finding.of("AC-CO-041", "Parotid_L", structure="Parotid_L")
PROPAGATED = Structure(
    "Parotid_L",
    9,
    {2: square(6), 3: square(5), 4: square(6)},
    provenance=Provenance("autocontour propagation", "0.1"),
    findings=(DOUBT,),
)


def state(structure: Structure = NETWORK, **review: object) -> CaseState:
    return CaseState((CaseStructure(structure, structure.contours, **review),))  # type: ignore[arg-type]


def test_a_whole_structure_brings_its_origin_and_findings_in_one_step() -> None:
    before = state()
    after = before.after(actions.take(before, 4, PROPAGATED))
    item = after[4]
    assert item.structure.contours == PROPAGATED.contours
    assert item.structure.provenance == PROPAGATED.provenance
    assert item.structure.generation is GenerationAlgorithm.AUTOMATIC
    assert item.structure.status is ReviewStatus.AUTO
    assert item.structure.findings == (DOUBT,)
    assert item.automatic == PROPAGATED.contours
    assert set(slice_origins(item).values()) == {SliceOrigin.AUTOMATIC}
    back = after.patched(edit_between("Undo", after, before))
    assert back[4].structure.contours == NETWORK.contours
    assert back[4].structure.provenance == NETWORK.provenance


@pytest.mark.parametrize(("slice_index", "expected"), [(1, None), (2, square(6)), (4, square(6))])
def test_a_slice_is_taken_alone(slice_index: int, expected: MultiPolygon | None) -> None:
    before = state()
    item = before.after(actions.take(before, 4, PROPAGATED, (slice_index,)))[4]
    assert item.structure.contours.get(slice_index) == expected
    others = {z: shape for z, shape in NETWORK.contours.items() if z != slice_index}
    assert {z: shape for z, shape in item.structure.contours.items() if z != slice_index} == others
    assert item.structure.generation is GenerationAlgorithm.SEMIAUTOMATIC
    assert item.structure.provenance == NETWORK.provenance
    assert slice_origins(item)[slice_index] is SliceOrigin.FOLLOWED  # accepted from a proposal, not drawn by hand


def test_a_slice_that_is_the_same_changes_nothing() -> None:
    before = state()
    assert actions.take(before, 4, PROPAGATED, (3,)).numbers == frozenset()


def test_a_structure_drawn_by_hand_does_not_stay_manual() -> None:
    before = state(Structure("Parotid_L", 4, {2: square(4)}, generation=GenerationAlgorithm.MANUAL))
    item = before.after(actions.take(before, 4, PROPAGATED, (2,)))[4]
    assert item.structure.generation is GenerationAlgorithm.SEMIAUTOMATIC


def test_an_approved_or_locked_structure_is_not_replaced() -> None:
    approved = Structure("Parotid_L", 4, {2: square(4)}, status=ReviewStatus.APPROVED)
    for before, code in ((state(approved), "AC-CASE-012"), (state(locked=True), "AC-CASE-011")):
        for slices in (None, (2,)):
            with pytest.raises(CaseError, match=code):
                before.after(actions.take(before, 4, PROPAGATED, slices))
