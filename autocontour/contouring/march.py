"""Iso-lines of planes of samples, interpolated by cubic convolution: marching squares for a whole stack at once.

The samples inside determine the topology of the line; its position is then computed on the cubic surface, on the lines
between samples and at points within the cells. Every segment stays within its cell, so rings never cross.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autocontour.contouring.cubic import cubic_slopes, cubic_weights
from autocontour.contouring.follow import follow_cycles, nest_rings
from autocontour.contouring.ragged import Ints, Rings
from autocontour.patient.geometry import Floats

Samples = NDArray[np.floating]
PAD = 2  # samples that the cubic kernel reaches beyond a cell's corner
EDGE = 1e-3  # smallest distance of a line to a sample or another cell, in cells
EDGE_STEPS = 3
BEND_STEPS = 2


@dataclass(frozen=True, eq=False)
class _Crossings:
    """Where the line crosses from one cell into the next.

    Attributes
    ----------
    at
        Flat index of the sample on the low side of the crossed edge.
    along_x
        The edge lies along x, so the line runs along y; else the other way round.
    forward
        The line runs towards higher y or x. The inside is always on the same side.
    """

    at: Ints
    along_x: NDArray[np.bool_]
    forward: NDArray[np.bool_]


def trace_planes(planes: Samples, level: float, inner_points: int = 1) -> Rings:
    """Trace the iso-line of `level`; outside the planes the samples are 0.

    Parameters
    ----------
    planes
        (planes, y, x)
    level
        Above 0.
    inner_points
        Points of the line within each cell, in addition to those on its border.

    Returns
    -------
    Rings
        Points x, y in samples, the plane's number as the slice.
    """
    padded = np.pad(planes, ((0, 0), (PAD, PAD + 1), (PAD, PAD + 1)))
    crossings = _find_crossings(padded, level)
    into, following, is_saddle = _link(
        crossings,
        padded.shape[2],
        lambda cells: _surface(_patches(padded, cells), np.full((2, len(cells)), 0.5))[0] > level,
    )
    order, starts = follow_cycles(following)
    points = _place(crossings, _solve_edges(padded, level, crossings), padded.shape[2])
    pieces = [points[:, order]]
    if inner_points:
        ends = points[:, order], points[:, following[order]]
        pieces += _bend(padded, level, into[order], ends, is_saddle[order], inner_points)
    flat = np.stack(pieces, axis=-1).reshape(2, -1).T
    return _nest(flat, starts * len(pieces), padded.shape[1], PAD)


def trace_linear(planes: Samples, level: float) -> Rings:
    """Trace the iso-line of `level` of planes that are interpolated linearly between neighbouring samples.

    Parameters
    ----------
    planes
        (planes, y, x); outside the planes the samples are 0.
    level
        Above 0; no sample may have this value.

    Returns
    -------
    Rings
        As of `trace_planes`. Where the line crosses a row between two samples there is a point exactly on that row.
    """
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)))
    flat, columns = padded.ravel(), padded.shape[2]
    crossings = _find_crossings(padded, level)

    def is_centre_inside(cells: Ints) -> NDArray[np.bool_]:
        corners = [flat[cells + shift].astype(np.float64) for shift in (0, 1, columns, columns + 1)]
        return np.asarray(np.mean(corners, axis=0) > level)

    order, starts = follow_cycles(_link(crossings, columns, is_centre_inside)[1])
    beyond = crossings.at + np.where(crossings.along_x, 1, columns)
    low, high = (flat[at].astype(np.float64) for at in (crossings.at, beyond))
    points = _place(crossings, (level - low) / (high - low), columns)
    return _nest(points[:, order].T, starts, padded.shape[1], 1)


def _place(crossings: _Crossings, share: Floats, columns: int) -> Floats:
    """Return the points (2, n) of crossings that lie at `share` of their edges, in padded samples below each other."""
    row, x = np.divmod(crossings.at, columns)
    return np.stack((x + crossings.along_x * share, row + ~crossings.along_x * share))


def _nest(points: Floats, starts: Ints, rows: int, pad: int) -> Rings:
    """Return rings of planes that lie below each other, `rows` padded samples high."""
    number = points[starts[:-1], 1].astype(np.intp) // rows
    return nest_rings(points - pad - np.outer(np.repeat(number * rows, np.diff(starts)), (0, 1)), starts, number)


def _find_crossings(padded: Samples, level: float) -> _Crossings:
    inside = padded > level
    columns = padded.shape[2]
    flat = inside.ravel()
    along_x = np.flatnonzero(flat[1:] ^ flat[:-1])
    along_y = np.flatnonzero(flat[columns:] ^ flat[:-columns])
    at = np.concatenate((along_x, along_y))
    is_along_x = np.arange(len(at)) < len(along_x)
    return _Crossings(at, is_along_x, flat[at] == is_along_x)


def _link(
    crossings: _Crossings, columns: int, is_centre_inside: Callable[[Ints], NDArray[np.bool_]]
) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Return the cell that each crossing enters, the crossing that comes after it, and whether the cell is a saddle."""
    ahead = crossings.at
    behind = ahead - np.where(crossings.along_x, columns, 1)
    into, out_of = np.where(crossings.forward, (ahead, behind), (behind, ahead))
    # A stable sort is fast for what consists of sorted parts.
    entering = np.argsort(2 * into + ~crossings.forward, kind="stable")
    leaving = np.argsort(2 * out_of + crossings.forward, kind="stable")
    cells = into[entering]
    first = np.flatnonzero(cells[1:] == cells[:-1])
    is_saddle = np.zeros(len(into), np.bool_)
    is_saddle[entering[first]] = is_saddle[entering[first + 1]] = True

    # In order, the lines of a saddle separate its samples at low x or at low y; else their ends are exchanged.
    swapped = first[crossings.along_x[entering[first]] == is_centre_inside(cells[first])]
    leaving[swapped], leaving[swapped + 1] = leaving[swapped + 1], leaving[swapped]
    following = np.empty_like(entering)
    following[entering] = leaving
    return into, following, is_saddle


def _solve_edges(padded: Samples, level: float, crossings: _Crossings) -> Floats:
    """Return where on its edge each crossing lies (0 to 1), by Newton steps kept within brackets."""
    along = np.where(crossings.along_x, 1, padded.shape[2])
    a, b, c, d = (padded.ravel()[crossings.at + step * along].astype(np.float64) - level for step in (-1, 0, 1, 2))
    linear, square, cube = (c - a) / 2, a - 2.5 * b + 2 * c - d / 2, 1.5 * (b - c) + (d - a) / 2
    low, high = np.zeros(len(b)), np.ones(len(b))
    share = b / (b - c)
    for _ in range(EDGE_STEPS):
        value = ((cube * share + square) * share + linear) * share + b
        before = (value > 0) == (b > 0)
        low, high = np.where(before, share, low), np.where(before, high, share)
        slope = (3 * cube * share + 2 * square) * share + linear
        with np.errstate(divide="ignore", invalid="ignore"):
            step = share - value / slope
        share = np.where((step >= low) & (step <= high), step, (low + high) / 2)
    clipped: Floats = np.clip(share, EDGE, 1 - EDGE)
    return clipped


def _patches(padded: Samples, cells: Ints) -> Floats:
    """Return the samples around each cell, (4, 4, cells)."""
    flat, columns = padded.ravel(), padded.shape[2]
    rows = [[flat[cells + (y * columns + x)] for x in range(-1, 3)] for y in range(-1, 3)]
    return np.array(rows, dtype=np.float64)


def _bend(
    padded: Samples, level: float, cells: Ints, ends: tuple[Floats, Floats], straight: NDArray[np.bool_], count: int
) -> list[Floats]:
    """Return `count` points (2, cells) for each piece of line, moved from its chord square to it onto the surface."""
    row, column = np.divmod(cells, padded.shape[2])
    corner = np.stack((column, row)).astype(np.float64)
    begin, chord = ends[0] - corner, ends[1] - ends[0]
    normal = np.stack((-chord[1], chord[0])) / np.hypot(*chord)
    patches = _patches(padded, cells) - level
    bent = []
    for number in range(1, count + 1):
        base = begin + chord * (number / (count + 1))
        low, high = _room(base, normal)
        shift = np.zeros(base.shape[1])
        for _ in range(BEND_STEPS):
            value, slope = _surface(patches, base + shift * normal, normal)
            with np.errstate(divide="ignore", invalid="ignore"):
                shift = np.clip(np.nan_to_num(shift - value / slope), low, high)
        shift[straight] = 0.0
        bent.append(corner + base + shift * normal)
    return bent


def _room(base: Floats, normal: Floats) -> tuple[Floats, Floats]:
    """Return how far each point may move along its normal, back and forth, without leaving the cell."""
    with np.errstate(divide="ignore", invalid="ignore"):
        to_low, to_high = (EDGE - base) / normal, (1 - EDGE - base) / normal
    low = np.nan_to_num(np.minimum(to_low, to_high), nan=-1.0).max(axis=0)
    high = np.nan_to_num(np.maximum(to_low, to_high), nan=1.0).min(axis=0)
    return np.minimum(low, 0.0), np.maximum(high, 0.0)


def _surface(patches: Floats, points: Floats, direction: Floats | None = None) -> tuple[Floats, Floats]:
    """Return the cubic surface's height at points (2, cells) of the cells, and its slope in a direction."""
    x, y = points
    across = cubic_weights(y)
    rows = (patches * cubic_weights(x)).sum(axis=1)
    heights: Floats = (rows * across).sum(axis=0)
    if direction is None:
        return heights, np.zeros_like(heights)
    along_x = ((patches * cubic_slopes(x)).sum(axis=1) * across).sum(axis=0)
    along_y = (rows * cubic_slopes(y)).sum(axis=0)
    return heights, along_x * direction[0] + along_y * direction[1]
