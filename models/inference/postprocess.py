"""Postprocessing of a structure's probability by its rules: pieces, holes, sides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.models.inference.sampling import Grid
from autocontour.models.package.description import StructureRules

SKIRT = 2  # voxels around a piece that influence its contour
TOUCHING = np.ones((3, 3, 3), bool)


def apply_rules(
    probability: NDArray[np.float32], threshold: float, rules: StructureRules, grid: Grid, midline_x_mm: float
) -> tuple[NDArray[np.float32], bool]:
    """Apply a structure's rules to its probability.

    Parameters
    ----------
    probability
        (z, y, x) over `grid`; not modified.
    threshold
        Probability of the iso-line.
    rules
        The structure's postprocessing rules.
    grid
        Of the probabilities.
    midline_x_mm
        The body's middle along the patient's x.

    Returns
    -------
    NDArray[np.float32]
        The probability, with removed pieces set to 0 and holes to 1; all 0 if nothing is kept.
    bool
        Whether all pieces are on the wrong side (they are then kept).
    """
    mask = probability >= threshold
    pieces, count = ndimage.label(mask, TOUCHING)
    if not count:
        return np.zeros_like(probability), False
    numbers = np.arange(1, count + 1)
    sizes = np.bincount(pieces.ravel())[1:]
    wrong_side = _on_wrong_side(pieces, numbers, rules, grid, midline_x_mm)
    all_wrong = bool(wrong_side.all())
    keep = (sizes * np.prod(grid.spacing_zyx_mm) / 1000 >= rules.minimum_cc) & (~wrong_side | all_wrong)
    by_size = numbers[keep][np.argsort(sizes[keep], kind="stable")[::-1]]
    kept = np.isin(pieces, by_size[: rules.components] if rules.components else by_size)
    near = ndimage.binary_dilation(kept, TOUCHING, iterations=SKIRT) & ~(mask & ~kept)
    cleaned = np.where(near, probability, np.float32(0))
    if rules.fill_holes:
        for plane, plane_mask in zip(cleaned, kept, strict=True):
            plane[ndimage.binary_fill_holes(plane_mask) & ~plane_mask] = 1
    return cleaned, all_wrong


def _on_wrong_side(
    pieces: NDArray[np.signedinteger[Any]],
    numbers: NDArray[np.intp],
    rules: StructureRules,
    grid: Grid,
    midline_x_mm: float,
) -> NDArray[np.bool_]:
    """Return for every piece whether its centre is across the midline; x increases to the left."""
    if not rules.side:
        return np.zeros(len(numbers), bool)
    columns = np.broadcast_to(grid.positions_mm(2), pieces.shape)
    offset = np.asarray(ndimage.mean(columns, pieces, numbers)) - midline_x_mm
    return offset < 0 if rules.side == "left" else offset > 0
