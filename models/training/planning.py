"""A training configuration made from the data and the memory at hand, with the reason for each number.

The rules follow what self-configuring methods do (Isensee et al. 2021, Nat Methods 18:203): spacing from the median of
the data, patches as large as memory permits, in the proportions of what is to be segmented.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import TrainingError
from autocontour.base.jobs import Job
from autocontour.models.data.dataset import Sample, list_structures, read_dataset, read_index
from autocontour.models.networks import window_multiple_zyx
from autocontour.models.training.config import DataConfig

LEAST_PATIENTS = 5
"""With fewer patients a structure is not learnt."""
FINEST_MM = 1.0
BYTES_PER_VOXEL = 2200
"""Memory of a training step for each voxel of a patch, measured: 2.9 GB for 8 patches of 172,000 voxels."""
LEAST_VOXELS, MOST_VOXELS = 60_000, 400_000
LOCALIZER_WINDOW = (48, 40, 64)
TARGETS = ("GTV", "CTV", "ITV", "PTV")
EVERYWHERE = frozenset({"External", "Skin", "Bone"})
"""In a scan of any body site: as anchors they would let a package draw in every scan."""
"""Beginnings of the names of targets (TG-263), which do not show where a scan is."""
BODY_SITES = {"head_and_neck": "HEAD AND NECK", "breast": "BREAST", "thorax": "THORAX"}
NETWORK = (
    'architecture = "fc_densenet", in_channels = 2, out_channels = {outputs}, growth = 16, block_layers = {layers}, '
    "bottleneck_layers = {bottleneck}, strides_zyx = {strides}, stem_stride_zyx = {stem}, stem_channels = {channels}, "
    "refine_channels = 16{up}"
)


@dataclass(frozen=True)
class PlanRequest:
    """What a configuration is made for.

    Attributes
    ----------
    data
        Data set; its split ``train`` is used.
    name
        Of the package.
    minutes
        Budget of the whole training.
    memory_gb
        For a training step.
    seed
        Of the run.
    """

    data: Path
    name: str
    minutes: float = 480.0
    memory_gb: float = 8.0
    seed: int = 1


@dataclass(frozen=True)
class _Facts:
    """Measures of the data.

    Attributes
    ----------
    structures
        Those that enough patients have, with their number of patients.
    left_out
        The others.
    spacing_zyx_mm
        Median.
    extent_zyx_mm
        Of the largest structure: 95th percentile of the median extents.
    body_zyx_mm
        95th percentile of the patients' bodies.
    smallest_cc
        Median volume of the smallest structure.
    hu
        0.5th and 99.5th percentile in the structures.
    patients
        Number.
    """

    structures: dict[str, int]
    left_out: dict[str, int]
    spacing_zyx_mm: NDArray[np.float64]
    extent_zyx_mm: NDArray[np.float64]
    body_zyx_mm: NDArray[np.float64]
    smallest_cc: float
    hu: tuple[float, float]
    patients: int


def plan_training(request: PlanRequest, job: Job) -> str:
    """Return the text of a configuration for `autocontour train`; every number has a comment with its reason.

    Raises
    ------
    TrainingError
        ``AC-TR-026`` if no structure is in `LEAST_PATIENTS` patients, or the errors of reading the data.
    """
    index = read_index(request.data)
    names = list_structures(index)
    data = DataConfig(str(request.data), tuple(names), validation_patients=0)
    facts = _measure(names, read_dataset(data, job).training, job)
    body_site = BODY_SITES.get(str(index.get("site", "")), "UNKNOWN")
    return "\n".join([*_head(request, facts, body_site), *_localizer(request, facts), *_segmenter(request, facts), ""])


def _measure(names: Sequence[str], samples: Sequence[Sample], job: Job) -> _Facts:
    extents: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
    volumes: dict[str, list[float]] = {name: [] for name in names}
    values = []
    for sample in job.track(samples, "measuring the patients"):
        for name, plane in zip(names, sample.planes, strict=True):
            if plane is not None:
                extents[name].append(np.array(plane.inside.shape) * sample.spacing_zyx_mm)
                volumes[name].append(float(plane.inside.sum() * sample.spacing_zyx_mm.prod()) / 1000)
                box = tuple(slice(a, a + n) for a, n in zip(plane.start_zyx, plane.inside.shape, strict=True))
                values.append(sample.hu[box][plane.inside][::97])
    counts = {name: len(found) for name, found in volumes.items()}
    structures = {name: count for name, count in counts.items() if count >= LEAST_PATIENTS}
    if not structures:
        raise TrainingError("AC-TR-026", least=LEAST_PATIENTS)
    medians = np.array([np.median(extents[name], axis=0) for name in structures])
    bodies = np.array([np.array(sample.hu.shape) * sample.spacing_zyx_mm for sample in samples])
    low, high = np.percentile(np.concatenate(values), (0.5, 99.5))
    return _Facts(
        structures,
        {name: count for name, count in counts.items() if count < LEAST_PATIENTS},
        np.median([sample.spacing_zyx_mm for sample in samples], axis=0),
        np.percentile(medians, 95, axis=0),
        np.percentile(bodies, 95, axis=0),
        min(float(np.median(volumes[name])) for name in structures),
        (float(low), float(high)),
        len(samples),
    )


def _head(request: PlanRequest, facts: _Facts, body_site: str) -> list[str]:
    held_out = min(20, max(2, round(0.15 * facts.patients)))
    organs = {name: count for name, count in facts.structures.items() if not name.startswith(TARGETS)}
    common = [n for n, count in organs.items() if count >= 0.8 * facts.patients and n not in EVERYWHERE]
    anchors = (common or list(organs or facts.structures))[:5]
    left_out = ", ".join(f"{name} ({count})" for name, count in facts.left_out.items()) or "none"
    return [
        f"# Made by `autocontour train --plan` from {facts.patients} patients; every number may be changed.",
        f'name = "{request.name}"',
        "",
        "[data]",
        f"folder = {_text(str(request.data))}",
        f"# Structures of at least {LEAST_PATIENTS} patients. Left out (patients): {left_out}.",
        f"structures = {_texts(facts.structures)}",
        "# 15 % of the patients, from 2 to 20, choose the checkpoint and the thresholds.",
        f"validation_patients = {held_out}",
        f"seed = {request.seed}",
        "",
        "[package]",
        f'body_site = "{body_site}"',
        'license = "for use in this clinic"',
        'data_source = "patients of this clinic"',
        "# Structures that 80 % of the patients have, and no scan of another body site, show the body site.",
        f"anchors = {_texts(anchors)}",
        f"anchors_minimum = {min(2, len(anchors))}",
        "",
    ]


def _localizer(request: PlanRequest, facts: _Facts) -> list[str]:
    network = NETWORK.format(
        outputs=len(facts.structures),
        layers="[3, 4]",
        bottleneck=5,
        strides="[[2, 2, 2], [2, 2, 2]]",
        stem="[2, 2, 2]",
        channels=24,
        up="",
    )
    spacing = [_nice(max(3 * fine, body / n)) for fine, body, n in _per_axis(facts, LOCALIZER_WINDOW)]
    return [
        "[stages.localizer]",
        f"network = {{ {network} }}",
        f"# 95 % of the bodies ({_mm(facts.body_zyx_mm)} mm) fit into one window; at least three times as coarse as the"
        " data.",
        f"spacing_zyx_mm = {spacing}",
        f"window_zyx = {list(LOCALIZER_WINDOW)}",
        f"intensity_windows_hu = {_windows(facts)}",
        "# A tenth of the time: the boxes need less than the borders.",
        f"minutes = {request.minutes / 10:g}",
        "batch = 2",
        'focus = "body"',
        "augment = { shift_zyx_mm = [60, 25, 25], cut_probability = 0.5, mirror_probability = 0.0, gamma = 0.2 }",
        "",
    ]


def _segmenter(request: PlanRequest, facts: _Facts) -> list[str]:
    spacing = [_nice(max(FINEST_MM, step)) for step in facts.spacing_zyx_mm]
    halved = spacing[0] < 3.5
    stem = "[2, 1, 1]" if halved else "[1, 1, 1]"
    network = NETWORK.format(
        outputs=len(facts.structures),
        layers="[1, 4, 6]",
        bottleneck=6,
        strides="[[2, 2, 2], [2, 2, 2], [2, 2, 2]]",
        stem=stem,
        channels=16,
        up=", up_channels = [96, 64, 32]",
    )
    multiple = window_multiple_zyx(
        {
            "architecture": "fc_densenet",
            "in_channels": 2,
            "out_channels": len(facts.structures),
            "block_layers": [1, 4, 6],
            "stem_stride_zyx": [2 if halved else 1, 1, 1],
        }
    )
    budget = request.memory_gb * 1e9 / (2 * BYTES_PER_VOXEL)
    window = choose_window(facts.extent_zyx_mm / spacing, multiple, float(np.clip(budget, LEAST_VOXELS, MOST_VOXELS)))
    rare = _rare(facts.structures)
    lines = [
        "[stages.segmenter]",
        f"network = {{ {network} }}",
        f"# Median spacing of the data, not finer than {FINEST_MM:g} mm. The smallest structure has"
        f" {facts.smallest_cc:.2g} cm³: {round(1000 * facts.smallest_cc / math.prod(spacing))} voxels.",
        f"spacing_zyx_mm = {spacing}",
        f"# {math.prod(window):,} voxels for {request.memory_gb:g} GB and two patches, in the proportions of the"
        f" largest structure ({_mm(facts.extent_zyx_mm)} mm).",
        f"window_zyx = {window}",
        f"# Soft tissue, and {facts.hu[0]:.0f} to {facts.hu[1]:.0f} HU, where 99 % of the structures' voxels are.",
        f"intensity_windows_hu = {_windows(facts)}",
        f"minutes = {request.minutes * 0.9:g}",
        "batch = 2",
        "learning_rate = 2.0e-3",
        "ema_decay = 0.998",
        "anywhere_probability = 0.2",
    ]
    if rare:
        pairs = ", ".join(f'"{name}" = {weight:g}' for name, weight in rare.items())
        lines += [
            "# Structures that few patients have are drawn somewhat more often; much more often overfits.",
            f"sampling_weights = {{ {pairs} }}",
        ]
    return [
        *lines,
        "# Not mirrored: organs that lie on one side would be learnt on both.",
        "augment = { mirror_probability = 0.0, gamma = 0.2, low_resolution_probability = 0.1,"
        " circle_probability = 0.05 }",
    ]


def choose_window(extent_zyx: NDArray[np.float64], multiple_zyx: Sequence[int], voxels: float) -> list[int]:
    """Return a patch size of at most about `voxels`, in the proportions of `extent_zyx`, a multiple of the strides.

    Examples
    --------
    >>> choose_window(np.array([40.0, 30.0, 30.0]), (16, 8, 8), 172_000)
    [64, 48, 48]
    """
    steps = np.array(multiple_zyx, dtype=np.float64)
    wanted = np.maximum(extent_zyx, 2 * steps)
    size = wanted * (voxels / wanted.prod()) ** (1 / 3)
    chosen = np.maximum(2, np.floor(size / steps))
    return [int(n) for n in chosen * steps]


def _rare(structures: dict[str, int]) -> dict[str, float]:
    usual = float(np.median(list(structures.values())))
    weights = {name: round(min(1.5, math.sqrt(usual / count)), 2) for name, count in structures.items()}
    return {name: weight for name, weight in weights.items() if structures[name] < usual / 2}


def _per_axis(facts: _Facts, window: Sequence[int]) -> list[tuple[float, float, int]]:
    return list(zip(facts.spacing_zyx_mm.tolist(), facts.body_zyx_mm.tolist(), window, strict=True))


def _windows(facts: _Facts) -> str:
    low, high = (int(round(value, -1)) for value in facts.hu)
    return f"[[-160, 240], [{min(low, -200)}, {max(high, 300)}]]"


def _nice(mm: float) -> float:
    return round(float(mm), 2)


def _mm(values: NDArray[np.float64]) -> str:
    return " × ".join(f"{value:.0f}" for value in values)


def _text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _texts(values: Sequence[str] | dict[str, int]) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"
