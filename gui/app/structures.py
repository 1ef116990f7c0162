"""What is asked about single structures: a new one, those of a site, colour, type, statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog, QInputDialog

from autocontour.base.jobs import Job
from autocontour.case import Edit, actions
from autocontour.case.targets import add_waiting
from autocontour.gui.dialogs.shape import NameDialog
from autocontour.gui.look.language import tr, tr_count
from autocontour.site.preflight import INTERPRETED_TYPES

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow


def ask_structure(window: MainWindow) -> None:
    """Ask for a name and add an empty structure."""
    if window.workspace.case is None:
        return
    dialog = NameDialog(window, tr("Add a structure"))
    if dialog.exec():
        window.workspace.add_structure(actions.new_structure(dialog.name, {}))


def ask_template(window: MainWindow) -> None:
    """Ask for a site template and add those of its structures that are not there, empty, to be drawn."""
    from autocontour.site.template import list_templates, read_template

    space = window.workspace
    name, is_given = QInputDialog.getItem(
        window, tr("Structures of a site"), tr("Template"), list_templates(), 0, False
    )
    if space.case is None or not is_given:
        return
    template = read_template(name)
    entries = [entry for entry in template.structures if space.state.find(entry.name) is None]
    drawn = actions.add(space.state, *(actions.new_structure(entry.name, {}) for entry in entries))
    waiting = add_waiting(space.state.patched(drawn), template.recipes)
    added = (*drawn.added, *(waiting.added if waiting else ()))
    if added:
        space.apply(Edit(f"Add structures of {name}", added=added))


def ask_color(window: MainWindow) -> None:
    """Ask for the selected structure's colour."""
    current = window.workspace.current
    if current is None:
        return
    color = QColorDialog.getColor(QColor(*current.structure.color_rgb), window, current.structure.name)
    if color.isValid():
        rgb = (color.red(), color.green(), color.blue())
        window.workspace.apply(actions.set_color(current.structure.number, rgb))


def ask_type(window: MainWindow) -> None:
    """Ask for the selected structure's type."""
    space = window.workspace
    current = space.current
    if current is None:
        return
    types = sorted(INTERPRETED_TYPES)
    now = types.index(current.structure.interpreted_type) if current.structure.interpreted_type in types else 0
    kind, is_given = QInputDialog.getItem(
        window, tr("Type"), tr("Type of {name}", name=current.structure.name), types, now, False
    )
    if is_given:
        space.apply(actions.set_type(space.state, current.structure.number, kind))


def toggle_lock(window: MainWindow) -> None:
    """Lock or unlock the selected structure."""
    space = window.workspace
    if space.current:
        space.apply(actions.set_locked(space.state, space.current.structure.number, locked=not space.current.locked))


def show_statistics(window: MainWindow) -> None:
    """Show volume, mean and SD of the HU of the selected structure, computed beside the window."""
    space = window.workspace
    current, ct = space.current, space.ct
    if current is None or ct is None or not current.structure.contours:
        return
    structure = current.structure

    def compute(_: Job) -> tuple[int, float, float]:
        from autocontour.contouring import mask_from_contours

        hu = ct.hu[mask_from_contours(structure.contours, ct.geometry)]
        return (hu.size, float(hu.mean()), float(hu.std())) if hu.size else (0, 0.0, 0.0)

    def show(found: tuple[int, float, float]) -> None:
        count, mean, spread = found
        hu = f"{mean:.0f} ± {spread:.0f} HU" if count else tr("smaller than a voxel")
        slices = tr_count(len(structure.contours), "{count} slice", "{count} slices")
        words = f"{structure.name}:   {window.panel.model.volume(structure):.2f} cc   ·   {hu}   ·   {slices}"
        minutes = (space.case.seconds.get(structure.number, 0.0) if space.case else 0.0) / 60
        space.notify(f"{words}   ·   {tr('{minutes:.1f} min of editing', minutes=minutes)}")

    space.background.run("Statistics", {structure.number}, compute, show)
