"""Check of Hounsfield units: air near -1000, tissue near 0, and few other values.

The check uses a histogram of a few slices. Its peaks are detected with a window as wide as the peaks of air, fat and
muscle, so that lungs, bone and contrast medium, which spread over hundreds of units, do not form peaks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from autocontour.base.findings import Finding

NO_NEGATIVE_VALUES = "AC-CT-044"
NOT_HU_VALUES = "AC-CT-045"
DOUBTFUL_VALUES = "AC-CT-046"
UNCHECKED_SCALE = "AC-CT-047"
ALTERNATING = "AC-CT-059"
CUT_SLICES = "AC-CT-070"

AIR_HU = (-1040, -955)
"""Range of the peak of air in a valid CT; scanners clip it at -1024 or -1000."""
DOUBTFUL_AIR_HU = (-1100, -880)
"""Its range in cone-beam CT."""
LUNG_HU = (-900, -740)
"""Range of the peak of a homogeneous lung, as in phantoms; a real one spreads over hundreds of units."""
TISSUE_HU = (-150, 130)
"""Range of the most frequent tissue: fat, marrow, brain, muscle, with contrast medium liver."""
DOUBTFUL_TISSUE_HU = (-200, 170)

FAT_TO_MUSCLE_HU = (115, 175)
"""Distance between the peaks of fat and muscle; 123 to 155 in CTs of 76 patients."""
FAT_HU = (-165, -55)

_GAS_HU = -300
_DENSE_HU = 2000
_COLDEST_HU = -1300
_MOST_COLD = 0.05
_BIN_HU = 10
_PEAK_BINS = 7
_HALF_PEAK_HU = _BIN_HU * _PEAK_BINS // 2
_OFFSET = 4096
_TOP_HU = 8192
_SIZE = _OFFSET + _TOP_HU
_GROUPS = 5
_GROUP = 3
_FEWEST = 10_000
_MOST = 160_000
_FILL_SHARE = 0.1
_FLAT_SHARE = 0.2
_EDGE_SHARE = 0.3
_LEAST_GAS = 0.003
_LEAST_AIR = 0.005
_LEAST_TISSUE = 0.01
_MOST_DENSE = 0.05
_PEAK_SHARE = 0.02
_LARGE_SHARE = 0.1
_PEAK_RISE = 3.0
_NARROW = 0.6
_MODES_HU = (-300, 300)
_MODE_WIDTH_HU = 31
_LEAST_FAT_HU = -25
_MODES_APART_HU = 45
_VALLEY = 1.2
_ALTERNATING = 0.9
_CUT_ROWS = 0.2
_LAST_ROWS_STEP = 16

Floats = NDArray[np.float64]
Plane = NDArray[np.int16]


def sample_slices(count: int) -> list[int]:
    """Return the indices of the slices to check: groups of neighbours, evenly distributed."""
    if count <= _GROUPS * _GROUP:
        return list(range(count))
    starts = np.linspace(0, count - _GROUP, _GROUPS).round().astype(int)
    return sorted({int(start) + k for start in starts for k in range(_GROUP)})


def check_values(
    indices: Sequence[int], planes: Sequence[Plane], outside: NDArray[np.bool_] | None, *, is_rescaled: bool = True
) -> Iterator[Finding]:
    """Check the Hounsfield units of some slices.

    Parameters
    ----------
    indices, planes
        Which slices, and their voxels (rows, columns).
    outside
        (1 or planes, rows, columns), True outside the field of view.
    is_rescaled
        False if the values are taken as stored because the files have no rescale.
    """
    step = max(1, round(math.sqrt(len(planes) * planes[0].size / _MOST)))
    sample = np.stack([plane[::step, ::step] for plane in planes])
    measured = sample
    if outside is not None and len(outside) == 1:
        measured = sample.reshape(len(sample), -1)[:, np.flatnonzero(~outside[0, ::step, ::step])]
    elif outside is not None:
        measured = sample[~outside[:, ::step, ::step]]
    if not is_rescaled and int(sample.min()) >= 0:
        yield Finding.of(NO_NEGATIVE_VALUES)
    if measured.size >= _FEWEST:
        yield from _check_histogram(sample, measured)
        yield from _check_alternation(indices, sample)


def _check_histogram(sample: Plane, measured: Plane) -> Iterator[Finding]:
    exact = _count(measured) / measured.size
    low, high = (int(hu) - _OFFSET for hu in np.searchsorted(exact.cumsum(), (0.001, 0.999)))
    if low == high:
        yield Finding.of(UNCHECKED_SCALE, low_hu=low, high_hu=high)
        return
    edge = _edge_share(sample) if measured is sample else np.ones(_SIZE)
    verdict = _judge(exact, _background(sample), edge)
    if verdict == UNCHECKED_SCALE:
        yield Finding.of(UNCHECKED_SCALE, low_hu=low, high_hu=high)
    elif verdict:
        tissue = _highest(_windows(exact), _GAS_HU, _TOP_HU)[0]
        dense = 100 * float(exact[_OFFSET + _DENSE_HU :].sum())
        yield Finding.of(verdict, low_hu=low, tissue_hu=tissue, high_percent=dense)


def _background(sample: Plane) -> int | None:
    """Return the one value of all corners of all slices, clipped as `_count` does; None if they differ."""
    corners = sample[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    value = int(np.clip(corners[0, 0], -_OFFSET, _TOP_HU - 1))
    return value if (corners == corners[0, 0]).all() else None


def _edge_share(sample: Plane) -> Floats:
    """(12288,) fraction of the voxels at the image's edge at each unit from -4096."""
    edge = np.concatenate([sample[:, [0, -1]].ravel(), sample[:, :, [0, -1]].ravel()])
    return _count(edge) / edge.size


def _count(values: Plane) -> NDArray[np.int64]:
    """Count the voxels at each unit from -4096 to 8191; values beyond are clipped."""
    counts: NDArray[np.int64] = np.bincount(
        np.clip(values.ravel(), -_OFFSET, _TOP_HU - 1) + np.int16(_OFFSET), minlength=_SIZE
    )
    return counts


def _judge(exact: Floats, background: int | None, edge: Floats) -> str:
    """Return the code of the problem of a histogram of single Hounsfield units, empty if there is none.

    Parameters
    ----------
    exact
        (12288,) fraction of the voxels at each unit from -4096.
    background
        The value of all corners.
    edge
        (12288,) the same of the voxels at the image's edge; ones if that is outside the field of view.
    """
    if background is not None and background > DOUBTFUL_AIR_HU[1] and exact[background + _OFFSET] >= _FILL_SHARE:
        return NOT_HU_VALUES  # the surroundings of the patient are not air
    inner = exact.copy()
    if background is not None:
        inner[background + _OFFSET] = 0  # air that was removed, or clipped at one value
    tissue_verdict = _judge_tissue(inner, exact)
    gas_verdict = _judge_gas(inner, background, edge)
    if gas_verdict == UNCHECKED_SCALE and exact[_OFFSET + _GAS_HU :].max() >= _FLAT_SHARE:
        return NOT_HU_VALUES  # air was clipped at a value of tissue
    if NOT_HU_VALUES in (tissue_verdict, gas_verdict):
        return NOT_HU_VALUES
    if tissue_verdict:
        return NOT_HU_VALUES if gas_verdict else tissue_verdict
    if background is not None and not gas_verdict:
        return _judge_modes(inner)  # the air around was replaced or clipped, and is no proof of the scale
    return gas_verdict


def _judge_tissue(inner: Floats, exact: Floats) -> str:
    """Check the values denser than gas."""
    windows = _windows(inner)
    tissue = inner[_OFFSET + _GAS_HU :].sum()
    if exact[_OFFSET + _DENSE_HU :].sum() > _MOST_DENSE:
        return NOT_HU_VALUES
    if tissue < _LEAST_TISSUE:
        return DOUBTFUL_VALUES
    peak, _ = _highest(windows, _GAS_HU, _TOP_HU)
    if not DOUBTFUL_TISSUE_HU[0] <= peak <= DOUBTFUL_TISSUE_HU[1]:
        return NOT_HU_VALUES
    beyond, share = _highest(windows, DOUBTFUL_TISSUE_HU[1] + _BIN_HU * _PEAK_BINS, _TOP_HU)
    if _rise(windows, beyond) >= _PEAK_RISE and share >= _PEAK_SHARE * inner.sum():
        return NOT_HU_VALUES if share >= _LARGE_SHARE * inner.sum() else DOUBTFUL_VALUES
    return "" if TISSUE_HU[0] <= peak <= TISSUE_HU[1] else DOUBTFUL_VALUES


def _judge_modes(inner: Floats) -> str:
    """Check the distance between fat and muscle where both form clear peaks; another one is another scale."""
    low, high = (_OFFSET + hu for hu in _MODES_HU)
    density = np.convolve(inner[low:high], np.ones(_MODE_WIDTH_HU), "same")
    first = int(density.argmax())
    apart = np.abs(np.arange(len(density)) - first) >= _MODES_APART_HU
    second = int(np.where(apart, density, 0).argmax())
    fat, muscle = sorted((first, second))
    is_fat = fat + _MODES_HU[0] <= _LEAST_FAT_HU  # phantoms have none
    if not is_fat or density[fat : muscle + 1].min() * _VALLEY > density[second]:
        return ""
    is_right = FAT_TO_MUSCLE_HU[0] <= muscle - fat <= FAT_TO_MUSCLE_HU[1]
    return "" if is_right and FAT_HU[0] <= fat + _MODES_HU[0] <= FAT_HU[1] else DOUBTFUL_VALUES


def _judge_gas(inner: Floats, background: int | None, edge: Floats) -> str:
    """Check air, and the gas in the patient where the surrounding air was clipped at one value."""
    gas = float(inner[: _OFFSET + _GAS_HU].sum())
    if gas < _LEAST_GAS * inner.sum():
        is_air = background is not None and AIR_HU[0] <= background <= AIR_HU[1]
        return "" if is_air else UNCHECKED_SCALE
    cold = inner[1 : _OFFSET + _COLDEST_HU]
    padding = 1 + int(cold.argmax())
    if cold.sum() - inner[padding] >= _MOST_COLD * gas:
        return NOT_HU_VALUES
    inner[padding] = 0  # a single value
    peak, share = _highest(_windows(inner), -_OFFSET, _GAS_HU)
    peak = _centre(inner, peak)
    if AIR_HU[0] <= peak <= AIR_HU[1]:
        return ""
    if peak < DOUBTFUL_AIR_HU[0]:
        return NOT_HU_VALUES
    is_narrow = share >= _NARROW * _share(inner, peak - 150, peak + 150)
    air = _share(inner, *AIR_HU) / gas
    is_lung = LUNG_HU[0] <= peak <= LUNG_HU[1] and air >= 2 * _LEAST_AIR if is_narrow else peak > AIR_HU[1]
    if is_lung and air >= _LEAST_AIR:
        return ""  # with air in the airways
    if is_narrow and peak > LUNG_HU[1] and _share(edge, peak - _HALF_PEAK_HU, peak + _HALF_PEAK_HU) >= _EDGE_SHARE:
        return NOT_HU_VALUES  # air around the patient, at another value
    return DOUBTFUL_VALUES


def _share(exact: Floats, low_hu: int, high_hu: int) -> float:
    return float(exact[max(_OFFSET + low_hu, 0) : _OFFSET + high_hu + 1].sum())


def _centre(exact: Floats, peak_hu: int) -> int:
    """Return the mean unit in the window of a peak."""
    low = max(_OFFSET + peak_hu - _HALF_PEAK_HU, 0)
    weights = exact[low : _OFFSET + peak_hu + _HALF_PEAK_HU + 1]
    units = np.arange(low, low + len(weights)) - _OFFSET
    return round(float(np.average(units, weights=weights))) if weights.any() else peak_hu


def _windows(exact: Floats) -> Floats:
    """Fraction of the voxels in a window of `_PEAK_BINS` bins of `_BIN_HU` about each bin."""
    whole = len(exact) // _BIN_HU * _BIN_HU
    bins = exact[:whole].reshape(-1, _BIN_HU).sum(axis=1)
    windows: Floats = np.convolve(bins, np.ones(_PEAK_BINS), "same")
    return windows


def _highest(windows: Floats, low_hu: int, high_hu: int) -> tuple[int, float]:
    """Return the unit in the middle of the fullest window whose middle is in a range, and its fraction."""
    low, high = ((hu + _OFFSET) // _BIN_HU for hu in (low_hu, high_hu))
    at = low + int(windows[low:high].argmax())
    return at * _BIN_HU + _BIN_HU // 2 - _OFFSET, float(windows[at])


def _rise(windows: Floats, peak_hu: int) -> float:
    """Height of a window's content over the higher of the two minima on either side."""
    at = (peak_hu + _OFFSET) // _BIN_HU
    below = windows[max(at - 4 * _PEAK_BINS, 0) : max(at - _PEAK_BINS, 1)].min()
    above = windows[at + _PEAK_BINS : at + 4 * _PEAK_BINS].min(initial=0.0)
    return float(windows[at] / max(below, above, 1e-9))


def check_last_rows(planes: Sequence[Plane]) -> Iterator[Finding]:
    """Find slices that end in far more rows of one value than their neighbours, from incompletely written files.

    Parameters
    ----------
    planes
        All slices of a volume, (rows, columns) each; one column in `_LAST_ROWS_STEP` is used.
    """
    rows = len(planes[0])
    highest = rows - 1 - int(_CUT_ROWS * rows)
    if len(planes) < 2 or not any((plane[highest, ::_LAST_ROWS_STEP] == plane[-1, -1]).all() for plane in planes):
        return
    uniform = np.array([_uniform_last_rows(plane[:, ::_LAST_ROWS_STEP]) for plane in planes])
    beside = np.maximum(np.append(uniform[1:], uniform[-2]), np.append(uniform[1], uniform[:-1]))
    cut = np.flatnonzero((uniform - beside > _CUT_ROWS * rows) & (uniform < rows))  # a whole slice has another finding
    if len(cut):
        yield Finding.of(CUT_SLICES, slices=cut.tolist(), count=len(cut))


def _uniform_last_rows(plane: Plane) -> int:
    """Return the number of rows at the end in which all voxels have the value of the last voxel."""
    same = plane == plane[-1, -1] if (plane[-1] == plane[-1, -1]).all() else None
    if same is None:
        return 0
    differs = np.flatnonzero(~same.all(axis=1))
    return len(plane) - 1 - int(differs[-1]) if len(differs) else len(plane)


def _check_alternation(indices: Sequence[int], sample: Plane) -> Iterator[Finding]:
    """Compare each slice with its direct and its second neighbour: normally the direct one is more similar."""
    near = far = 0.0
    sample = np.clip(sample[:, ::2, ::2], -1024, 1024).astype(np.int32)
    for k in range(len(indices) - 2):
        if indices[k + 2] - indices[k] != 2:
            continue
        first, second, third = sample[k : k + 3]
        near += float(np.abs(first - second).mean() + np.abs(second - third).mean()) / 2
        far += float(np.abs(first - third).mean())
    if far < _ALTERNATING * near:
        yield Finding.of(ALTERNATING)
