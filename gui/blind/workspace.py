"""What the window of a blind review works on: one contour that is only shown, or one that is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shapely import MultiPolygon

from autocontour.case import Case, CaseState, CaseStructure, actions
from autocontour.gui.state.workspace import Workspace
from autocontour.gui.views.planes import Plane, PlaneGrid
from autocontour.gui.views.windowing import PRESETS
from autocontour.patient.identity import case_key
from autocontour.patient.nomenclature import find_term
from autocontour.patient.structures import Contours, GenerationAlgorithm, ReviewStatus, Structure
from autocontour.patient.volume import CTVolume

NUMBER = 1
COLOR_RGB = (255, 210, 0)
"""Of every contour, whatever its origin."""
BEGIN = "Begin"
"""The first step of a drawing, which cannot be undone."""
Voxels = tuple[tuple[int, int, int], tuple[int, int, int]]


@dataclass(frozen=True, eq=False)
class Scan:
    """A CT and where its patient lies, as it is kept between tasks."""

    ct: CTVolume
    body: Voxels


class BlindWorkspace(Workspace):
    """A workspace without patient, findings, history or origin.

    A contour that is judged has no case: nothing of it is stored. One that is drawn has a case of its own, so that
    nothing is lost if the program ends.
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown = CaseState()

    @property
    def state(self) -> CaseState:
        """The one structure."""
        return self.case.state if self.case else self._shown

    def show_contours(self, scan: Scan, name: str, contours: Contours, view: Voxels) -> None:
        """Show contours to be judged; the view is that of their structure, whatever their origin."""
        self._take(scan, None, CaseState((CaseStructure(neutral_structure(name, contours)),)))
        (z0, y0, x0), (z1, y1, x1) = view
        self.position_zyx = ((z0 + z1) // 2, (y0 + y1) // 2, (x0 + x1) // 2)
        self._emit_changes()

    def show_drawing(self, scan: Scan, folder: Path, name: str, begin: Contours) -> None:
        """Show a structure to be drawn or corrected, as it was left; the first time with `begin`.

        Raises
        ------
        CaseError
            If the drawing cannot be stored.
        """
        case = Case(folder, case_key(scan.ct), scan.ct.geometry.shape_zyx[0])
        try:
            if not case.state.items:
                case.apply(actions.add(case.state, neutral_structure(name, begin), label=BEGIN))
        except BaseException:
            case.close()
            raise
        self._take(scan, case, CaseState())
        z, y, x = ((a + b) // 2 for a, b in zip(*scan.body, strict=True))
        self.position_zyx = (z, y, x)
        if case.place is not None and case.seconds:
            self.position_zyx = (min(max(case.place.slice_index, 0), scan.ct.geometry.shape_zyx[0] - 1), y, x)
        self._emit_changes()

    def undo(self) -> None:
        """Take the last step back, but not the structure itself."""
        if self.case is not None and self.case.undo_label != BEGIN:
            super().undo()

    @property
    def drawn(self) -> Contours:
        """The contours as they are on the screen."""
        return self.state[NUMBER].structure.contours if NUMBER in self.state else {}

    @property
    def seconds_drawn(self) -> float:
        """The time of drawing, without pauses."""
        return sum(self.case.seconds.values()) if self.case else 0.0

    def _take(self, scan: Scan, case: Case | None, shown: CaseState) -> None:
        self.close()
        self.ct, self.case, self._shown = scan.ct, case, shown
        self.grids = {plane: PlaneGrid.of(plane, scan.ct.geometry) for plane in Plane}
        self.body_voxels = scan.body
        self.window = PRESETS["Soft tissue"]
        self.selected, self.hidden, self.outlines_shown = NUMBER, set(), True

    def _emit_changes(self) -> None:
        self.ct_changed.emit()
        self.structures_changed.emit(frozenset((NUMBER,)))
        self.selection_changed.emit()
        self.window_changed.emit()


def neutral_structure(name: str, contours: Mapping[int, MultiPolygon]) -> Structure:
    """Return a structure that shows its name and nothing else."""
    return Structure(
        name,
        NUMBER,
        dict(contours),
        interpreted_type=find_term(name).interpreted_type,
        color_rgb=COLOR_RGB,
        generation=GenerationAlgorithm.MANUAL,
        status=ReviewStatus.EDITED,
    )
