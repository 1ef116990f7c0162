"""Slices that would follow the corrected ones: computed beside the window, shown before they are accepted."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from autocontour.base.errors import AutoContourError, Cancelled, FollowError
from autocontour.base.findings import Finding
from autocontour.case.follow import SliceOrigin, accept_followed, corrected_slices, slice_origins
from autocontour.gui.look.language import later, sentence_of, tr, tr_count
from autocontour.gui.state.tasks import Task
from autocontour.patient.structures import Contours, SliceChanges

if TYPE_CHECKING:
    from autocontour.case import CaseStructure
    from autocontour.gui.state.workspace import Workspace
    from autocontour.models.follow.follow import Followed, Scan
    from autocontour.patient.volume import CTVolume

OFF, ON_DEMAND, ALWAYS = "off", "on-demand", "always"
MODES = {OFF: later("Off"), ON_DEMAND: later("On demand"), ALWAYS: later("Always")}
LEAST_FROM_NOTHING = 2
"""Slices that must be drawn of a structure without automatic contours; in mode `ALWAYS` one more."""
PATIENCE_MS = 400
"""A proposal that was asked for and takes longer is announced."""
PREPARED_AFTER_MS = 1500
"""After a structure was selected, once it has been looked at for this long."""


@dataclass(frozen=True)
class Proposal:
    """The slices of one structure that would change.

    Attributes
    ----------
    number
        Of the structure.
    changes, moved_mm, findings
        As in `autocontour.models.follow.follow.Followed`.
    before
        The contours it was computed for.
    seconds
        From the request to the result.
    ends
        Whether the outermost drawn slices were stated to be the structure's first and last one.
    """

    number: int
    changes: SliceChanges
    moved_mm: Mapping[int, float]
    findings: tuple[Finding, ...]
    before: Contours
    seconds: float
    ends: bool = False

    @property
    def new(self) -> Contours:
        """The outlines that it would draw."""
        return {z: shape for z, shape in self.changes.items() if shape is not None}

    @property
    def gone(self) -> Contours:
        """The outlines that it would delete."""
        return {z: self.before[z] for z, shape in self.changes.items() if shape is None and z in self.before}


class Preparation:
    """What a proposal needs besides the slices, found once for each CT: the body, the CT for the network, the network.

    Parameters
    ----------
    ct
        The CT.
    """

    def __init__(self, ct: CTVolume) -> None:
        self.ct = ct
        self._scan: Scan | None = None
        self._lock = Lock()

    def scan(self) -> Scan:
        """Return the prepared CT; called in a thread, where a second caller waits for the first."""
        from autocontour.models.follow import follow
        from autocontour.models.follow.network import open_network

        with self._lock:
            if self._scan is None:
                scan = follow.prepare_scan(self.ct)
                open_network()
                self._scan = scan
            return self._scan


class Following(QObject):
    """The proposal for the selected structure, and when one is made.

    Signals
    -------
    changed
        Another proposal is shown, or none, or one is being computed.

    Attributes
    ----------
    mode
        `OFF`, `ON_DEMAND` or `ALWAYS`: whether corrections are followed, and whether that is asked for each time.
    proposal
        What is shown; None if nothing is.
    """

    changed = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self.mode = ON_DEMAND
        self.proposal: Proposal | None = None
        self._task: Task | None = None
        self._waits = False
        self._is_asked = self._accepts = False
        self._ended = set[int]()
        self._preparation: Preparation | None = None
        self._soon = QTimer(self, singleShot=True, interval=PREPARED_AFTER_MS)
        self._soon.timeout.connect(self.prepare)
        self._patience = QTimer(self, singleShot=True, interval=PATIENCE_MS)
        self._patience.timeout.connect(self._announce)
        workspace.ct_changed.connect(self._forget)
        workspace.selection_changed.connect(self._follow_selection)
        workspace.structures_changed.connect(self._follow)

    @property
    def is_computing(self) -> bool:
        """Whether a proposal is being computed."""
        return self._task is not None

    def set_mode(self, mode: str) -> None:
        """Change when corrected slices are followed; a proposal that is shown goes away with `OFF`."""
        self.mode = mode if mode in MODES else ON_DEMAND
        if self.mode == OFF:
            self.dismiss()

    def prepare(self) -> None:
        """Find in a thread what the first proposal of a CT needs, so that it comes as soon as the others."""
        ct = self._workspace.ct
        if ct is None or self.mode == OFF or self._preparation is not None:
            return
        preparation = self._preparation = Preparation(ct)
        Task(lambda _: preparation.scan(), self).start()  # an error is found again, and shown, by who asks

    def has_ends(self, number: int) -> bool:
        """Whether the outermost drawn slices of a structure are stated to be its first and last one."""
        return number in self._ended

    def ask(self, *, ends: bool = False) -> None:
        """Compute a proposal for the selected structure; say why if there is nothing to follow.

        `ends` states that the outermost drawn slices are the structure's first and last one; it holds until the next
        question about this structure.
        """
        space, item = self._workspace, self._workspace.current
        if item is None or not space.may_change():
            return
        if self.mode == OFF:
            space.refuse(tr("Following corrected slices is off: choose On demand or Always in the menu Slices."))
            return
        if problem := _problem(item, LEAST_FROM_NOTHING):
            space.refuse(problem)
            return
        if ends and _drawn(item) < LEAST_FROM_NOTHING:
            space.report_error(FollowError("AC-FO-007"))
            return
        number = item.structure.number
        self._ended = self._ended | {number} if ends else self._ended - {number}
        self._is_asked = True
        self._patience.start()
        self._compute()

    def _announce(self) -> None:
        if self.is_computing and self._is_asked:
            self._workspace.notify(tr("The proposal is being computed…"))

    def dismiss(self) -> None:
        """Show nothing; nothing is changed."""
        self._waits = self._is_asked = False
        self._task = None
        if self.proposal is not None:
            self.proposal = None
        self.changed.emit()

    def accept(self, chosen: Callable[[int], bool] = lambda _: True) -> bool:
        """Accept the proposed slices that `chosen` is true of, as one step; the others are still shown."""
        space, proposal = self._workspace, self.proposal
        if proposal is None or space.case is None or space.is_held or not space.may_change(proposal.number):
            return False
        if space.state[proposal.number].structure.contours is not proposal.before:
            space.refuse(tr("The structure has changed meanwhile: ask again."))
            return False
        accepted = {z: shape for z, shape in proposal.changes.items() if chosen(z)}
        if not accepted:
            space.refuse(tr("No slice would change there."))
            return False
        rest = {z: shape for z, shape in proposal.changes.items() if z not in accepted}
        viewed = space.case.seen.pop(proposal.number, None)  # slices change that are not shown
        self._accepts = True
        is_applied = space.apply(accept_followed(space.state, proposal.number, accepted))
        self._accepts = False
        if not is_applied:
            if viewed is not None:
                space.case.seen[proposal.number] = viewed
            return False
        self.proposal, self._task, self._waits = None, None, False
        self._is_asked = self._is_asked and bool(rest)
        contours = space.state[proposal.number].structure.contours
        if rest:
            moved = {z: proposal.moved_mm[z] for z in rest}
            self.proposal = replace(proposal, changes=rest, moved_mm=moved, before=contours)
        space.notify(tr_count(len(accepted), "{count} slice accepted.", "{count} slices accepted."))
        self.changed.emit()
        return True

    def accept_here(self) -> bool:
        """Accept the slice that is shown."""
        here = self._workspace.slice_index
        return self.accept(lambda z: z == here)

    def accept_from_here(self, by: int) -> bool:
        """Accept the slice that is shown and all towards the head (1) or the feet (−1)."""
        here, step = self._workspace.slice_index, by * self._workspace.step_to_head
        return self.accept(lambda z: (z - here) * step >= 0)

    def _follow(self, changed: Collection[int]) -> None:
        """Compute again after a change of the selected structure, if it is followed."""
        item = self._workspace.current
        if self._accepts:
            return
        if item is None or item.structure.number not in changed:
            if self.proposal is not None and self.proposal.number not in self._workspace.state:
                self.dismiss()
            return
        if self.proposal is not None and item.structure.contours is self.proposal.before and not item.is_protected:
            return
        was_shown = self.proposal is not None or self._is_asked
        self.proposal = None
        wanted = self.mode == ALWAYS or (self.mode == ON_DEMAND and was_shown)
        if not wanted or item.is_protected or _problem(item, LEAST_FROM_NOTHING + 1):
            self.dismiss()
            return
        self._compute()

    def _compute(self) -> None:
        """Compute a proposal in a thread; while one is being computed, the next waits."""
        space = self._workspace
        item, ct = space.current, space.ct
        if item is None or ct is None:
            return
        if self._task is not None:
            self._waits = True
            return
        corrected, automatic, before = corrected_slices(item), item.automatic, item.structure.contours
        number, start = item.structure.number, time.monotonic()
        ends = self.has_ends(number) and _drawn(item) >= LEAST_FROM_NOTHING
        preparation = self._preparation = self._preparation or Preparation(ct)
        if not any(origin is SliceOrigin.AUTOMATIC for origin in slice_origins(item).values()):
            automatic = {}  # drawn by hand throughout
        task = self._task = Task(lambda _: _compute(preparation, corrected, automatic, ends), self)
        task.done.connect(lambda done: space.when_free(lambda: self._finish(task, number, before, start, ends, done)))
        task.failed.connect(lambda error: space.when_free(lambda: self._fail(task, error)))
        self.changed.emit()
        task.start()

    def _finish(self, task: Task, number: int, before: Contours, start: float, ends: bool, followed: Followed) -> None:
        space = self._workspace
        if task is not self._task:
            return
        self._task = None
        item = space.current
        is_same = item is not None and item.structure.number == number and item.structure.contours is before
        if self._waits or not is_same:
            self._waits = False
            if item is not None and not item.is_protected and not _problem(item, LEAST_FROM_NOTHING):
                self._compute()
            return
        shown = followed.changes if followed.is_likely or self._is_asked else {}
        if shown:
            seconds = time.monotonic() - start
            self.proposal = Proposal(number, shown, followed.moved_mm, followed.findings, before, seconds, ends)
        elif self._is_asked:
            space.notify(" ".join(sentence_of(one) for one in followed.findings))
        self._is_asked = self._is_asked and bool(shown)
        self.changed.emit()

    def _fail(self, task: Task, error: AutoContourError) -> None:
        if task is not self._task:
            return
        self._task, self._waits = None, False
        if self._is_asked and not isinstance(error, Cancelled):
            self._workspace.report_error(error)
        self._is_asked = False
        self.changed.emit()

    def _forget(self) -> None:
        self._preparation = None
        self._ended = set()
        self._follow_selection()

    def _follow_selection(self) -> None:
        self.dismiss()
        item = self._workspace.current
        if item is not None and not item.is_protected and self.mode != OFF and self._preparation is None:
            self._soon.start()
        else:
            self._soon.stop()


def _compute(preparation: Preparation, corrected: SliceChanges, automatic: Contours, ends: bool) -> Followed:
    """Return the proposal; runs in a thread."""
    from autocontour.models.follow.follow import follow_slices

    return follow_slices(preparation.scan(), corrected, automatic, ends=ends)


def _problem(item: CaseStructure, least: int) -> str:
    """Return why nothing can be followed; empty if it can."""
    corrected, drawn = corrected_slices(item), _drawn(item)
    others = any(origin is SliceOrigin.AUTOMATIC for origin in slice_origins(item).values())
    if others and not corrected:
        return tr("Correct a slice of {name} first: the others follow it.", name=item.structure.name)
    if not others and drawn < least:
        return tr("Draw {name} on two slices or more: the others follow them.", name=item.structure.name)
    return ""


def _drawn(item: CaseStructure) -> int:
    """Return how many corrected slices have a contour."""
    return sum(shape is not None for shape in corrected_slices(item).values())
