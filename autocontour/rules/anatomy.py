"""What the rules share of one patient, found once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autocontour.patient.volume import CTVolume
from autocontour.rules.airway import Airway, find_airway
from autocontour.rules.body import find_body, find_couch, find_mask
from autocontour.rules.bone import find_bone
from autocontour.rules.canal import Tube, fill_tube, find_path, measure_tube
from autocontour.rules.grid import Grid, Mask
from autocontour.rules.lungs import find_aerated, find_apex, part_lungs
from autocontour.rules.shapes import grow

AIRWAY_WALL_MM = 4.0


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Anatomy of a CT on cells, in patient order; each part is found when first asked for.

    Attributes
    ----------
    ct
        The volume.
    with_mask
        Whether a thermoplastic mask belongs to the outside.
    """

    ct: CTVolume
    with_mask: bool = False

    @cached_property
    def grid(self) -> Grid:
        """The cells."""
        return Grid(self.ct)

    @cached_property
    def body(self) -> Mask:
        """The patient with cavities, without couch."""
        return find_body(self.grid.hu, self.grid.cell_mm)

    @property
    def outside(self) -> Mask:
        """The patient, with the mask where it is asked for."""
        return find_mask(self.grid.hu, self.body, self.grid.cell_mm) if self.with_mask else self.body

    @cached_property
    def couch(self) -> tuple[int, int] | None:
        """On which side the couch lies: patient axis (1 back, 2 left) and sign."""
        return find_couch(self.grid.hu, self.body, self.grid.cell_mm)

    @cached_property
    def aerated(self) -> Mask:
        """Lungs with the airways that hang on them."""
        return find_aerated(self.grid.hu, self.body, self.grid.cell_mm)

    @cached_property
    def apex(self) -> int | None:
        """Top slice of the thick part of the lungs."""
        return find_apex(self.aerated, self.grid.cell_mm)

    @cached_property
    def airway(self) -> Airway | None:
        """Trachea and main bronchi."""
        return find_airway(self.grid.hu, self.body, self.apex, self.grid.cell_mm)

    @cached_property
    def airway_wall(self) -> Mask:
        """Trachea and main bronchi with their walls, which are not lung."""
        if self.airway is None:
            return np.zeros_like(self.body)
        return grow(self.airway.column | self.airway.bronchi, AIRWAY_WALL_MM, self.grid.cell_mm)

    @cached_property
    def canal(self) -> Tube | None:
        """The spinal canal."""
        return measure_tube(self.grid, *find_path(self.grid.hu, self.body, self.grid.cell_mm))

    @cached_property
    def canal_cells(self) -> Mask:
        """Cells of the spinal canal."""
        if self.canal is None:
            return np.zeros_like(self.body)
        return fill_tube(self.grid, self.canal)

    @cached_property
    def bone(self) -> tuple[Mask, Mask]:
        """Bone, and the marrow it encloses."""
        return find_bone(self.grid.hu, self.body, self.canal_cells, self.grid.cell_mm)

    @cached_property
    def midline(self) -> NDArray[np.float64]:
        """(slices,) the middle of the patient, in cells to the left: the spine's, else the body's."""
        if self.canal is not None:
            return self.canal.middle_yx[:, 1]
        across = np.nonzero(self.body)[2]
        return np.full(len(self.body), across.mean() if len(across) else 0.0)

    @cached_property
    def lungs(self) -> tuple[Mask, Mask]:
        """The left and the right lung."""
        return part_lungs(self.aerated, self.apex, self.airway_wall, self.midline, self.grid.cell_mm)
