"""Contours of a CT by a published network, in one of its profiles."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import ModelError
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.contouring import contours_from_mask, contours_from_probability
from autocontour.models.inference.body import find_parts
from autocontour.models.inference.plausibility import Measure, measure_probability
from autocontour.models.inference.published.boxes import Probability, fast_bytes, predict_in_boxes
from autocontour.models.inference.published.coarse import find_boxes
from autocontour.models.inference.published.cropped import find_crop
from autocontour.models.inference.published.exact import (
    exact_bytes,
    label_image,
    mean_probabilities,
    monai_labels,
    predict_logits,
)
from autocontour.models.inference.published.oriented import Oriented, orient
from autocontour.models.inference.published.prepare import Prepared, prepare
from autocontour.models.inference.runtime import choose_torch_device, load_fold, open_logits
from autocontour.models.inference.sampling import Frame, Grid
from autocontour.models.inference.segmenter import Segmented
from autocontour.models.networks.limits import GB, machine_bytes
from autocontour.models.package.package import ModelPackage
from autocontour.models.package.procedure import PROFILES, Crop, Procedure
from autocontour.patient.geometry import Box, Floats
from autocontour.patient.structures import Contours, Drawing
from autocontour.patient.volume import CTVolume


@dataclass(frozen=True)
class Drawn:
    """What a published network drew.

    Attributes
    ----------
    drawings, measures
        Structure → its contours and its measures; structures that were not found are missing.
    device
        Where it ran, with the profile.
    findings
        About the scan.
    seconds
        Stage → wall-clock seconds.
    """

    drawings: Mapping[str, Drawing] = field(default_factory=dict)
    measures: Mapping[str, Measure] = field(default_factory=dict)
    device: str = ""
    findings: tuple[Finding, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)


class Clock(dict[str, float]):
    """Stage → seconds."""

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time what is done within."""
        start = time.perf_counter()
        yield
        self[stage] = self.get(stage, 0.0) + time.perf_counter() - start


def procedure_of(package: ModelPackage) -> Procedure:
    """Return the procedure of a published network; ValueError for a package of this program's own."""
    if package.procedure is None:
        raise ValueError(f"{package.name} has no procedure")
    return package.procedure


def draw_published(
    ct: CTVolume,
    package: ModelPackage,
    names: Collection[str],
    job: Job | None = None,
    device: str = "auto",
    profile: str = "",
) -> Drawn:
    """Draw structures by a published network, without asking whether its sides were checked.

    Parameters
    ----------
    ct
        Any orientation and spacing.
    package
        With a procedure.
    names
        Structures to draw.
    job
        Reports progress; may cancel.
    device
        ``auto``, ``cpu`` or ``cuda``.
    profile
        ``exact``, ``fast`` or ``two-stage``; the package's own if empty.

    Raises
    ------
    ModelError
        ``AC-MD-084`` for an unknown profile, ``AC-MD-085`` if the machine does not have the memory, ``AC-MD-086`` if
        there is nothing that finds the boxes of ``two-stage``; ``AC-MD-030``, ``AC-MD-083``, or the errors of opening
        the network.
    """
    procedure = procedure_of(package)
    chosen = profile or procedure.profile
    if chosen not in PROFILES:
        raise ModelError("AC-MD-084", profile=chosen[:60], known=", ".join(PROFILES))
    if unknown := [name for name in names if name not in package.structures]:
        raise ModelError("AC-MD-032", package=package.name, structures=", ".join(unknown))
    if chosen == "exact":
        return _draw_exactly(ct, package, list(names), job or Job(), device)
    return _draw_fast(ct, package, list(names), job or Job(), device, two_stage=chosen == "two-stage")


def exact_labels(
    ct: CTVolume, package: ModelPackage, job: Job, device: str = "auto"
) -> tuple[NDArray[np.uint16], Oriented, Mapping[str, float]]:
    """Return the label image that the authors' own program gives, along the patient's z, y, x.

    Returns
    -------
    NDArray[np.uint16]
        The label image.
    Oriented
        The voxels it lies on.
    Mapping[str, float]
        Structure → its mean probability.

    Raises
    ------
    ModelError
        As `draw_published`.
    """
    procedure = procedure_of(package)
    choose_torch_device(device)  # raises for a device that is not there
    oriented = orient(ct, procedure.orientation)
    if procedure.crop is None:
        labels, confidence = _labels_of(oriented, package, job, device)
        return labels, oriented, confidence
    whole = np.zeros(oriented.grid.shape_zyx, np.uint16)
    box = find_crop(ct, oriented, package, procedure.crop, job, device, exact=True)
    if box is None:
        return whole, _without_crop(oriented, package, procedure.crop), {}
    labels, confidence = _labels_of(oriented.cropped(box), package, job, device)
    whole[box.slices] = labels
    return whole, oriented, confidence


def _labels_of(
    oriented: Oriented, package: ModelPackage, job: Job, device: str
) -> tuple[NDArray[np.uint16], Mapping[str, float]]:
    """Return the label image of what the network is run on, and the mean probability of each structure."""
    procedure, stage, torch_device = procedure_of(package), package.stages["segmenter"], choose_torch_device(device)
    prepared = prepare(oriented, stage, procedure)
    _check_memory(prepared, package, exact=True)
    if procedure.framework == "monai":
        return monai_labels(load_fold(package, 0), prepared, stage.window_zyx, torch_device, job)
    networks = [partial(load_fold, package, fold) for fold in range(len(procedure.folds))]
    logits = predict_logits(networks, prepared, stage.window_zyx, torch_device, job)
    return label_image(logits, prepared, job), mean_probabilities(logits, procedure)


def _without_crop(oriented: Oriented, package: ModelPackage, crop: Crop) -> Oriented:
    """Return an image with the finding that its part for the network was not found."""
    structures = ", ".join(crop.structures)
    finding = Finding.of("AC-MD-135", package=package.name, finder=crop.finder, structures=structures)
    return replace(oriented, findings=(*oriented.findings, finding))


def required_bytes(prepared: Prepared, package: ModelPackage, *, exact: bool) -> int:
    """Return the memory that a profile needs at most for a CT, besides the CT itself."""
    procedure, window = procedure_of(package), package.stages["segmenter"].window_zyx
    shape = np.maximum(prepared.image.shape, window)
    of_window = package.plan("segmenter").peak_bytes()
    if exact and procedure.framework == "monai":
        return int(np.prod(shape)) * 4 * (2 * procedure.heads + 2) + prepared.oriented.hu.size * 24 + 2 * of_window
    if exact:
        return exact_bytes(int(np.prod(shape)), prepared.oriented.hu.size, procedure.heads, of_window)
    return fast_bytes(procedure.heads, window, int(shape[1] * shape[2]), int(np.prod(shape)), of_window)


def _check_memory(prepared: Prepared, package: ModelPackage, *, exact: bool) -> None:
    needed, present = required_bytes(prepared, package, exact=exact), machine_bytes()
    if needed > present:
        raise ModelError("AC-MD-085", needed=needed / GB, present=present / GB)


@dataclass(frozen=True)
class Boxed:
    """Probabilities of structures in boxes.

    Attributes
    ----------
    parts
        Each structure, its box, its probability over the patient's z, y, x, the mean probability of its voxels, and
        whether it reaches what was not searched; the network is run when the first one is asked for.
    device
        Where the network ran.
    findings
        About the scan.
    """

    parts: Iterator[tuple[str, Grid, Probability, float, bool]]
    device: str
    findings: tuple[Finding, ...]


def probabilities_in_boxes(
    ct: CTVolume,
    package: ModelPackage,
    names: Collection[str],
    job: Job,
    device: str,
    edges_mm: Sequence[tuple[Floats, Floats]] | None = None,
) -> Boxed:
    """Run a published network fast.

    Parameters
    ----------
    ct, package, names, job, device
        As of `draw_published`.
    edges_mm
        Boxes in which the structures are; the body's if None.

    Raises
    ------
    ModelError
        As `draw_published`.
    """
    procedure, stage = procedure_of(package), package.stages["segmenter"]
    oriented = orient(ct, procedure.orientation)
    if procedure.crop is not None:
        part = find_crop(ct, oriented, package, procedure.crop, job, device, exact=False)
        if part is None:
            return Boxed(iter(()), "", _without_crop(oriented, package, procedure.crop).findings)
        oriented = oriented.cropped(part)
    prepared = prepare(oriented, stage, procedure).without_ct()
    del oriented
    _check_memory(prepared, package, exact=False)
    if edges_mm is None:
        edges_mm = find_parts(ct, Frame.of(ct.geometry))
    boxes = [prepared.box_from_patient(prepared.grid.box_of(*edges)) for edges in edges_mm]
    runners = [open_logits(package, fold, device) for fold in range(len(procedure.folds))]
    found = predict_in_boxes(runners, prepared, stage.window_zyx, list(names), boxes, job)
    parts = (
        (
            name,
            prepared.grid.cropped(prepared.box_to_patient(box)),
            prepared.to_patient(probability),
            confidence,
            is_cut,
        )
        for name, box, probability, confidence, is_cut in found
    )
    return Boxed(parts, runners[0].device, prepared.oriented.findings)


def _draw_fast(
    ct: CTVolume, package: ModelPackage, names: list[str], job: Job, device: str, *, two_stage: bool
) -> Drawn:
    clock = Clock()
    edges: list[tuple[Floats, Floats]] | None = None
    findings: tuple[Finding, ...] = ()
    profile, finders = "fast", ""
    if two_stage:
        with clock("localizer"):
            boxes = find_boxes(ct, package, names, job, device)
        findings, finders = boxes.findings, ", ".join(boxes.finders)
        profile = f"two-stage by {finders}"
        edges = None if boxes.everywhere else list(boxes.edges_mm.values())
        names = [name for name in names if name in boxes.edges_mm or name in boxes.everywhere]
    drawings: dict[str, Drawing] = {}
    measures: dict[str, Measure] = {}
    with clock("segmenter"):
        boxed = probabilities_in_boxes(ct, package, names, job, device, edges)
        for name, grid, probability, confidence, is_cut in boxed.parts:
            contours = Segmented(probability, grid, (), probability).contours_at(0.5, ct.geometry)
            measure = measure_probability(probability, 0.5, grid)
            if contours and measure is not None:
                doubt = Finding.of("AC-MD-142", name, structure=name, finders=finders)
                drawings[name] = Drawing(contours, (doubt,) if is_cut and edges is not None else ())
                measures[name] = replace(measure, confidence=confidence)
    return Drawn(drawings, measures, f"{boxed.device}, {profile}", boxed.findings + findings, clock)


def _draw_exactly(ct: CTVolume, package: ModelPackage, names: list[str], job: Job, device: str) -> Drawn:
    clock, procedure = Clock(), procedure_of(package)
    with clock("segmenter"):
        labels, oriented, confidence = exact_labels(ct, package, job, device)
    drawings: dict[str, Drawing] = {}
    measures: dict[str, Measure] = {}
    with clock("contours"):
        for name in job.track(names, "drawing the contours", len(names)):
            mask = np.isin(labels, procedure.values[name])
            box = Box.around(mask)
            contours = _contours(mask, box, oriented, ct) if box else {}
            if box is None or not contours:
                continue
            drawings[name] = Drawing(contours)
            inside = mask[box.slices].astype(np.float32)
            measure = measure_probability(inside, 0.5, oriented.grid.cropped(box))
            if measure is not None:
                measures[name] = replace(measure, confidence=confidence.get(name, 1.0))
    where = "CUDA" if choose_torch_device(device) == "cuda" else "CPU torch"
    return Drawn(drawings, measures, f"{where}, exact", oriented.findings, clock)


def _contours(mask: NDArray[np.bool_], box: Box, oriented: Oriented, ct: CTVolume) -> Contours:
    """Return the outline of a mask's voxels on the CT's slices."""
    if oriented.resampled:
        grown = box.padded((2, 2, 2), (mask.shape[0], mask.shape[1], mask.shape[2]))
        part = np.ascontiguousarray(oriented.grid.frame.to_ct(mask[grown.slices].astype(np.float32)))
        return contours_from_probability(part, oriented.grid.cropped(grown).geometry, ct.geometry)
    own = oriented.grid.frame.to_ct(mask.view(np.uint8).astype(np.float32)) > 0
    return contours_from_mask(np.ascontiguousarray(own), ct.geometry)
