"""Automatic contouring: what is asked before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autocontour.gui.dialogs.ask import ask
from autocontour.gui.look.language import tr
from autocontour.gui.panels.structure_list import is_by_hand
from autocontour.patient.identity import PatientFacts

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow


def ask_auto_contour(window: MainWindow) -> None:
    """Ask what to draw and begin."""
    from autocontour.gui.dialogs.auto import AutoContourDialog

    space, settings = window.workspace, window.settings
    if space.ct is None or window.auto_bar.is_running:
        return
    dialog = AutoContourDialog(window, space.state, PatientFacts.of(space.ct), settings.template, settings.package)
    if not dialog.exec():
        return
    template, package, names, replaced, compare = dialog.answer
    settings.template, settings.package = template, package
    if _may_replace(window, replaced):
        window.auto_bar.start(template, names, package=package, compare=compare)


def rerun_current(window: MainWindow) -> None:
    """Draw the selected structure again."""
    space = window.workspace
    current = space.current
    if current is None or window.auto_bar.is_running:
        return
    if current.is_protected:
        space.refuse(tr("{name} is protected; unlock it first.", name=current.structure.name))
    elif _may_replace(window, [current.structure.name] if is_by_hand(current) else []):
        window.auto_bar.rerun(current.structure)


def _may_replace(window: MainWindow, names: Sequence[str]) -> bool:
    """Ask whether structures that a person has drawn or edited may be replaced; nothing is asked for none."""
    if not names:
        return True
    words = tr("These structures were edited by hand or come from a file. Replace their contours?")
    return ask(window, tr("Auto-contour"), words, "\n".join(names), tr("Replace"))
