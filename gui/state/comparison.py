"""The selected structure against its automatic contour and other observers': who, how far apart, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from autocontour.case.actions import rivals_of
from autocontour.contouring import volume_cc
from autocontour.gui.look.language import later
from autocontour.gui.state.tasks import Task
from autocontour.gui.state.workspace import Workspace
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.matching import find_partner
from autocontour.patient.structures import Contours, StructureSet

if TYPE_CHECKING:
    from shapely import MultiPolygon

    from autocontour.qa import PairMetrics

DIFFERING_MM2 = 20.0
"""Slices whose outlines differ by more than this area are marked."""
SETTLE_MS = 350
"""The exact figures are worked out once the hand has rested this long."""
AUTOMATIC = later("original contours")


@dataclass(frozen=True)
class Style:
    """How a compared set's outlines are drawn: a colour and a pattern of dashes and gaps, in widths of the line."""

    color_rgb: tuple[int, int, int]
    dashes: tuple[float, ...]


STYLES = (
    Style((255, 255, 255), (4, 3)),
    Style((80, 220, 255), (9, 3)),
    Style((255, 120, 230), (1.5, 2.5)),
    Style((255, 225, 90), (9, 3, 1.5, 3)),
    Style((140, 255, 140), (5, 2, 1.5, 2, 1.5, 2)),
)


class Overlap:
    """How far two stacks of outlines overlap, exact on the polygons; only slices that changed are worked out again."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[MultiPolygon | None, MultiPolygon | None, float, float]] = {}
        self.dice = 1.0
        self.differing: tuple[int, ...] = ()

    def update(self, a: Contours, b: Contours, geometry: VolumeGeometry) -> None:
        """Take the outlines as they stand."""
        self._known = {z: self._slice(z, a.get(z), b.get(z)) for z in {*a, *b}}
        thickness = geometry.slice_thicknesses_mm
        shared = sum(row[2] * thickness[z] for z, row in self._known.items())
        whole = shared * 2 + sum(row[3] * thickness[z] for z, row in self._known.items())
        self.dice = float(2 * shared / whole) if whole else 1.0
        self.differing = tuple(sorted(z for z, row in self._known.items() if row[3] > DIFFERING_MM2))

    def _slice(
        self, z: int, a: MultiPolygon | None, b: MultiPolygon | None
    ) -> tuple[MultiPolygon | None, MultiPolygon | None, float, float]:
        """Return both outlines with what they share and what only one has, in mm²."""
        known = self._known.get(z)
        if known is not None and known[0] is a and known[1] is b:
            return known
        area_a, area_b = (shape.area if shape is not None else 0.0 for shape in (a, b))
        both = area_a if a is b else a.intersection(b).area if a is not None and b is not None else 0.0
        return a, b, float(both), float(area_a + area_b - 2 * both)


@dataclass
class Compared:
    """A set that the selected structure is compared with.

    Attributes
    ----------
    label
        What it is called on the screen.
    style
        How its outlines are drawn.
    structures
        The observer's structure set; None for contours of the case.
    number
        The structure of the case, where another drawer drew the selected one as well; None for others.
    contours
        Its outlines of the selected structure; empty if it has none.
    overlap
        How far both overlap, live.
    volume_cc
        Of its outlines.
    metrics
        The figures of `autocontour evaluate`; None until they are worked out.
    """

    label: str
    style: Style
    structures: StructureSet | None = None
    number: int | None = None
    contours: Contours = field(default_factory=dict)
    overlap: Overlap = field(default_factory=Overlap)
    volume_cc: float = 0.0
    metrics: PairMetrics | None = None


class Comparison(QObject):
    """What is compared, kept up with every edit: overlap at once, the exact figures when the hand rests.

    Parameters
    ----------
    is_busy
        Whether a stroke is under way; the exact figures wait for its end.
    """

    changed = Signal()

    def __init__(self, workspace: Workspace, is_busy: Callable[[], bool], parent: QObject) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.is_shown = False
        self.sets = [Compared(AUTOMATIC, STYLES[0])]
        self._is_busy = is_busy
        self._task: Task | None = None
        self._timer = QTimer(self, interval=SETTLE_MS, singleShot=True)
        self._timer.timeout.connect(self._measure)
        workspace.ct_changed.connect(self._forget)
        workspace.structures_changed.connect(self._follow_changes)
        workspace.selection_changed.connect(self.update)

    @property
    def drawn(self) -> tuple[tuple[Contours, Style], ...]:
        """What is drawn dashed."""
        return tuple((one.contours, one.style) for one in self.sets if one.contours) if self.is_shown else ()

    @property
    def differing(self) -> tuple[int, ...]:
        """Slices on which any of the sets differs visibly."""
        shown = [one for one in self.sets if one.contours] if self.is_shown else []
        return tuple(sorted({z for one in shown for z in one.overlap.differing}))

    def show(self, *, shown: bool) -> None:
        """Show or hide all of it."""
        self.is_shown = shown
        self.update()

    def add(self, structures: StructureSet, name: str) -> None:
        """Compare with another set; `name` distinguishes it from others of the same label."""
        taken = {one.label for one in self.sets}
        label = structures.label.strip() or name
        label = label if label not in taken else f"{label} ({name})"
        used = [one.style for one in self.sets]
        style = min(STYLES, key=used.count)
        self.sets.append(Compared(label, style, structures))
        self.show(shown=True)

    def remove(self, one: Compared) -> None:
        """Compare with a set no longer."""
        self.sets.remove(one)
        self.update()

    def _follow_changes(self, changed: frozenset[int]) -> None:
        if self.workspace.selected is None or self.workspace.selected in changed:
            self.update()

    def update(self) -> None:
        """Follow the selected structure as it stands."""
        current, ct = self.workspace.current, self.workspace.ct
        self._timer.stop()
        self._drop_task()
        self._follow_rivals()
        for one in self.sets:
            self._follow(one)
        if self.is_shown and current is not None and ct is not None:
            for one in self.sets:
                one.overlap.update(current.structure.contours, one.contours, ct.geometry)
            if any(one.contours for one in self.sets):
                self._timer.start()
        self.changed.emit()

    def _follow_rivals(self) -> None:
        """Compare with what other drawers drew of the selected structure."""
        current, state = self.workspace.current, self.workspace.state
        numbers = rivals_of(state, current.structure.number) if current is not None and self.is_shown else ()
        if [one.number for one in self.sets if one.number is not None] == list(numbers):
            return
        self.sets = [one for one in self.sets if one.number is None]
        for number in numbers:
            structure = state[number].structure
            by = structure.provenance.algorithm if structure.provenance else ""
            style = min(STYLES, key=[one.style for one in self.sets].count)
            self.sets.append(Compared(f"{structure.name}   {by}", style, number=number))

    def _follow(self, one: Compared) -> None:
        current, ct = self.workspace.current, self.workspace.ct
        before = one.contours
        if current is None or ct is None or not self.is_shown:
            one.contours = {}
        elif one.number is not None:
            one.contours = self.workspace.state[one.number].structure.contours
        elif one.structures is None:
            one.contours = current.automatic
        else:
            partner = find_partner(current.structure, self.workspace.state, one.structures)
            one.contours = partner.contours if partner else {}
        if one.contours is not before:
            one.volume_cc = volume_cc(one.contours, ct.geometry) if ct else 0.0
        one.metrics = None

    def _measure(self) -> None:
        from autocontour.qa import compare_contours

        current, ct = self.workspace.current, self.workspace.ct
        if current is None or ct is None:
            return
        if self._is_busy():
            self._timer.start()
            return
        mine, geometry = current.structure.contours, ct.geometry
        waiting = [one for one in self.sets if one.contours]
        theirs = [one.contours for one in waiting]
        # The task looks at contours, which never change: an edit makes others, and drops the task.
        task = Task(lambda job: [compare_contours(mine, other, geometry) for other in job.track(theirs, "")], self)
        task.done.connect(partial(self._take, task, waiting))
        self._task = task
        task.start()

    def _take(self, task: Task, sets: list[Compared], metrics: list[PairMetrics]) -> None:
        if task is not self._task:
            return
        self._task = None
        for one, found in zip(sets, metrics, strict=True):
            one.metrics = found
        self.changed.emit()

    def _drop_task(self) -> None:
        if self._task is not None:
            self._task.job.cancel()
            self._task = None

    def _forget(self) -> None:
        """Another scan: what was loaded for the last one does not belong to it."""
        self.sets = [Compared(AUTOMATIC, STYLES[0])]
        self.show(shown=False)
