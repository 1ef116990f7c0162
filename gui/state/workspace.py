"""What the window works on: the CT, its case, what is selected and what is looked at. Views listen to its signals."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from autocontour.base.errors import AutoContourError
from autocontour.base.findings import Finding
from autocontour.case import Case, CaseState, CaseStructure, Edit, ScanFacts, mark_open
from autocontour.case.need import slices_by_finding
from autocontour.gui.look.language import tr
from autocontour.gui.look.phrases import in_words
from autocontour.gui.state.background import Background
from autocontour.gui.views.planes import Plane, PlaneGrid, body_voxels
from autocontour.gui.views.windowing import PRESETS, Window
from autocontour.patient.identity import PatientFacts, case_key
from autocontour.patient.structures import GenerationAlgorithm, ReviewStatus, SliceChanges, Structure
from autocontour.patient.volume import CTVolume

IDLE_SECONDS = 30.0
"""A pause longer than this is not work on the structure."""


class Workspace(QObject):
    """The state behind the views.

    Signals
    -------
    ct_changed
        Another CT is open.
    structures_changed
        Structures were edited, added or removed.
    selection_changed, position_changed, window_changed, display_changed
        What is selected, where the crosshair stands, the grey scale, and how outlines are shown.
    said
        A sentence for the user, and whether it is a refusal.
    """

    ct_changed = Signal()
    structures_changed = Signal()
    selection_changed = Signal()
    position_changed = Signal()
    window_changed = Signal()
    display_changed = Signal()
    said = Signal(str, bool)

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
        self.fill_opacity = 0.12
        self.outlines_shown = True
        self._last_work = time.monotonic()
        self.background = Background(self)

    @property
    def state(self) -> CaseState:
        """The structures as they stand; none without a case."""
        return self.case.state if self.case else CaseState()

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

    def open(self, ct: CTVolume, case_folder: Path, source: Path | None = None) -> None:
        """Show `ct` and take up its case, as it was left.

        Raises
        ------
        CaseError
            If the case cannot be taken up; the one that is open stays.
        """
        if self.case and self.case.folder == case_folder:
            self.say(tr("This scan is open already."))
            return
        case = Case(case_folder, case_key(ct))
        self.close()
        self.ct, self.case, self.folder = ct, case, source
        self.grids = {plane: PlaneGrid.of(plane, ct.geometry) for plane in Plane}
        self.body_voxels = body_voxels(ct)
        low, high = self.body_voxels
        z, y, x = ((a + b) // 2 for a, b in zip(low, high, strict=True))
        self.position_zyx = (z, y, x)
        self.window = PRESETS["Soft tissue"]
        self.selected = next(iter(self.state.numbers), None)
        self.hidden = set()
        self.ct_changed.emit()
        self.structures_changed.emit()
        self.selection_changed.emit()
        if source is not None:
            facts = PatientFacts.of(ct)
            scan = ScanFacts(source.resolve(), case.key.series_instance_uid, facts.scan_date, facts.series)
            mark_open(case_folder, scan, case.sequence)

    def close(self) -> None:
        """Let go of the case."""
        self.background.stop()
        if self.case:
            self.case.close()
        self.case = self.ct = None

    def apply(self, edit: Edit, *, by_hand: bool = True) -> bool:
        """Carry out `edit`; say why not and return False if it is refused.

        What a hand draws counts as time of editing.
        """
        if self.case is None:
            return False
        now = time.monotonic()
        seconds, self._last_work = min(now - self._last_work, IDLE_SECONDS), now
        try:
            self.case.apply(edit, seconds if by_hand and edit.contours else 0.0)
        except AutoContourError as error:
            self.say_error(error)
            return False
        self._keep_selection()
        self.structures_changed.emit()
        return True

    def redraw(self, label: str, changes: SliceChanges, number: int | None = None) -> bool:
        """Change slices of a structure (the selected one) as one step; nothing happens without changes."""
        number = self.selected if number is None else number
        return bool(changes) and number is not None and self.apply(Edit(label, {number: changes}))

    def may_change(self, number: int | None = None) -> bool:
        """Return whether a structure (the selected one) may be drawn; say why if not."""
        number = self.selected if number is None else number
        if number is None or number not in self.state:
            self.said.emit(tr("Choose a structure to draw, or add one."), True)
            return False
        item = self.state[number]
        if item.is_protected:
            approved = tr("{name} is approved; withdraw its approval to change it.", name=item.structure.name)
            locked = tr("{name} is locked; unlock it to change it.", name=item.structure.name)
            self.said.emit(approved if item.is_approved else locked, True)
        return not item.is_protected

    def undo(self) -> None:
        """Take the last step back and say which."""
        if self.case and (label := self.case.undo_label):
            self.case.undo()
            self._moved(tr("Undone: {step}", step=in_words(label)))

    def redo(self) -> None:
        """Do the next step again and say which."""
        if self.case and (label := self.case.redo_label):
            self.case.redo()
            self._moved(tr("Done again: {step}", step=in_words(label)))

    def take_back_recovered(self) -> None:
        """Return to the state before the changes that were recovered, as one step."""
        if self.case and self.case.recovered:
            self.case.take_back_recovered()
            self._moved(tr("Taken back; Ctrl+Z brings the changes again."))

    def select(self, number: int | None) -> None:
        """Make a structure the one that tools work on."""
        if number != self.selected and (number is None or number in self.state):
            self.selected = number
            self._last_work = time.monotonic()
            self.look()
            self.selection_changed.emit()

    def go_to(self, voxel_zyx: tuple[int, int, int]) -> None:
        """Put the crosshair on a voxel, clipped to the volume."""
        if self.ct is None:
            return
        shape = self.ct.geometry.shape_zyx
        z, y, x = (min(max(i, 0), n - 1) for i, n in zip(voxel_zyx, shape, strict=True))
        if (z, y, x) != self.position_zyx:
            self.position_zyx = (z, y, x)
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
        contours = self.state[number].structure.contours if number in self.state else {}
        if contours and self.ct:
            z = sorted(contours)[len(contours) // 2]
            centre = contours[z].representative_point()
            self.go_to(self.grids[Plane.AXIAL].to_voxel(centre.x, centre.y, z))

    def go_to_place(self, place: range) -> None:
        """Show the middle of a run of slices, with the selected structure in the crosshair where it is drawn there."""
        z = place[len(place) // 2]
        outline = self.current.structure.contours.get(z) if self.current else None
        if outline is None:
            self.go_to_slice(z)
        else:
            point = outline.representative_point()
            self.go_to(self.grids[Plane.AXIAL].to_voxel(point.x, point.y, z))

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

    def add_structure(self, structure: Structure) -> int | None:
        """Add an empty or drawn structure as one step; return its number."""
        if self.case is None:
            return None
        (adopted,) = self.case.adopted((structure,))
        number = adopted.structure.number
        if not self.apply(Edit(f"Add {adopted.structure.name}", added=(adopted,))):
            return None
        self.select(number)
        return number

    def approve(self, number: int, reviewer: str) -> bool:
        """Record that `reviewer` accepts a structure as it stands."""
        name = self.state[number].structure.name
        now = datetime.now(UTC).isoformat(timespec="seconds")
        values = {"status": ReviewStatus.APPROVED, "approved_by": reviewer, "approved_at": now}
        return self.apply(Edit(f"Approve {name}", fields={number: values}))

    def withdraw_approval(self, number: int) -> bool:
        """Make an approved structure editable again."""
        structure = self.state[number].structure
        untouched = structure.generation is GenerationAlgorithm.AUTOMATIC
        status = ReviewStatus.AUTO if untouched else ReviewStatus.EDITED
        values = {"status": status, "approved_by": "", "approved_at": ""}
        return self.apply(Edit(f"Withdraw approval of {structure.name}", fields={number: values}))

    def say(self, sentence: str) -> None:
        """Tell the user something that needs no answer."""
        self.said.emit(sentence, False)

    def say_error(self, error: AutoContourError) -> None:
        """Tell the user why something was refused."""
        self.said.emit(f"{error.message} {error.remedy}".strip(), True)

    def receive(self, structure: Structure) -> None:
        """Take in a structure that was just drawn: a new one, or in place of the unprotected one of its name."""
        if self.case is None:
            return
        existing = self.state.find(structure.name)
        if existing is None:
            (adopted,) = self.case.adopted((replace(structure, imported={}),))
            self.apply(Edit(f"Auto-contour {structure.name}", added=(adopted,)), by_hand=False)
            return
        number = existing.structure.number
        slices = {**dict.fromkeys(existing.structure.contours), **structure.contours}
        values = {
            "automatic": dict(structure.contours),
            "generation": GenerationAlgorithm.AUTOMATIC,
            "status": ReviewStatus.AUTO,
            "provenance": structure.provenance,
            "findings": structure.findings,
        }
        self.apply(Edit(f"Auto-contour {structure.name}", {number: slices}, {number: values}), by_hand=False)

    def _moved(self, sentence: str) -> None:
        self._keep_selection()
        self.structures_changed.emit()
        self.say(sentence)

    def _keep_selection(self) -> None:
        if self.selected is None or self.selected not in self.state:
            # Nobody chose it, so nobody has looked at it.
            self.selected = next(iter(self.state.numbers), None)
            self.selection_changed.emit()
