"""A CT and a model package in, contours out: the body, a first look at all of it, a second look at each organ."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from autocontour.base.errors import ModelError
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.contouring import contours_from_probability
from autocontour.models.inference.body import find_body
from autocontour.models.inference.localizer import Found, Patient, locate_structures
from autocontour.models.inference.plausibility import Measure, check_structures, matches_site, measure_probability
from autocontour.models.inference.runtime import Runner, open_runner
from autocontour.models.inference.sampling import Frame
from autocontour.models.inference.segmenter import Segmented, segment_boxes
from autocontour.models.inference.slices import Seen, point_at_slices
from autocontour.models.package.package import ModelPackage
from autocontour.patient.geometry import Floats
from autocontour.patient.structures import Drawing
from autocontour.patient.volume import CTVolume

PREPARING = "preparing the networks (slow only the first time)"


@dataclass(frozen=True)
class Segmentation:
    """What a package drew on a CT.

    Attributes
    ----------
    drawings
        Structure → its contours with what is doubtful; what was not found is missing.
    confidence
        Structure → mean probability of its voxels, at most 1.
    site_matches
        Whether the scan shows the package's part of the body; if not, nothing is drawn.
    findings
        About the scan as a whole.
    device
        Where the networks ran.
    seconds
        Stage → wall-clock seconds.
    """

    drawings: Mapping[str, Drawing] = field(default_factory=dict)
    confidence: Mapping[str, float] = field(default_factory=dict)
    site_matches: bool = True
    findings: tuple[Finding, ...] = ()
    device: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)


class _Clock(dict[str, float]):
    """Stage → seconds."""

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self[stage] = self.get(stage, 0.0) + time.perf_counter() - start


def segment_structures(
    ct: CTVolume,
    package: ModelPackage,
    names: Collection[str] | None = None,
    job: Job | None = None,
    device: str = "auto",
) -> Segmentation:
    """Draw a package's structures on a CT.

    Parameters
    ----------
    ct
        Any orientation and spacing; contours lie on its own slices.
    package
        A package that was read and so checked.
    names
        Which structures; None for all that the package draws unless asked otherwise. One name reruns one structure.
    device
        ``auto``, ``cpu`` or ``cuda``; see `autocontour.models.inference.runtime.open_runner`.

    Raises
    ------
    ModelError
        ``AC-MD-032`` for a name that the package has not; ``AC-MD-030`` for a CT turned too far; or what opening the
        networks raises.
    """
    wanted = list(package.drawn_names if names is None else names)
    if unknown := [name for name in wanted if name not in package.structures]:
        raise ModelError("AC-MD-032", f"{package.name} does not draw {', '.join(unknown)}.", "See: models show.")
    job, clock = job or Job(), _Clock()
    with clock("body"):
        frame = Frame.of(ct.geometry)
        patient = Patient.of(ct, *find_body(ct, frame))
    if patient is None:
        return Segmentation(site_matches=False, findings=(_no_site(package),), seconds=clock)
    found = _look(patient, package, job, device, clock)
    if not found.site_matches:
        return Segmentation(site_matches=False, findings=(_no_site(package),), seconds=clock)
    boxes = {name: found.boxes_mm[name] for name in wanted if name in found.boxes_mm}
    if not boxes:
        return Segmentation(seconds=clock)
    job.advance(PREPARING, 0.5)
    with clock("loading"):
        runner = open_runner(package, "segmenter", device)
    job.advance(PREPARING, 1.0)
    with clock("segmenter"):
        segmented = segment_boxes(patient, package, runner, boxes, job)
    return _finish(ct, package, segmented, runner, job, clock)


def _look(patient: Patient, package: ModelPackage, job: Job, device: str, clock: _Clock) -> Found:
    """Return where the structures are; in a package without a localizer, anywhere in the body."""
    if "localizer" not in package.stages:
        body: tuple[Floats, Floats] = (patient.low_zyx_mm, patient.high_zyx_mm)
        return Found(dict.fromkeys(package.structures, body), site_matches=True)
    job.advance(PREPARING, 0.0)
    with clock("loading"):
        runner = open_runner(package, "localizer", device)
    with clock("localizer"):
        return locate_structures(patient, package, runner, job)


def _finish(
    ct: CTVolume, package: ModelPackage, segmented: Mapping[str, Segmented], runner: Runner, job: Job, clock: _Clock
) -> Segmentation:
    measures: dict[str, Measure] = {}
    for name, outcome in segmented.items():
        measure = measure_probability(outcome.probability, package.structures[name].threshold, outcome.grid)
        if measure is not None:
            measures[name] = measure
    anchors = [name for name in package.site_anchors if name in measures]
    if "localizer" not in package.stages and anchors and not matches_site(package, measures):
        return Segmentation(site_matches=False, findings=(_no_site(package),), device=runner.device, seconds=clock)
    doubts = check_structures(package, measures)
    drawings: dict[str, Drawing] = {}
    with clock("contours"):
        for name in job.track(measures, "drawing the contours", len(measures)):
            outcome = segmented[name]
            turned = np.ascontiguousarray(outcome.grid.frame.to_ct(outcome.probability))
            contours = contours_from_probability(
                turned, outcome.grid.geometry, ct.geometry, level=package.structures[name].threshold
            )
            if contours:
                seen = Seen(contours, turned, outcome.grid.geometry, ct.geometry, package.structures[name])
                drawings[name] = Drawing(contours, point_at_slices(outcome.findings + doubts[name], seen))
    confidence = {name: measures[name].confidence for name in drawings}
    return Segmentation(drawings, confidence, device=runner.device, seconds=clock)


def _no_site(package: ModelPackage) -> Finding:
    site = package.body_site.lower().replace("_", " ")
    return Finding(
        "AC-MD-108",
        Severity.INFO,
        f"The scan does not show the {site}; the package {package.name} drew nothing.",
        remedy="Draw by hand, or use a package for this part of the body.",
    )
