"""A course in the viewer: another CT beside the open one, linked by registration, and the contours of each method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.base.jobs import Job
from autocontour.case import CaseState, CaseStructure, actions
from autocontour.course.alternatives import Alternative, read_alternatives, with_findings
from autocontour.course.contour import read_date, read_planning, read_rigid
from autocontour.course.intake import find_course
from autocontour.course.linked import LinkedPlace, linked_place
from autocontour.course.record import Course, CourseCT
from autocontour.course.trend import CONTOURED, Limits, Trend, read_limits, read_trend
from autocontour.gui.look.language import tr
from autocontour.gui.state.tasks import Task
from autocontour.gui.state.workspace import Workspace
from autocontour.gui.views.planes import Plane, PlaneGrid, body_voxels
from autocontour.patient.identity import case_key
from autocontour.patient.structures import StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.registration.rigid import Rigid

T = TypeVar("T")


@dataclass(frozen=True)
class LoadedCourse:
    """A course as read from its folder."""

    course: Course
    trend: Trend
    limits: Limits


@dataclass(frozen=True)
class LoadedCT:
    """A CT of the course in memory.

    Attributes
    ----------
    ct
        Its entry in the course.
    volume
        The CT.
    structure_set
        The chosen contours; those of the planning CT for it.
    alternatives
        Structure → its contours by each method; none on the planning CT.
    rigid
        To the planning CT.
    """

    ct: CourseCT
    volume: CTVolume
    structure_set: StructureSet
    alternatives: Mapping[str, tuple[Alternative, ...]] = field(default_factory=dict)
    rigid: Rigid = field(default_factory=Rigid.identity)
    body_voxels: tuple[tuple[int, int, int], tuple[int, int, int]] = ((0, 0, 0), (0, 0, 0))


class Reference(Workspace):
    """The CT that is only looked at; nothing in it can be changed."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: LoadedCT | None = None
        self._shown_state = CaseState()

    @property
    def state(self) -> CaseState:
        """Its structures."""
        return self._shown_state

    def show_loaded(self, loaded: LoadedCT | None) -> None:
        """Show a CT of the course; None shows nothing."""
        self.loaded = loaded
        self.ct = loaded.volume if loaded else None
        self._shown_state = CaseState()
        if loaded is not None:
            items = (CaseStructure(one, one.contours) for one in loaded.structure_set.structures)
            self._shown_state = CaseState(tuple(items))
            self.grids = {plane: PlaneGrid.of(plane, loaded.volume.geometry) for plane in Plane}
            self.body_voxels = loaded.body_voxels
            low, high = self.body_voxels
            z, y, x = ((a + b) // 2 for a, b in zip(low, high, strict=True))
            self.position_zyx = (z, y, x)
        self.selected = None
        self.ct_changed.emit()
        self.structures_changed.emit(frozenset(self.state.numbers))


class CourseDesk(QObject):
    """The course that is open, the CT that is looked at beside, and what is known of the CT that is worked on.

    Signals
    -------
    changed
        Another course, or what is known of the CT that is worked on.
    own_loaded
        What the course has about the CT that is worked on was read.
    looked_at
        Another CT is shown beside.
    moved
        The linked position has changed.
    begun, ended
        Something is read.
    """

    changed = Signal()
    own_loaded = Signal()
    looked_at = Signal()
    moved = Signal()
    begun = Signal()
    ended = Signal()

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.reference = Reference()
        self.loaded: LoadedCourse | None = None
        self.own: LoadedCT | None = None
        """The CT that is worked on, if it belongs to the course and is contoured there."""
        self.place: LinkedPlace | None = None
        self._reading: dict[str, Task] = {}
        self._takes_in = ""
        self._is_following = False
        workspace.ct_changed.connect(self._follow_ct)
        workspace.position_changed.connect(self._follow_position)
        workspace.selection_changed.connect(self._follow_selection)
        workspace.window_changed.connect(lambda: self.reference.set_window(workspace.window))
        self.reference.position_changed.connect(self._follow_reference)

    # The course -------------------------------------------------------------------------------------------------------

    def open(self, folder: Path) -> None:
        """Read a course beside the window."""

        def read(_: Job) -> LoadedCourse:
            course = find_course(folder)
            return LoadedCourse(course, read_trend(course), read_limits())

        self._read("course", read, self._show_course)

    def refresh(self) -> None:
        """Read the course again: another program may have contoured further dates."""
        if self.loaded is not None:
            self.open(self.loaded.course.folder)

    def _show_course(self, loaded: LoadedCourse) -> None:
        is_other = self.loaded is None or self.loaded.course.folder != loaded.course.folder
        self.loaded = loaded
        if is_other:
            self.own = None
            self.reference.show_loaded(None)
            self.looked_at.emit()
        self.changed.emit()
        self._follow_ct()

    @property
    def cts(self) -> tuple[CourseCT, ...]:
        """The planning CT and the later ones."""
        return (self.loaded.course.planning, *self.loaded.course.dates) if self.loaded else ()

    def entry_of(self, volume: CTVolume | None) -> CourseCT | None:
        """Return the entry of a CT by its Series Instance UID; None if it does not belong to the course."""
        reference = volume.reference if volume else None
        uid = reference.series_instance_uid if reference else ""
        return next((ct for ct in self.cts if uid and ct.series_instance_uid == uid), None)

    def title_of(self, ct: CourseCT | None) -> str:
        """Return what a CT is called on the screen: its date, and whether it is the planning CT."""
        if ct is None or self.loaded is None:
            return ""
        date = ct.date or tr("without a date")
        return tr("Planning CT, {date}", date=date) if ct is self.loaded.course.planning else date

    def state_of(self, ct: CourseCT) -> tuple[str, str]:
        """Return the state of a later CT in the course, and why it was refused."""
        dates = self.loaded.trend.dates if self.loaded else ()
        found = next((one for one in dates if one.ct.series_instance_uid == ct.series_instance_uid), None)
        return (found.state, found.error[1]) if found else (CONTOURED, "")

    # The CT that is worked on -----------------------------------------------------------------------------------------

    def will_take_in(self, ct: CourseCT) -> None:
        """Take the course's contours into the case of a CT that is about to be opened, if it has none."""
        self._takes_in = ct.series_instance_uid

    def _follow_ct(self) -> None:
        """Read what the course has about the CT that was opened."""
        self.own, self.place = None, None
        entry = self.entry_of(self.workspace.ct)
        if entry is not None and self.state_of(entry)[0] == CONTOURED:
            self._read("own", lambda job: self._load(entry, job), self._take_own)
        else:
            self._forget("own")
        self.changed.emit()
        self._follow_position()

    def _take_own(self, loaded: LoadedCT) -> None:
        volume, case = self.workspace.ct, self.workspace.case
        if volume is None or case is None or case_key(volume) != case_key(loaded.volume):
            return  # another CT was opened meanwhile, or its files are others than those that were contoured
        self.own = loaded
        if self._takes_in == loaded.ct.series_instance_uid and not self.workspace.state.items:
            self._take_in(loaded)
        self._takes_in = ""
        self.own_loaded.emit()
        self.changed.emit()
        self._follow_position()

    def _take_in(self, loaded: LoadedCT) -> None:
        assert self.workspace.case is not None  # its only caller has asked
        try:
            edit = actions.import_structures(self.workspace.case, loaded.structure_set)
        except AutoContourError as error:
            self.workspace.report_error(error)
        else:
            self.workspace.apply(edit, by_hand=False)

    @property
    def alternatives(self) -> tuple[Alternative, ...]:
        """The contours of the selected structure by each method, on the CT that is worked on."""
        current = self.workspace.current
        if self.own is None or current is None:
            return ()
        named = {name.casefold(): found for name, found in self.own.alternatives.items()}
        return named.get(current.structure.name.casefold(), ())

    def take(self, alternative: Alternative, *, only_slice: bool) -> bool:
        """Take the contours of a method into the selected structure as one step; say why not if it is protected."""
        space = self.workspace
        current = space.current
        if current is None or alternative not in self.alternatives or not space.may_change():
            return False
        number, slices = current.structure.number, (space.slice_index,) if only_slice else None
        edit = actions.take(space.state, number, alternative.structure, slices)
        if not any(edit.contours.values()) and only_slice:
            space.notify(tr("On this slice both are the same."))
            return False
        return space.apply(edit, by_hand=False)

    # The CT beside ----------------------------------------------------------------------------------------------------

    def look_at(self, ct: CourseCT) -> None:
        """Show another CT of the course beside; without contours where it is not contoured."""
        if self.loaded is not None:
            self._read("beside", lambda job: self._load(ct, job), self._show_beside)

    def _show_beside(self, loaded: LoadedCT) -> None:
        self.reference.set_window(self.workspace.window)
        self.reference.show_loaded(loaded)
        self.looked_at.emit()
        self._follow_selection()
        self._follow_position()

    def _load(self, ct: CourseCT, job: Job) -> LoadedCT:
        assert self.loaded is not None  # asked by the callers
        course = self.loaded.course
        if ct is course.planning:
            volume, contours = read_planning(course, job)
            return LoadedCT(ct, volume, contours, body_voxels=body_voxels(volume))
        volume, chosen, by_method = read_date(course, ct, job)
        alternatives = read_alternatives(course, ct, by_method)
        rigid = read_rigid(course, ct)
        assert rigid is not None  # it is contoured, or read_date had raised
        whole = with_findings(course, ct, chosen)
        return LoadedCT(ct, volume, whole, alternatives, rigid, body_voxels(volume))

    @property
    def is_linked(self) -> bool:
        """Whether the position beside follows the one that is worked on."""
        return self.own is not None and self.reference.loaded is not None

    def _follow_position(self) -> None:
        """Show beside what the crosshair is on."""
        beside = self.reference.loaded
        if self.own is None or beside is None:
            self.place = None
        elif not self._is_following:
            own, other = self.own.volume.geometry, beside.volume.geometry
            self.place = linked_place(self.workspace.position_zyx, own, self.own.rigid, other, beside.rigid)
            self._is_following = True
            self.reference.go_to(self.place.voxel_zyx)
            self._is_following = False
        self.moved.emit()

    def _follow_reference(self) -> None:
        """Show in the window what was scrolled to beside."""
        beside = self.reference.loaded
        if self._is_following or self.own is None or beside is None:
            return
        own, other = self.own.volume.geometry, beside.volume.geometry
        place = linked_place(self.reference.position_zyx, other, beside.rigid, own, self.own.rigid)
        self._is_following = True
        if place.is_inside:
            self.workspace.go_to(place.voxel_zyx)
        self.place = linked_place(self.workspace.position_zyx, own, self.own.rigid, other, beside.rigid)
        self._is_following = False
        self.moved.emit()

    def _follow_selection(self) -> None:
        """Select beside the structure of the same name."""
        current = self.workspace.current
        same = self.reference.state.find(current.structure.name) if current else None
        self.reference.select(same.structure.number if same else None)
        self.changed.emit()

    # Reading ----------------------------------------------------------------------------------------------------------

    def _read(self, what: str, read: Callable[[Job], T], take: Callable[[T], object]) -> None:
        """Read beside the window; what was asked for before is dropped."""
        self._forget(what)
        task = self._reading[what] = Task(read, self)
        task.done.connect(lambda result: take(result) if self._end(what, task) else None)
        task.failed.connect(lambda error: self._fail(error) if self._end(what, task) else None)
        task.start()
        self.begun.emit()

    def _end(self, what: str, task: Task) -> bool:
        """Whether a task that has ended is still wanted."""
        if self._reading.get(what) is not task:
            return False
        del self._reading[what]
        if not self._reading:
            self.ended.emit()
        return True

    def _forget(self, what: str) -> None:
        task = self._reading.pop(what, None)
        if task is not None:
            task.cancel()

    def _fail(self, error: AutoContourError) -> None:
        if not isinstance(error, Cancelled):
            self.workspace.report_error(error)

    @property
    def is_reading(self) -> bool:
        """Whether something is being read."""
        return bool(self._reading)

    def stop(self) -> None:
        """Drop what is being read."""
        for what in list(self._reading):
            self._forget(what)
