"""Contours of a CT by a model package: body, localizer in the whole body, segmenter in each box."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date

from autocontour.base.errors import ModelError
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.contouring import margin_contours
from autocontour.models.inference.localizer import Found, Patient, find_patient, locate_structures
from autocontour.models.inference.plausibility import Measure, check_measures, matches_site, measure_probability
from autocontour.models.inference.runtime import open_runner
from autocontour.models.inference.segmenter import Segmented, segment_boxes
from autocontour.models.inference.slices import Seen, point_at_slices
from autocontour.models.package.habit import Habit
from autocontour.models.package.package import ModelPackage
from autocontour.models.package.procedure import Procedure
from autocontour.patient.geometry import Floats
from autocontour.patient.identity import PatientFacts
from autocontour.patient.nomenclature import is_target_name
from autocontour.patient.structures import Drawing
from autocontour.patient.volume import CTVolume

LEAST_PROFILE_DSC = 0.85
PREPARING = "preparing the networks (slow only the first time)"


@dataclass(frozen=True)
class Segmentation:
    """Result of a package on a CT.

    Attributes
    ----------
    drawings
        Structure → its contours with their findings; structures that were not found are missing.
    confidence
        Structure → mean probability of its voxels, at most 1.
    site_matches
        Whether the scan is of the package's body site; if not, nothing is drawn.
    findings
        About the scan as a whole.
    device
        Device of the networks.
    seconds
        Stage → wall-clock seconds.
    measures
        Structure → measures of its probability.
    """

    drawings: Mapping[str, Drawing] = field(default_factory=dict)
    confidence: Mapping[str, float] = field(default_factory=dict)
    site_matches: bool = True
    findings: tuple[Finding, ...] = ()
    device: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    measures: Mapping[str, Measure] = field(default_factory=dict)


def check_patient(ct: CTVolume, package: ModelPackage, today: date) -> None:
    """Reject a CT of another patient than the package is for, and a package that has expired.

    Raises
    ------
    ModelError
        ``AC-MD-063`` for another patient, ``AC-MD-064`` after the package has expired.
    """
    if package.patient is None:
        return
    if not package.patient.is_for(PatientFacts.of(ct)):
        raise ModelError("AC-MD-063", package=package.name)
    if package.patient.is_expired(today):
        raise ModelError("AC-MD-064", package=package.name, day=package.patient.expires)


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
        A package that was read, and so checked.
    names
        Structures to draw; None for all that the package draws by default. One name reruns one structure.
    job
        Reports progress; may cancel.
    device
        ``auto``, ``cpu`` or ``cuda``; see `autocontour.models.inference.runtime.open_runner`.

    Raises
    ------
    ModelError
        ``AC-MD-032`` for a name not in the package; ``AC-MD-063`` or ``AC-MD-064`` of `check_patient`;
        ``AC-MD-030`` for a CT too oblique; or the errors of opening the
        networks. For a published network also ``AC-MD-080`` if its sides were not checked, and the errors of
        `autocontour.models.inference.published.segment.draw_published`.
    """
    wanted = list(package.drawn_names if names is None else names)
    if unknown := [name for name in wanted if name not in package.structures]:
        raise ModelError("AC-MD-032", package=package.name, structures=", ".join(unknown))
    check_patient(ct, package, date.today())
    if package.procedure is not None:
        return _segment_published(ct, package, wanted, job or Job(), device)
    job, clock = job or Job(), _Clock()
    with clock("body"):
        patient = find_patient(ct)
    if patient is None:
        return _no_site(package, clock)
    found = _locate(patient, package, job, device, clock)
    if not found.site_matches:
        return _no_site(package, clock)
    boxes = {name: found.boxes_mm[name] for name in wanted if name in found.boxes_mm}
    if not boxes:
        return Segmentation(seconds=clock)
    job.advance(PREPARING, 0.5)
    with clock("loading"):
        runner = open_runner(package, "segmenter", device)
    job.advance(PREPARING, 1.0)
    with clock("segmenter"):
        segmented = segment_boxes(patient, package, runner, boxes, job)
    measures = measure_structures(package, segmented, found)
    anchors = [name for name in package.site_anchors if name in measures]
    if "localizer" not in package.stages and anchors and not matches_site(package, measures):
        return _no_site(package, clock, runner.device)
    with clock("contours"):
        drawings = _draw(ct, package, segmented, measures, job)
    confidence = {name: measures[name].confidence for name in drawings}
    return Segmentation(drawings, confidence, device=runner.device, seconds=clock, measures=measures)


def _segment_published(ct: CTVolume, package: ModelPackage, names: list[str], job: Job, device: str) -> Segmentation:
    """Draw by a published network, in the package's profile."""
    from autocontour.models.inference.published.segment import draw_published
    from autocontour.models.inference.published.sides import find_other_organs

    if package.sides is None:
        raise ModelError("AC-MD-080", package=package.name)
    drawn = draw_published(ct, package, names, job, device)
    checked = {name: list(found) for name, found in check_measures(package, drawn.measures).items()}
    for name, values in find_other_organs(ct, package, drawn).items():
        checked[name].append(Finding.of("AC-MD-139", name, structure=name, values=values))
    drawings = {
        name: Drawing(one.contours, (*one.findings, *checked.get(name, ()), *_always(name, package)))
        for name, one in drawn.drawings.items()
    }
    confidence = {name: drawn.measures[name].confidence for name in drawings}
    seconds, measures = drawn.seconds, drawn.measures
    return Segmentation(drawings, confidence, True, drawn.findings, drawn.device, seconds, measures)


def _always(name: str, package: ModelPackage) -> Iterator[Finding]:
    """Yield ``AC-MD-112`` for a target, and what is known of a structure of a published network."""
    if is_target_name(name):
        yield Finding.of("AC-MD-112", name, structure=name)
    if package.procedure is not None and name not in package.measured_names:
        yield Finding.of("AC-MD-134", name, package=package.name, structure=name)
    if package.procedure is not None and package.procedure.profile != "exact":
        yield from _about_profile(name, package.procedure)


def _about_profile(name: str, procedure: Procedure) -> Iterator[Finding]:
    """Yield ``AC-MD-140`` for a structure that a profile draws otherwise than ``exact``, ``AC-MD-141`` if not known."""
    measured = procedure.measured.get(procedure.profile)
    if measured is None or name not in measured.dsc:
        yield Finding.of("AC-MD-141", name, structure=name, profile=procedure.profile)
    elif measured.dsc[name] < LEAST_PROFILE_DSC:
        yield Finding.of("AC-MD-140", name, structure=name, profile=procedure.profile, dsc=measured.dsc[name])


def _locate(patient: Patient, package: ModelPackage, job: Job, device: str, clock: _Clock) -> Found:
    """Return the boxes of the structures; in a package without a localizer, the whole body."""
    if "localizer" not in package.stages:
        body: tuple[Floats, Floats] = (patient.low_zyx_mm, patient.high_zyx_mm)
        return Found(dict.fromkeys(package.structures, body), site_matches=True)
    job.advance(PREPARING, 0.0)
    with clock("loading"):
        runner = open_runner(package, "localizer", device)
    with clock("localizer"):
        return locate_structures(patient, package, runner, job)


def measure_structures(package: ModelPackage, segmented: Mapping[str, Segmented], found: Found) -> dict[str, Measure]:
    """Measure every structure that was segmented."""
    measures: dict[str, Measure] = {}
    for name, outcome in segmented.items():
        measure = measure_probability(outcome.probability, package.structures[name].threshold, outcome.grid)
        if measure is not None:
            located = found.volumes_cc.get(name)
            measures[name] = replace(measure, localized_cc=located, member_agreement=outcome.agreement)
    return measures


def _draw(
    ct: CTVolume,
    package: ModelPackage,
    segmented: Mapping[str, Segmented],
    measures: Mapping[str, Measure],
    job: Job,
) -> dict[str, Drawing]:
    checked = check_measures(package, measures)
    drawings: dict[str, Drawing] = {}
    for name in job.track(measures, "drawing the contours", len(measures)):
        outcome, structure = segmented[name], package.structures[name]
        contours = outcome.contours_at(structure.threshold, ct.geometry)
        if contours:
            seen = Seen(contours, outcome.on_ct_axes(), outcome.grid.geometry, ct.geometry, structure)
            found = (*point_at_slices(outcome.findings + checked[name], seen), *_always(name, package))
            drawings[name] = _as_the_clinic(Drawing(contours, found), name, structure.habit, ct)
    return {name: drawing for name, drawing in drawings.items() if drawing.contours}


def _as_the_clinic(drawing: Drawing, name: str, habit: Habit | None, ct: CTVolume) -> Drawing:
    """Change the contours as the clinic always does, and state it."""
    if habit is None:
        return drawing
    stated = Finding.of(
        "AC-MD-111",
        name,
        structure=name,
        superior=f"{habit.superior_mm:+.1f}",
        inferior=f"{habit.inferior_mm:+.1f}",
        margin=f"{habit.margin_mm:+.1f}",
        count=habit.cases,
    )
    contours = margin_contours(drawing.contours, ct.geometry, habit.margins_mm)
    return replace(drawing, contours=contours, findings=(*drawing.findings, stated))


def _no_site(package: ModelPackage, clock: _Clock, device: str = "") -> Segmentation:
    site = package.body_site.lower().replace("_", " ")
    finding = Finding.of("AC-MD-108", site=site, package=package.name)
    return Segmentation(site_matches=False, findings=(finding,), device=device, seconds=clock)
