"""Aerated tissue: lungs with the airways connected to them."""

from __future__ import annotations

import numpy as np

from autocontour.rules.anatomy import Anatomy
from autocontour.rules.external import find_body
from autocontour.rules.shapes import Mask, label_pieces, pick_pieces, shrink

AIR_HU = -400  # half way between aerated lung (-850) and soft tissue (40)
PARENCHYMA_HU = (-955, -500)  # median deep inside lung; bowel gas, sinuses and pharynx lie below
CORE_MM = 6.0
THICK_MM, THICK_CC = 9.0, 3.0
LEAST_CC = 15.0


def find_aerated(anatomy: Anatomy) -> Mask:
    """Find pieces of air with some tissue inside, like lung, unlike bowel gas, sinuses and pharynx."""
    hu, cell_mm = anatomy.grid.hu, anatomy.grid.cell_mm
    labels, sizes = label_pieces(anatomy.find(find_body) & (hu < AIR_HU))
    large = sizes * np.prod(cell_mm) / 1000 >= LEAST_CC
    core = shrink(pick_pieces(labels, large), CORE_MM, cell_mm)
    for piece in np.flatnonzero(large):
        inside = hu[core & (labels == piece)]
        large[piece] = len(inside) > 0 and PARENCHYMA_HU[0] < np.median(inside) < PARENCHYMA_HU[1]
    return pick_pieces(labels, large)


def find_apex(anatomy: Anatomy) -> int | None:
    """Return the top slice of air too thick for airways and too large for sinuses; None if there is none."""
    cell_mm = anatomy.grid.cell_mm
    labels, sizes = label_pieces(shrink(anatomy.find(find_aerated), THICK_MM, cell_mm))
    thick = pick_pieces(labels, sizes * np.prod(cell_mm) / 1000 >= THICK_CC)
    slices = np.flatnonzero(thick.any(axis=(1, 2)))
    return int(slices[-1]) if len(slices) else None
