"""What the window works on: the CT, its case, what is selected and what is looked at. Views listen to its signals."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import shapely
from PySide6.QtCore import QObject, QTimer, Signal
from shapely import Polygon

from autocontour.base.errors import AutoContourError
from autocontour.base.findings import Finding
from autocontour.case import Case, CaseState, CaseStructure, Edit, actions
from autocontour.case.effort import IDLE_SECONDS
from autocontour.case.need import slices_by_finding
from autocontour.case.recipe_status import RecipeStatus, recipe_statuses
from autocontour.case.snapshots import Place
from autocontour.gui.look.language import in_window, tr
from autocontour.gui.look.phrases import in_words
from autocontour.gui.state.background import Background
from autocontour.gui.state.following import Following
from autocontour.gui.state.slice_range import SliceRange
from autocontour.gui.views.planes import Plane, PlaneGrid, body_voxels
from autocontour.gui.views.windowing import PRESETS, Window
from autocontour.patient.identity import case_key
from autocontour.patient.structures import Contours, SliceChanges, Structure
from autocontour.patient.volume import CTVolume


@dataclass(frozen=True)
class Prepared:
    """A CT that is about to be shown.

    Attributes
    ----------
    case
        Its case; None if that is open in this window already.
    body_voxels
        The first and the last voxel of the patient, roughly.
    """

    ct: CTVolume
    case: Case | None
    body_voxels: tuple[tuple[int, int, int], tuple[int, int, int]]


class Workspace(QObject):
    """The state behind the views.

    Signals
    -------
    ct_changed
        Another CT is open.
    structures_changed
        Structures were edited, added or removed; the numbers of these.
    selection_changed, position_changed, window_changed, display_changed
        What is selected, where the crosshair stands, the grey scale, and how outlines are shown.
    focus_asked
        The views are to be centred on a structure and zoomed to it.
    message
        A sentence for the user, and whether it is a refusal.
    """

    ct_changed = Signal()
    structures_changed = Signal(frozenset)
    selection_changed = Signal()
    position_changed = Signal()
    focus_asked = Signal(int)
    window_changed = Signal()
    display_changed = Signal()
    message = Signal(str, bool)

    def __init__(self) -> None:
        super().__init__()
        self.ct: CTVolume | None = None
        self.case: Case | None = None
        self.folder: Path | None = None
        self.grids: dict[Plane, PlaneGrid] = {}
        self.position_zyx = (0, 0, 0)
        self.body_voxels = ((0, 0, 0), (0, 0, 0))
        self.window = PRESETS["Soft tissue"]
        self.selected: int | None = None
        self.hidden: set[int] = set()
        self.hands = 0
        self._recipe_statuses: tuple[CaseState, Mapping[int, RecipeStatus]] = (CaseState(), {})
        self._chosen_before: list[int] = []
        self._held = self._is_drawing = False
        self._waiting: deque[Callable[[], object]] = deque()
        self.fill_opacity = 0.12
        self.outlines_shown = True
        self._last_work = time.monotonic()
        self.background = Background(self)
        self.range = SliceRange(self)
        self.following = Following(self)

    # The hand and what waits for it -----------------------------------------------------------------------------------

    @property
    def is_held(self) -> bool:
        """Whether a tool is busy: the mouse button is down in a view."""
        return self._held

    @property
    def is_drawing(self) -> bool:
        """Whether a stroke is under way; structure, slice and contours do not change meanwhile."""
        return self._held and self._is_drawing

    def hold(self, *, is_drawing: bool) -> None:
        """Keep everything as it is until `let_go`: a tool is busy."""
        self.note_hand()
        self._held, self._is_drawing = True, is_drawing

    def let_go(self) -> None:
        """End `hold`; what has waited follows."""
        self._held = self._is_drawing = False
        if self._waiting:
            QTimer.singleShot(0, self, self._catch_up)

    def when_free(self, act: Callable[[], object]) -> None:
        """Call `act` as soon as no tool is busy: at once, or after the stroke; not at all once the scan is closed."""
        self._waiting.append(act)
        self._catch_up()

    def note_hand(self) -> None:
        """Note that the user has done something; results that arrive later leave the selection alone."""
        self.hands += 1

    def _catch_up(self) -> None:
        while self._waiting and not self._held:
            self._waiting.popleft()()

    # The case -------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> CaseState:
        """The structures as they stand; none without a case."""
        return self.case.state if self.case else CaseState()

    @property
    def recipe_statuses(self) -> Mapping[int, RecipeStatus]:
        """Whether the structures that were made by recipes agree with their sources, by number."""
        state = self.state
        if self._recipe_statuses[0] is not state:
            self._recipe_statuses = (state, recipe_statuses(state))
        return self._recipe_statuses[1]

    @property
    def seen(self) -> Mapping[int, set[int]]:
        """What was looked at (see `Case`)."""
        return self.case.seen if self.case else {}

    @property
    def current(self) -> CaseStructure | None:
        """The selected structure."""
        if self.selected is None or self.selected not in self.state:
            return None
        return self.state[self.selected]

    @property
    def slice_index(self) -> int:
        """The axial slice shown."""
        return self.position_zyx[0]

    def prepare(self, ct: CTVolume, case_root: Path | None = None, source: Path | None = None) -> Prepared:
        """Take up the case of `ct` and look where the patient lies; it may run beside the window.

        Raises
        ------
        CaseError
            If the case cannot be taken up; the one that is open stays.
        """
        if self.case and self.case.key == case_key(ct):
            return Prepared(ct, None, self.body_voxels)
        return Prepared(ct, actions.open_case(ct, case_root, source), body_voxels(ct))

    def open(self, prepared: Prepared, source: Path | None = None) -> None:
        """Show a CT with its case, as it was left."""
        ct, case = prepared.ct, prepared.case
        if case is None:
            self.notify(tr("This scan is open already."))
            return
        self.background.cancel()
        self.close()
        self.ct, self.case, self.folder = ct, case, source
        self.grids = {plane: PlaneGrid.of(plane, ct.geometry) for plane in Plane}
        self.body_voxels = prepared.body_voxels
        low, high = self.body_voxels
        z, y, x = ((a + b) // 2 for a, b in zip(low, high, strict=True))
        self.position_zyx = (z, y, x)
        self.window = PRESETS["Soft tissue"]
        self.selected, self._chosen_before = next(iter(self.state.numbers), None), []
        self._return_to_place()
        self.hidden = set()
        self.ct_changed.emit()
        self.structures_changed.emit(frozenset(self.state.numbers))
        self.selection_changed.emit()

    def _return_to_place(self) -> None:
        """Go on where the case was left: at the structure and on the slice."""
        place = self.case.place if self.case else None
        if place is None or self.ct is None:
            return
        if place.number is not None and place.number in self.state:
            self.selected = place.number
        z = min(max(place.slice_index, 0), self.ct.geometry.shape_zyx[0] - 1)
        outline = self.current.structure.contours.get(z) if self.current else None
        point = outline.representative_point() if outline is not None else None
        grid = self.grids[Plane.AXIAL]
        self.position_zyx = grid.to_voxel(point.x, point.y, z) if point else (z, *self.position_zyx[1:])

    def _note_place(self) -> None:
        if self.case is not None:
            self.case.place = Place(self.selected, self.slice_index)

    def close(self) -> None:
        """Let go of the case."""
        self.background.stop()
        self._waiting.clear()
        if self.case:
            self.case.close()
        self.case = self.ct = None

    def apply(self, edit: Edit, *, by_hand: bool = True) -> bool:
        """Carry out `edit`; say why not and return False if it is refused.

        What a hand draws counts as time of editing.
        """
        if self.case is None or not self._is_free():
            return False
        if by_hand:
            self.note_hand()
        now = time.monotonic()
        seconds, self._last_work = min(now - self._last_work, IDLE_SECONDS), now
        try:
            self.case.apply(edit, seconds if by_hand and edit.contours else 0.0)
        except AutoContourError as error:
            self.report_error(error)
            return False
        self._keep_selection()
        if edit.added and by_hand:
            self._select_first()
        self.structures_changed.emit(edit.numbers)
        return True

    def redraw(self, label: str, changes: SliceChanges, number: int | None = None, *, is_viewed: bool = True) -> bool:
        """Change slices of a structure (the selected one) as one step; nothing happens without changes.

        Where the slices are not shown (`is_viewed` is False), the structure counts as not viewed until it is shown.
        """
        number = self.selected if number is None else number
        if not changes or number is None or self.case is None:
            return False
        viewed = self.case.seen.pop(number, None) if not is_viewed else None
        if not self.apply(Edit(label, {number: changes})):
            if viewed is not None:
                self.case.seen[number] = viewed
            return False
        self._bring_to_light(number)
        return True

    def may_change(self, number: int | None = None) -> bool:
        """Return whether a structure (the selected one) may be drawn; say why if not."""
        number = self.selected if number is None else number
        if number is None or number not in self.state:
            self.message.emit(tr("Choose a structure to draw, or add one."), True)
            return False
        item = self.state[number]
        if item.is_protected:
            approved = tr("{name} is approved; withdraw its approval to change it.", name=item.structure.name)
            locked = tr("{name} is locked; unlock it to change it.", name=item.structure.name)
            self.message.emit(approved if item.is_approved else locked, True)
        return not item.is_protected

    def may_draw(self) -> bool:
        """Return whether a stroke may begin on the selected structure; a hidden one is shown again."""
        if not self.may_change():
            return False
        if self.selected is not None:
            self._bring_to_light(self.selected)
        return True

    def _bring_to_light(self, number: int) -> None:
        """Show a structure that is changed, so that nothing is drawn unseen."""
        if number in self.hidden:
            self.hidden.discard(number)
            self.notify(tr("{name} was hidden; it is shown again.", name=self.state[number].structure.name))
        elif not self.outlines_shown:
            self.notify(tr("The outlines were hidden; they are shown again."))
        else:
            return
        self.outlines_shown = True
        self.display_changed.emit()

    def _is_free(self) -> bool:
        if self.is_drawing:
            self.message.emit(tr("Finish the stroke first."), True)
        return not self.is_drawing

    def undo(self) -> None:
        """Take the last step back and say which."""
        if not self._is_free():
            return
        if self.case and (label := self.case.undo_label):
            self._move(self.case.undo, tr("Undone: {step}", step=in_words(label)))

    def redo(self) -> None:
        """Do the next step again and say which."""
        if not self._is_free():
            return
        if self.case and (label := self.case.redo_label):
            self._move(self.case.redo, tr("Redone: {step}", step=in_words(label)))

    def take_back_recovered(self) -> None:
        """Return to the state before the changes that were recovered, as one step."""
        if not self._is_free():
            return
        if self.case and self.case.recovered:
            self._move(self.case.take_back_recovered, tr("Reverted; Ctrl+Z restores the changes."))

    def select(self, number: int | None) -> None:
        """Make a structure the one that tools work on; not while a stroke is under way."""
        self.note_hand()
        if number != self.selected and not self.is_drawing and (number is None or number in self.state):
            if self.selected is not None:
                self._chosen_before = [n for n in self._chosen_before if n != self.selected] + [self.selected]
            self.selected = number
            self._last_work = time.monotonic()
            self._note_place()
            self.look()
            self.selection_changed.emit()

    def select_beside(self, by: int) -> None:
        """Select the next structure of the list (1), or the one before (−1)."""
        numbers = self.state.numbers
        if numbers:
            at = numbers.index(self.selected) if self.selected in numbers else -1 if by > 0 else 0
            self.select(numbers[(at + by) % len(numbers)])

    def go_to(self, voxel_zyx: tuple[int, int, int]) -> None:
        """Put the crosshair on a voxel, clipped to the volume; not while a stroke is under way."""
        self.note_hand()
        if self.ct is None or self.is_drawing:
            return
        shape = self.ct.geometry.shape_zyx
        z, y, x = (min(max(i, 0), n - 1) for i, n in zip(voxel_zyx, shape, strict=True))
        if (z, y, x) != self.position_zyx:
            self.position_zyx = (z, y, x)
            self._note_place()
            self.look()
            self.position_changed.emit()

    @property
    def step_to_head(self) -> int:
        """What the index of an axial slice changes by towards the head: 1 or −1."""
        return self.ct.geometry.step_to_head if self.ct else 1

    def step(self, plane: Plane, by: int) -> None:
        """Move `by` slices along a plane's axis; axial ones towards the head."""
        voxel = list(self.position_zyx)
        voxel[plane.value] += by * self.step_to_head if plane is Plane.AXIAL else by
        self.go_to((voxel[0], voxel[1], voxel[2]))

    def go_to_slice(self, z: int) -> None:
        """Show axial slice `z`."""
        self.go_to((z, *self.position_zyx[1:]))

    def go_to_structure(self, number: int) -> None:
        """Put the crosshair in the middle of a structure."""
        contours = self._contours_within(number)
        if contours:
            z = sorted(contours)[len(contours) // 2]
            centre = contours[z].representative_point()
            self.go_to(self.grids[Plane.AXIAL].to_voxel(centre.x, centre.y, z))
            self.focus_asked.emit(number)

    def voxels_of(self, number: int) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
        """Return the lowest and the highest voxel of a structure; None where it is empty or there is none."""
        contours = self._contours_within(number)
        if not contours:
            return None
        left, top, right, bottom = shapely.total_bounds(list(contours.values()))
        grid, first, last = self.grids[Plane.AXIAL], min(contours), max(contours)
        (_, y0, x0), (_, y1, x1) = grid.to_voxel(left, top, first), grid.to_voxel(right, bottom, last)
        return (first, y0, x0), (last, y1, x1)

    def _contours_within(self, number: int) -> Contours:
        """Return the contours of a structure on slices of the CT; none of a structure that is not there."""
        if self.ct is None or number not in self.state:
            return {}
        count = self.ct.geometry.shape_zyx[0]
        return {z: outline for z, outline in self.state[number].structure.contours.items() if 0 <= z < count}

    def go_to_place(self, place: range) -> None:
        """Show the middle of a run of slices, with the selected structure in the crosshair where it is drawn there."""
        z = place[len(place) // 2]
        outline = self.current.structure.contours.get(z) if self.current else None
        if outline is None:
            self.go_to_slice(z)
        else:
            point = outline.representative_point()
            self.go_to(self.grids[Plane.AXIAL].to_voxel(point.x, point.y, z))
        if self.selected is not None:
            self.focus_asked.emit(self.selected)

    def look(self) -> None:
        """Note that the selected structure is looked at on this slice."""
        if self.case is not None and self.selected is not None:
            self.case.look(self.selected, self.slice_index)

    def marked_slices(self) -> dict[int, tuple[Finding, ...]]:
        """Return every slice that a finding of the selected structure or of the scan points at, with those that do."""
        own = self.current.structure.findings if self.current else ()
        count = self.ct.geometry.shape_zyx[0] if self.ct else 0
        marked = slices_by_finding((*own, *(self.ct.findings if self.ct else ())))
        return {z: findings for z, findings in marked.items() if z < count}

    def set_window(self, window: Window) -> None:
        """Change the grey scale."""
        self.window = window
        self.window_changed.emit()

    def show(self, number: int, *, shown: bool) -> None:
        """Show or hide a structure."""
        (self.hidden.discard if shown else self.hidden.add)(number)
        self.display_changed.emit()

    def image_box(self, z: int) -> Polygon:
        """Return what the image of axial slice `z` covers, in u and v."""
        e = self.grids[Plane.AXIAL].extent_at(z)
        return shapely.box(e.left, e.top, e.left + e.width, e.top + e.height)

    def add_structure(self, structure: Structure, *, hands: int | None = None) -> int | None:
        """Add an empty or drawn structure as one step; return its number.

        Parameters
        ----------
        structure
            The new structure.
        hands
            `hands` when a computation of it began: it is selected only if the user has done nothing since.
        """
        return self.add(actions.add(self.state, structure), hands=hands)

    def add(self, edit: Edit, *, hands: int | None = None) -> int | None:
        """Carry out an edit that adds one structure (see `add_structure`); return its number."""
        is_selected = hands is None or hands == self.hands
        added = edit.added[0].structure
        if not self.apply(edit):
            return None
        if is_selected:
            self.select(added.number)
        else:
            self.notify(tr("{name} is ready; it is in the list.", name=added.name))
        return added.number

    def approve(self, number: int, reviewer: str) -> bool:
        """Record that `reviewer` accepts a structure as it stands."""
        return self.apply(actions.approve(self.state, number, reviewer))

    def withdraw_approval(self, number: int) -> bool:
        """Make an approved structure editable again."""
        return self.apply(actions.withdraw_approval(self.state, number))

    def notify(self, sentence: str) -> None:
        """Show a message that needs no answer."""
        self.message.emit(sentence, False)

    def refuse(self, sentence: str) -> None:
        """Show why something was not done."""
        self.message.emit(sentence, True)

    def report_error(self, error: AutoContourError) -> None:
        """Show why something was refused."""
        self.refuse(in_window(error))

    def receive(self, structure: Structure, *, run: str = "", hands: int | None = None) -> None:
        """Take in a structure that was just drawn: a new one, or in place of the unprotected one of its name.

        Structures of one `run` are undone together. Where nothing is selected the first structure is, unless the user
        has done something since `hands`.
        """
        if self.case is not None:
            self.apply(actions.receive(self.state, structure, run), by_hand=False)
        if hands is None or hands == self.hands:
            self._select_first()

    def note_findings(self, found: Mapping[str, tuple[Finding, ...]], *, run: str = "") -> None:
        """Replace the findings of structures that were just drawn, by name (see `actions.note_findings`)."""
        edit = actions.note_findings(self.state, found, run) if self.case is not None else None
        if edit is not None:
            self.apply(edit, by_hand=False)

    def _move(self, act: Callable[[], object], sentence: str) -> None:
        """Move in the history; say what was done, or why it was not (the disk is full)."""
        before = self.state
        try:
            act()
        except AutoContourError as error:
            self.report_error(error)
            return
        self._keep_selection()
        self.structures_changed.emit(changed_numbers(before, self.state))
        self.notify(sentence)

    def _keep_selection(self) -> None:
        """Where the selected structure is gone, select the one before it; redo may bring it back."""
        if self.selected is not None and self.selected in self.state:
            return
        if self.selected is not None:
            self._chosen_before.append(self.selected)
        # It was not chosen now, so it has not been looked at.
        found = next((number for number in reversed(self._chosen_before) if number in self.state), None)
        if found != self.selected:
            self.selected = found
            self.selection_changed.emit()

    def _select_first(self) -> None:
        """Select a structure where none is."""
        if self.selected is None:
            # It was not chosen, so it has not been looked at.
            self.selected = next(iter(self.state.numbers), None)
            self.selection_changed.emit()


def changed_numbers(before: CaseState, after: CaseState) -> frozenset[int]:
    """Return the numbers of the structures that two states do not share."""
    one, other = ({item.structure.number: item for item in state.items} for state in (before, after))
    return frozenset(number for number in {*one, *other} if one.get(number) is not other.get(number))
