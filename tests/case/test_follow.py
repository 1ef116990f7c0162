"""Where each slice's contour came from, and proposals that were accepted."""

from __future__ import annotations

from pathlib import Path

import pytest
from shapely import MultiPolygon, Point

from autocontour.case import Case, CaseKey, Edit, actions
from autocontour.case.effort import measure_effort
from autocontour.case.follow import SliceOrigin, accept_followed, corrected_slices, count_origins, slice_origins
from autocontour.patient.structures import Structure

KEY = CaseKey("1.2.3", "1.2.4")


def disc(radius: float) -> MultiPolygon:
    return MultiPolygon([Point(0, 0).buffer(radius)])


@pytest.fixture
def case(tmp_path: Path) -> Case:
    made = Case(tmp_path / "case", KEY)
    made.apply(actions.add(made.state, Structure("Heart", 1, {z: disc(20) for z in range(8)})))
    made.apply(Edit("Brush", {1: {3: disc(25), 7: None}}))
    return made


def test_every_slice_knows_where_its_contour_came_from(case: Case) -> None:
    with case:
        assert corrected_slices(case.state[1]) == {3: disc(25), 7: None}
        case.apply(accept_followed(case.state, 1, {2: disc(23), 6: None, 3: disc(99), 7: disc(99)}))
        item = case.state[1]
        assert item.structure.contours[3].equals(disc(25))
        assert 7 not in item.structure.contours
        origins = slice_origins(item)
        assert [z for z, origin in origins.items() if origin is SliceOrigin.HAND] == [3, 7]
        assert [z for z, origin in origins.items() if origin is SliceOrigin.FOLLOWED] == [2, 6]
        assert count_origins(case.state.items) == {"automatic": 4, "hand": 2, "followed": 2}
        assert set(corrected_slices(item)) == {2, 3, 6, 7}
        case.apply(Edit("Brush", {1: {2: disc(24)}}))
        assert slice_origins(case.state[1])[2] is SliceOrigin.HAND
        case.undo()
        assert slice_origins(case.state[1])[2] is SliceOrigin.FOLLOWED
        case.undo()
        assert corrected_slices(case.state[1]) == {3: disc(25), 7: None}


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_origins_survive(case: Case, how: str, tmp_path: Path) -> None:
    case.apply(accept_followed(case.state, 1, {2: disc(23), 6: None}))
    case.apply(Edit("Brush", {1: {2: disc(24), 4: disc(21)}}))
    case.undo()
    before = slice_origins(case.state[1])
    if how == "closed":
        case.close()
    else:
        case._journal.close()
        case._lock.release()
    with Case(tmp_path / "case", KEY) as again:
        assert slice_origins(again.state[1]) == before
        assert again.state[1].followed == {2, 6}
        again.redo()
        assert slice_origins(again.state[1])[2] is SliceOrigin.HAND


def test_effort_counts_followed_slices_apart(case: Case) -> None:
    with case:
        alone = measure_effort(case.state[1], 0.0)
        case.apply(accept_followed(case.state, 1, {2: disc(23), 6: None}))
        effort = measure_effort(case.state[1], 0.0)
        assert effort.followed_slices == 2
        assert (effort.edited_slices, effort.new_outline_mm) == (alone.edited_slices, alone.new_outline_mm)


def test_contouring_again_and_reverting_forget_followed_slices(case: Case) -> None:
    with case:
        case.apply(accept_followed(case.state, 1, {2: disc(23)}))
        case.apply(actions.revert(case.state, 1))
        assert not case.state[1].followed
        case.undo()
        case.apply(actions.receive(case.state, Structure("Heart", 1, {z: disc(9) for z in range(8)})))
        assert set(slice_origins(case.state[1]).values()) == {SliceOrigin.AUTOMATIC}
