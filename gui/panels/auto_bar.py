"""The strip under the tool bar while organs are being drawn: progress, time left, cancel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

from PySide6.QtCore import Signal

from autocontour.base.errors import AutoContourError
from autocontour.gui.look.language import sentence_of, tr, tr_count
from autocontour.gui.panels.progress_strip import ProgressStrip
from autocontour.gui.state.tasks import Task, contour_beside
from autocontour.gui.state.workspace import Workspace
from autocontour.patient.structures import Structure
from autocontour.pipeline.worker import Done, Order

NOT_FOUND = "AC-PL-001"


class AutoBar(ProgressStrip):
    """Runs auto-contouring and shows how far it is.

    Signals
    -------
    drawn_by_template
        The structures of a template were drawn: its name, and the run that the steps belong to.
    """

    drawn_by_template = Signal(str, str)

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(tr("Auto-contouring"))
        self.workspace = workspace
        self.task: Task | None = None
        self._count = self._hands = self.process_id = 0
        self._target = self._package = self._run = self._template = ""
        self.cancel.clicked.connect(self.stop)
        workspace.ct_changed.connect(self.stop)

    @property
    def is_running(self) -> bool:
        """Whether organs are being drawn."""
        return self.task is not None and self.task.is_running

    def start(
        self,
        template: str,
        names: tuple[str, ...],
        target: str = "",
        package: str = "",
        *,
        compare: bool = False,
    ) -> None:
        """Begin to draw `names`; one run at a time.

        Parameters
        ----------
        template, names, package, compare
            As the pipeline takes them.
        target
            The clinic's name of the one structure that is drawn again; empty to keep the names as drawn.
        """
        ct = self.workspace.ct
        if ct is None or self.is_running:
            return
        self.process_id = 0
        self._count, self._hands, self._run = 0, self.workspace.hands, f"Auto-contour#{uuid4().hex[:8]}"
        self._target, self._package, self._template = target, package, template
        task = self.task = contour_beside(ct, Order(template, names, package, compare=compare), self)
        task.advanced.connect(self.show_progress)

        def in_turn(act: Callable[[Any], object]) -> Callable[[object], None]:
            """Let a stroke under way come first, and ignore a run that was stopped."""
            return lambda content: self.workspace.when_free(lambda: act(content) if task is self.task else None)

        task.sent.connect(in_turn(self._receive))
        task.done.connect(in_turn(self._finish))
        task.failed.connect(in_turn(self._fail))
        self.show_progress("Starting…", 0.0)
        self.show()
        task.start()

    def rerun(self, structure: Structure) -> None:
        """Draw one structure again, by the package that drew it if that is still there."""
        from autocontour.models import available_packages  # slow to import: not while the window comes up

        by = structure.provenance.algorithm if structure.provenance else ""
        package = by if by in {one.name for one in available_packages()} else ""
        self.start("", (structure.tg263_name or structure.name,), target=structure.name, package=package)

    def stop(self) -> None:
        """Stop at once; what was drawn stays."""
        if self.task is not None and self.task.is_running:
            self.task.cancel()
            self.workspace.notify(tr("Auto-contouring was stopped; what was drawn so far is there."))
        self.task = None
        self.hide()

    def _receive(self, structure: Structure | int) -> None:
        if isinstance(structure, int):
            self.process_id = structure
            return
        self._count += 1
        named = replace(structure, name=self._target) if self._target else structure
        self.workspace.receive(named, run=self._run, hands=self._hands)

    def _finish(self, done: Done) -> None:
        self.hide()
        findings = done.findings
        self.workspace.note_findings(
            {self._target or name: found for name, found in done.of_structures.items()}, run=self._run
        )
        drawn = tr_count(
            self._count,
            "{count} structure drawn. Look at it before you approve it.",
            "{count} structures drawn. Look at each before you approve it.",
        )
        missing = ", ".join(finding.where for finding in findings if finding.code == NOT_FOUND)
        doubts = [sentence_of(f) for f in findings if self._package and f.code.startswith("AC-MD")]
        self.workspace.notify(
            " ".join([drawn, tr("Not found: {names}.", names=missing) if missing else "", *doubts]).strip()
        )
        if self._template:
            self.drawn_by_template.emit(self._template, self._run)

    def _fail(self, error: AutoContourError) -> None:
        self.hide()
        self.workspace.report_error(error)
