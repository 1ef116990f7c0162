"""She corrects a few slices; the others follow, as a preview that she accepts or not."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from shapely import MultiPolygon

from autocontour.case import actions
from autocontour.case.follow import SliceOrigin, slice_origins
from autocontour.gui.state import following
from autocontour.gui.state.following import ALWAYS, OFF, ON_DEMAND
from autocontour.models.follow import follow
from tests.gui.conftest import disc
from tests.gui.test_editing import press

KEY, MODIFIER = Qt.Key, Qt.KeyboardModifier


class Growing:
    """A network that moves every outline outwards by 2 mm."""

    class source:  # noqa: N801
        decision = blend = None

    def __call__(self, channels: np.ndarray) -> np.ndarray:
        return np.full(channels.shape[1:], 1 + follow.DOUBT, np.float32)


@pytest.fixture(autouse=True)
def growing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "open_network", Growing)


def wait(window, qtbot) -> None:
    qtbot.waitUntil(lambda: not window.workspace.following.is_computing, timeout=20_000)


def correct(window, z: int = 12, radius: float = 36.0) -> MultiPolygon:
    shape = disc(r=radius)
    assert window.workspace.redraw("Brush", {z: shape})
    return shape


def contours(window) -> dict[int, MultiPolygon]:
    return dict(window.workspace.state[1].structure.contours)


def test_on_demand_nothing_happens_until_it_is_asked_for(opened, qtbot) -> None:
    assert opened.workspace.following.mode == ON_DEMAND
    correct(opened)
    assert not opened.workspace.following.is_computing
    press(opened, KEY.Key_F8)
    wait(opened, qtbot)
    proposal = opened.workspace.following.proposal
    assert proposal is not None
    assert 12 not in proposal.changes
    assert opened.follow_bar.isVisible()
    assert "Heart" in opened.follow_bar.words.text()


def test_a_proposal_that_takes_long_is_announced(opened, qtbot, monkeypatch) -> None:
    """The first proposal of a CT takes seconds; nothing showed that the key was taken."""
    may_end = Event()
    scan = following.Preparation.scan
    monkeypatch.setattr(following.Preparation, "scan", lambda self: (may_end.wait(20), scan(self))[1])
    correct(opened)
    press(opened, KEY.Key_F8)
    qtbot.waitUntil(lambda: "being computed" in opened.toast.text(), timeout=20_000)
    may_end.set()
    wait(opened, qtbot)
    assert opened.workspace.following.proposal is not None


def test_always_the_preview_follows_a_stroke(opened, hand, qtbot) -> None:
    opened.keep_follow_mode(ALWAYS)
    press(opened, KEY.Key_B)
    hand.stroke([(28, 0), (36, 0), (36, 10)])
    wait(opened, qtbot)
    assert opened.workspace.following.proposal is not None
    assert contours(opened)[12].area > np.pi * 30**2  # the stroke itself stands


def test_accepting_all_is_one_step_and_leaves_drawn_slices_alone(opened, qtbot) -> None:
    drawn = correct(opened)
    before = contours(opened)
    press(opened, KEY.Key_F8)
    wait(opened, qtbot)
    proposal = opened.workspace.following.proposal
    press(opened, KEY.Key_Y)
    after = contours(opened)
    assert after[12] is drawn
    assert all(after[z] is shape for z, shape in proposal.new.items())
    origins = slice_origins(opened.workspace.state[1])
    assert origins[12] is SliceOrigin.HAND
    assert {origins[z] for z in proposal.new} == {SliceOrigin.FOLLOWED}
    assert not opened.follow_bar.isVisible()
    press(opened, KEY.Key_Z, MODIFIER.ControlModifier)
    assert contours(opened) == before


@pytest.mark.parametrize(
    ("key", "modifier", "chosen"),
    [
        (KEY.Key_Up, MODIFIER.AltModifier, lambda z: z >= 15),
        (KEY.Key_Down, MODIFIER.AltModifier, lambda z: z <= 15),
        (KEY.Key_Y, MODIFIER.ShiftModifier, lambda z: z == 15),
    ],
)
def test_a_part_is_accepted_by_key_and_the_rest_stays_proposed(opened, qtbot, key, modifier, chosen) -> None:
    correct(opened)
    press(opened, KEY.Key_F8)
    wait(opened, qtbot)
    proposal = opened.workspace.following.proposal
    opened.workspace.go_to_slice(15)
    QTest.keyClick(opened, key, modifier)
    origins = slice_origins(opened.workspace.state[1])
    accepted = {z for z, origin in origins.items() if origin is SliceOrigin.FOLLOWED}
    assert accepted == {z for z in proposal.changes if chosen(z)}
    rest = opened.workspace.following.proposal
    assert rest is not None
    assert set(rest.changes) == set(proposal.changes) - accepted


def test_dismissed_by_escape_nothing_changes(opened, qtbot) -> None:
    correct(opened)
    before = opened.workspace.state
    press(opened, KEY.Key_F8)
    wait(opened, qtbot)
    press(opened, KEY.Key_Escape)
    assert opened.workspace.following.proposal is None
    assert opened.workspace.state is before
    press(opened, KEY.Key_Y)
    assert opened.workspace.state is before


def test_accepted_slices_are_not_proposed_again(opened, qtbot) -> None:
    correct(opened)
    press(opened, KEY.Key_F8)
    wait(opened, qtbot)
    opened.workspace.go_to_slice(15)
    press(opened, KEY.Key_Y, MODIFIER.ShiftModifier)
    correct(opened, 8, 33)
    wait(opened, qtbot)
    proposal = opened.workspace.following.proposal
    assert proposal is not None
    assert not {8, 12, 15} & set(proposal.changes)


@pytest.mark.parametrize("how", ["locked", "approved"])
def test_a_protected_structure_is_never_changed(opened, qtbot, how: str) -> None:
    correct(opened)
    press(opened, KEY.Key_F8)
    wait(opened, qtbot)
    space = opened.workspace
    edit = actions.set_locked(space.state, 1, locked=True) if how == "locked" else actions.approve(space.state, 1, "A")
    assert space.apply(edit)
    before = space.state
    press(opened, KEY.Key_Y)
    assert not space.following.accept()
    press(opened, KEY.Key_F8)
    wait(opened, qtbot)
    assert space.following.proposal is None
    assert space.state is before


def test_off_nothing_is_computed(opened, qtbot) -> None:
    opened.keep_follow_mode(OFF)
    correct(opened)
    press(opened, KEY.Key_F8)
    assert not opened.workspace.following.is_computing
    assert "off" in opened.toast.text()


def test_the_mode_is_remembered(opened, another_window) -> None:
    (action,) = [one for one in opened.action_set.follow_modes.actions() if one.data() == ALWAYS]
    action.trigger()
    assert another_window().workspace.following.mode == ALWAYS


def test_undoing_the_correction_takes_the_proposal_away(opened, qtbot) -> None:
    correct(opened)
    press(opened, KEY.Key_F8)
    wait(opened, qtbot)
    press(opened, KEY.Key_Z, MODIFIER.ControlModifier)
    wait(opened, qtbot)
    assert opened.workspace.following.proposal is None
    assert not opened.follow_bar.isVisible()


def test_the_slider_shows_how_far_a_slice_would_move(opened, qtbot) -> None:
    correct(opened)
    press(opened, KEY.Key_F8)
    wait(opened, qtbot)
    slider = opened.views.slider
    z = next(z for z in opened.workspace.following.proposal.moved_mm if z in contours(opened))
    assert "2." in slider.describe(slider._y(z))
    assert slider.grab().width() > 0


def test_the_ct_is_prepared_beside_the_window_before_the_first_correction(opened, qtbot, monkeypatch) -> None:
    prepared = []
    prepare = follow.prepare_scan
    monkeypatch.setattr(follow, "prepare_scan", lambda ct: prepared.append(ct) or prepare(ct))
    opened.workspace.following._soon.setInterval(1)
    opened.workspace.select(None)
    opened.workspace.select(1)
    qtbot.waitUntil(lambda: bool(prepared), timeout=20_000)
    correct(opened)
    press(opened, KEY.Key_F8)
    wait(opened, qtbot)
    assert opened.workspace.following.proposal is not None
    assert prepared == [opened.workspace.ct]


def test_stated_ends_are_part_of_the_proposal(opened, qtbot) -> None:
    correct(opened, 12)
    press(opened, KEY.Key_F8, MODIFIER.ShiftModifier)
    assert "two or more slices" in opened.toast.text()
    correct(opened, 6, 28)
    correct(opened, 18, 28)
    press(opened, KEY.Key_F8, MODIFIER.ShiftModifier)
    wait(opened, qtbot)
    proposal = opened.workspace.following.proposal
    assert set(proposal.gone) == {3, 4, 5, 19, 20, 21}
    assert "ends at the outermost" in opened.follow_bar.words.text()
    assert not opened.follow_bar.buttons["ends"].isEnabled()
    press(opened, KEY.Key_F8)
    wait(opened, qtbot)
    assert not opened.workspace.following.proposal.ends


def test_another_structure_chosen_while_it_is_computed_gets_no_proposal_of_the_first(opened, qtbot) -> None:
    space = opened.workspace
    other = space.add_structure(actions.new_structure("Node", {z: disc(-20, 0, 12) for z in range(6, 16)}))
    space.select(1)
    correct(opened)
    press(opened, KEY.Key_F8)
    first = space.following._task
    assert first is not None
    space.select(other)
    qtbot.waitUntil(lambda: not first.is_running, timeout=20_000)
    assert space.following.proposal is None
    space.select(1)
    assert space.following.proposal is None
    press(opened, KEY.Key_F8)
    wait(opened, qtbot)
    assert space.following.proposal.number == 1


def test_from_a_deleted_slice_alone_nothing_is_proposed(opened, qtbot) -> None:
    assert opened.workspace.redraw("Erase", {12: None})
    press(opened, KEY.Key_F8)
    wait(opened, qtbot)
    assert opened.workspace.following.proposal is None
    assert "deleted" in opened.toast.text()


def test_off_nothing_is_prepared(opened) -> None:
    opened.keep_follow_mode(OFF)
    opened.workspace.select(None)
    opened.workspace.select(1)
    assert not opened.workspace.following._soon.isActive()
    opened.workspace.following.prepare()
    assert opened.workspace.following._preparation is None


def test_nothing_to_follow_is_said(opened) -> None:
    press(opened, KEY.Key_F8)
    assert "Correct a slice of Heart first" in opened.toast.text()
    opened.workspace.add_structure(actions.new_structure("Node", {5: disc(r=8)}))
    press(opened, KEY.Key_F8)


def test_three_slices_of_an_unknown_structure_give_the_whole(opened, qtbot) -> None:
    number = opened.workspace.add_structure(actions.new_structure("Node", {}))
    opened.keep_follow_mode(ALWAYS)
    for z in (6, 10, 14):
        opened.workspace.redraw("Brush", {z: disc(-20, 0, 12)}, number)
    wait(opened, qtbot)
    proposal = opened.workspace.following.proposal
    assert proposal is not None
    assert set(range(7, 14)) - {10} <= set(proposal.new)


def test_an_error_is_shown_where_it_was_asked_for(opened, qtbot, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(following, "_compute", fail)
    correct(opened)
    press(opened, KEY.Key_F8)
    wait(opened, qtbot)
    assert "broken" in opened.toast.text()
    assert opened.workspace.following.proposal is None


def test_another_scan_forgets_the_proposal(opened, qtbot) -> None:
    correct(opened)
    press(opened, KEY.Key_F8)
    opened.workspace.ct_changed.emit()
    wait(opened, qtbot)
    assert opened.workspace.following.proposal is None
