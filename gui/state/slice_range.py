"""The slices that are chosen for changes of a range, and the change that is shown before it is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from autocontour.edits import RangePlan
from autocontour.patient.structures import Contours

if TYPE_CHECKING:
    from autocontour.gui.state.workspace import Workspace


class SliceRange(QObject):
    """A range of axial slices; it belongs to the scan, whichever structure is selected.

    Signals
    -------
    changed
        Other slices are chosen.
    plan_changed
        Another change is shown, or none.

    Attributes
    ----------
    slices
        The chosen slices; None if none are.
    plan
        The change that is shown; None if there is none.
    new, gone
        The outlines that it would draw, and those that it would delete.
    """

    changed = Signal()
    plan_changed = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self._start: int | None = None
        self.slices: range | None = None
        self.plan: RangePlan | None = None
        self.new: Contours = {}
        self.gone: Contours = {}
        workspace.ct_changed.connect(self.clear)

    @property
    def count(self) -> int:
        """How many slices the scan has."""
        ct = self._workspace.ct
        return ct.geometry.shape_zyx[0] if ct else 0

    @property
    def length_mm(self) -> float:
        """Distance from the first slice of the range to the last."""
        ct = self._workspace.ct
        if self.slices is None or ct is None:
            return 0.0
        positions = ct.geometry.slice_positions_mm
        return float(positions[self.slices[-1]] - positions[self.slices[0]])

    def start_at(self, z: int) -> None:
        """Begin a new range of this one slice."""
        self._start = z
        self.choose(z, z)

    def end_at(self, z: int) -> None:
        """Let the range reach from where it began to this slice; without a beginning it is this slice."""
        if self._start is None:
            self._start = z
        self.choose(self._start, z)

    def from_here(self, by: int) -> None:
        """Choose the slices from the one shown to the last towards the head (1) or the feet (−1)."""
        z, step = self._workspace.slice_index, by * self._workspace.step_to_head
        self._start = z
        self.choose(z, self.count - 1 if step > 0 else 0)

    def choose(self, first: int, last: int) -> None:
        """Choose the slices between two, both included, in any order."""
        if self.count == 0:
            return
        low, high = sorted(min(max(z, 0), self.count - 1) for z in (first, last))
        self._take(range(low, high + 1))

    def clear(self) -> None:
        """Choose no slices."""
        self._start = None
        self._take(None)

    def show_plan(self, plan: RangePlan | None, before: Contours) -> None:
        """Show a change of the contours `before`; None shows none."""
        self.plan = plan
        self.new = {z: outline for z, outline in plan.changes.items() if outline is not None} if plan else {}
        self.gone = {z: before[z] for z in plan.removed} if plan else {}
        self.plan_changed.emit()

    def _take(self, slices: range | None) -> None:
        if slices != self.slices:
            self.slices = slices
            self.changed.emit()
