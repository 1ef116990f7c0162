"""Asking for a threshold, showing it on the slice, and drawing it through the scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import shapely
from PySide6.QtCore import QPoint
from shapely import MultiPolygon

from autocontour.base.jobs import Job
from autocontour.case.actions import new_structure
from autocontour.edits import flood, learn_range, replaced
from autocontour.edits.strokes import Point2
from autocontour.gui.dialogs.threshold import NEW, REPLACE, TAKE, ThresholdDialog
from autocontour.gui.look.language import tr
from autocontour.gui.tools.flood import joined_changes
from autocontour.gui.views.planes import Plane
from autocontour.patient.structures import Contours

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow
    from autocontour.gui.state.workspace import Workspace

REACH_MM = 40.0
EDGE_PX = 24
LABEL = "Threshold"
NEUTRAL_RGB = (160, 170, 185)


def ask_threshold(window: MainWindow) -> None:
    """Ask for a range and a region and draw what is found there."""
    space, view = window.workspace, window.views.axial
    if space.ct is None:
        return
    learned = learn_range(space.ct, space.slice_index, _crosshair(space), REACH_MM)
    dialog = ThresholdDialog(window, space.state, space.current, learned)

    def preview() -> None:
        z = space.slice_index
        found = _search(space, dialog, {z})(Job()).get(z)
        view.propose(found, space.current.structure.color_rgb if space.current else NEUTRAL_RGB)

    dialog.asked.connect(preview)
    dialog.adjustSize()
    # Over the panel, so that what it finds can be seen.
    dialog.move(window.mapToGlobal(QPoint(window.width() - dialog.width() - EDGE_PX, EDGE_PX * 4)))
    accepted = dialog.exec()
    view.propose(None)
    if accepted:
        _draw(space, dialog)


def _draw(space: Workspace, dialog: ThresholdDialog) -> None:
    what, inside = dialog.target.currentData(), dialog.region.currentData()
    target = None if what == NEW else space.selected
    before = space.state[target].structure.contours if target is not None else {}
    hands = space.hands

    def apply(found: Contours) -> None:
        if not found:
            space.message.emit(tr("Nothing was found in this range."), True)
        elif target is None:
            space.add_structure(new_structure(LABEL, found), hands=hands)
        elif what == REPLACE:
            space.redraw(LABEL, replaced(before, found), target)
        else:
            space.redraw(LABEL, joined_changes(before, found, takes=what == TAKE), target)

    numbers = {number for number in (target, inside) if number is not None}
    space.background.run(LABEL, numbers, _search(space, dialog), apply)


def _search(
    space: Workspace, dialog: ThresholdDialog, slices: set[int] | None = None
) -> Callable[[Job], Mapping[int, MultiPolygon]]:
    """Return what the dialog asks for, on all slices or some, as a function that no longer needs the dialog."""
    ct = space.ct
    assert ct is not None  # ask_threshold has asked
    hu_range, region = dialog.hu_range, _region(space, dialog)
    if slices is not None:
        region = {k: shape for k, shape in region.items() if k in slices}
    seed = (space.slice_index, _crosshair(space)) if dialog.connected.isChecked() else None
    return lambda job: flood(ct, hu_range, region, seed, job)


def _region(space: Workspace, dialog: ThresholdDialog) -> Contours:
    number, ct = dialog.region.currentData(), space.ct
    if number is not None or ct is None:
        return space.state[number].structure.contours
    (u, v), half = _crosshair(space), dialog.side.value() / 2
    square = MultiPolygon([shapely.box(u - half, v - half, u + half, v + half)])
    positions = ct.geometry.slice_positions_mm
    return {k: square for k, w in enumerate(positions) if abs(w - positions[space.slice_index]) <= half}


def _crosshair(space: Workspace) -> Point2:
    return space.grids[Plane.AXIAL].to_display(space.position_zyx)
