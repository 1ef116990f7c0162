"""From a CT to its structure set: the rules, the networks and the template together."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from autocontour import __version__
from autocontour.base.errors import CTError, ModelError, TargetError
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.contouring import margin_contours, mask_from_contours
from autocontour.contouring.islands import drop_islands
from autocontour.edits import Target, make_target
from autocontour.patient.identity import PatientFacts
from autocontour.patient.matching import folded_name
from autocontour.patient.nomenclature import find_term, match_name
from autocontour.patient.provenance import Provenance
from autocontour.patient.recipe import NamedRecipe, in_order
from autocontour.patient.structures import Contours, Drawing, Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.plan import NOT_FOUND, RULES, SHORT_RULES, Plan, build_plan, for_patient, offered_by
from autocontour.qa.checks.check import ANATOMY, check_set, with_findings
from autocontour.site.template import TemplateStructure

if TYPE_CHECKING:
    from autocontour.models import ModelPackage

LABEL = "AUTOCONTOUR"
EXPIRED = "AC-MD-064"
"""The patient's own package is too old."""
RECIPES = "autocontour recipes"
"""Algorithm of structures that are made from others by a recipe."""


@dataclass(frozen=True)
class Contoured:
    """A contoured CT.

    Attributes
    ----------
    structure_set
        Every structure that was found, unapproved.
    seconds
        Stage → wall-clock seconds.
    """

    structure_set: StructureSet
    seconds: Mapping[str, float]


@dataclass
class _Run:
    """Intermediate results of one call of `contour_ct`."""

    ct: CTVolume
    plan: Plan
    job: Job
    device: str
    drawn: dict[str, tuple[Drawing, Provenance]] = field(default_factory=dict)
    others: dict[str, list[tuple[Drawing, Provenance]]] = field(default_factory=dict)  # of structures already drawn
    findings: list[Finding] = field(default_factory=list)
    reasons: list[Finding] = field(default_factory=list)  # why a rule drew nothing
    seconds: dict[str, float] = field(default_factory=dict)
    tried: set[tuple[str, str]] = field(default_factory=set)  # package and structure

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


def contour_ct(
    ct: CTVolume,
    plan: Plan | None = None,
    *,
    device: str = "auto",
    job: Job | None = None,
    on_structure: Callable[[Structure], None] = lambda _: None,
    given: Sequence[Structure] = (),
) -> Contoured:
    """Draw every structure of a plan that is in the scan.

    Parameters
    ----------
    ct
        The planning CT.
    plan
        The structures and how each is drawn; everything that is drawn by default if None.
    device
        ``auto``, ``cpu`` or ``cuda``, for the networks.
    job
        Reports progress; may cancel.
    on_structure
        Called with each structure as soon as it is ready.
    given
        Structures that exist already, such as those of a set that is extended: recipes may use them.
    """
    run = _Run(ct, for_patient(plan or build_plan(), PatientFacts.of(ct)), job or Job(), device)
    _draw_in_order(run)
    _draw_by_rules(run, run.plan.by_rules)
    _draw_by_networks(run)
    structures = tuple(_finish(run, on_structure))
    others = tuple(_others(run, structures, on_structure))
    structures += tuple(_make_targets(run, (*given, *structures), on_structure))
    structures += others
    reference = ct.reference
    structure_set = StructureSet(
        LABEL,
        structures,
        series_instance_uid=reference.series_instance_uid if reference else "",
        frame_of_reference_uid=reference.frame_of_reference_uid if reference else "",
        findings=(*ct.findings, *run.plan.findings, *run.findings),
    )
    with run.timed("checks"):
        structure_set = with_findings(structure_set, check_set(ct, structure_set, checks=ANATOMY))
    return Contoured(structure_set, run.seconds)


def check_drawn(structure_set: StructureSet, plan: Plan) -> None:
    """Refuse a structure set that has nothing of what was asked for.

    Raises
    ------
    CTError
        ``AC-CT-101`` if no structure was found.
    ModelError
        ``AC-MD-138`` if the package that the user chose drew none of its structures: what the rules drew beside it must
        not pass for its result.
    """
    if not structure_set.structures:
        raise CTError("AC-CT-101")
    if not plan.package_is_chosen:
        return
    for package in plan.packages:
        asked = plan.sources & set(package.structures)
        drawers = {one.provenance.algorithm for one in structure_set.structures if one.provenance}
        if asked and package.name not in drawers:
            reasons = [one for one in structure_set.findings if one.code.startswith("AC-MD")]
            raise ModelError("AC-MD-138", reasons, package=package.name, count=len(asked))


def _draw_in_order(run: _Run) -> None:
    """Draw the structures whose template states by what: each by the first of its drawers that finds it."""
    orders, packages = run.plan.orders, {package.name: package for package in reversed(run.plan.packages)}
    for place in range(max(map(len, orders.values()), default=0)):
        at_place = {name: order[place] for name, order in orders.items() if place < len(order)}
        for drawer in dict.fromkeys(at_place.values()):
            mine = [name for name, one in at_place.items() if one == drawer and name not in run.drawn]
            if drawer == SHORT_RULES:
                _draw_by_rules(run, mine)
            else:
                _draw_by_package(run, packages[drawer], mine)


def _draw_by_rules(run: _Run, names: Collection[str]) -> None:
    from autocontour import rules

    mine = [name for name in rules.RULES if name in names]
    if not mine:
        return
    with_mask = any(structure.with_mask for structure in run.plan.structures)
    provenance = Provenance(RULES, __version__, template=run.plan.template_identity)
    with run.timed("rules"):
        drawings = rules.draw_structures(run.ct, mine, run.job, on_finding=run.reasons.append, with_mask=with_mask)
    run.drawn.update((name, (drawing, provenance)) for name, drawing in drawings.items())


def _draw_by_networks(run: _Run) -> None:
    plan = run.plan
    for package in plan.packages:
        offered = package.structures if plan.compare else offered_by(package, plan.packages)
        names = [name for name in offered if name in plan.sources and (name not in run.drawn or plan.compare)]
        # Where the template states the drawers and none of them drew it, nothing else does, not even to compare.
        _draw_by_package(run, package, [name for name in names if name in run.drawn or name not in plan.orders])


def _draw_by_package(run: _Run, package: ModelPackage, names: Sequence[str]) -> None:
    """Draw structures by a package; those that it has drawn already are left out."""
    from autocontour.models import is_about_package, segment_structures

    mine = [name for name in names if (package.name, name) not in run.tried]
    if not mine:
        return
    run.tried.update((package.name, name) for name in mine)
    try:
        with run.timed(f"network {package.name}"):
            segmentation = segment_structures(run.ct, package, mine, run.job, device=run.device)
    except ModelError as error:
        if run.plan.package_is_chosen or not is_about_package(error):
            raise
        run.findings.append(_unused(package, error))
        return
    run.findings.extend(segmentation.findings)
    identity = run.plan.template_identity
    provenance = Provenance(package.name, package.version, package.checksum, segmentation.device, identity)
    for name, drawing in segmentation.drawings.items():
        drawn = (drawing, replace(provenance, confidence=round(segmentation.confidence[name], 3)))
        if name in run.drawn:
            run.others.setdefault(name, []).append(drawn)
        else:
            run.drawn[name] = drawn


def _unused(package: ModelPackage, error: ModelError) -> Finding:
    """Return why a package was not used: it has expired, or it is damaged."""
    if error.code == EXPIRED:
        values: dict[str, Any] = dict(error.values)
        return Finding.of(EXPIRED, severity=Severity.WARN, **values)
    return Finding.of("AC-MD-120", package=package.name, reason=error.code)


def _finish(run: _Run, on_structure: Callable[[Structure], None]) -> Iterator[Structure]:
    """Convert the drawings to the structures of the template, and report structures that were not found."""
    finished: dict[str, Structure] = {}
    for number, entry in enumerate(run.plan.structures, 1):
        drawn = _grow(run, entry, finished) if entry.margin_of else run.drawn.get(entry.tg263_name)
        contours = drop_islands(drawn[0].contours, run.ct.geometry, entry.smallest_island_cc) if drawn else {}
        if drawn is None or not contours:
            reasons = [reason for reason in run.reasons if reason.where == entry.tg263_name]
            run.findings += reasons or [Finding.of(NOT_FOUND, entry.name, structure=entry.name)]
            continue
        structure = _build_structure(number, entry, replace(drawn[0], contours=contours), drawn[1])
        finished[entry.name] = structure
        on_structure(structure)
        yield structure


def _others(
    run: _Run, structures: Sequence[Structure], on_structure: Callable[[Structure], None]
) -> Iterator[Structure]:
    """Yield what further packages drew of the same structures, each compared with the first."""
    first = {structure.tg263_name: structure for structure in reversed(structures)}
    number = len(run.plan.structures) + len(run.plan.recipes)
    for name, drawings in run.others.items():
        if name not in first:
            continue
        for place, (drawing, provenance) in enumerate(drawings, 2):
            number += 1
            entry = TemplateStructure(f"{first[name].name}^{place}", name)
            agreement = _agreement(first[name].contours, drawing.contours, run.ct)
            drawer = first[name].provenance
            finding = Finding.of(
                "AC-PL-012",
                entry.name,
                structure=entry.name,
                other=provenance.algorithm,
                first=first[name].name,
                drawer=drawer.algorithm if drawer else "",
                dsc=agreement,
            )
            both = replace(drawing, findings=(*drawing.findings, finding))
            structure = _build_structure(number, entry, both, provenance)
            on_structure(structure)
            yield structure


def _agreement(first: Contours, second: Contours, ct: CTVolume) -> float:
    """Return the DSC of two structures on the CT's voxels."""
    a, b = (mask_from_contours(contours, ct.geometry) for contours in (first, second))
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def _make_targets(
    run: _Run, structures: Sequence[Structure], on_structure: Callable[[Structure], None]
) -> Iterator[Structure]:
    """Make the targets of the template's recipes, and report those that cannot be made."""
    by_name = {folded_name(structure.name): structure for structure in structures}
    recipes = {one.name: one for one in run.plan.recipes}
    order = in_order({name: one.recipe for name, one in recipes.items()})
    for number, name in enumerate(order, len(run.plan.structures) + 1):
        recipe = recipes[name].recipe
        missing = [needed for needed in recipe.names if folded_name(needed) not in by_name]
        if missing:
            run.findings.append(Finding.of("AC-TG-030", name, target=name, sources=", ".join(missing)))
            continue
        found = {needed: by_name[folded_name(needed)] for needed in recipe.names}
        try:
            with run.timed("recipes"):
                target = make_target(name, recipe, found, run.ct.geometry, run.job)
        except TargetError as error:
            run.findings.append(Finding.of("AC-TG-031", name, target=name, reason=error.code))
            continue
        structure = _build_target(number, recipes[name], target, run.plan.template_identity)
        by_name[folded_name(name)] = structure
        on_structure(structure)
        yield structure


def _build_target(number: int, entry: NamedRecipe, target: Target, template: str) -> Structure:
    tg263_name = match_name(entry.name)
    term = find_term(tg263_name or entry.name)
    return Structure(
        name=entry.name,
        number=number,
        contours=target.contours,
        tg263_name=tg263_name,
        interpreted_type=entry.interpreted_type or term.interpreted_type,
        color_rgb=entry.color_rgb or term.color_rgb,
        provenance=Provenance(RECIPES, __version__, template=template),
        description=entry.recipe.description,
        findings=target.findings,
    )


def _grow(run: _Run, entry: TemplateStructure, finished: Mapping[str, Structure]) -> tuple[Drawing, Provenance] | None:
    """Draw a structure as another one with a margin; None if that one was not found."""
    source = finished.get(entry.margin_of or "")
    if source is None or source.provenance is None:
        return None
    with run.timed("margins"):
        contours = margin_contours(source.contours, run.ct.geometry, entry.margins_mm)
    return Drawing(contours, source.findings), source.provenance


def _build_structure(number: int, entry: TemplateStructure, drawing: Drawing, provenance: Provenance) -> Structure:
    from autocontour.qa.plausibility import check_contours

    term = find_term(entry.tg263_name)
    # Findings about the other structure also apply to its margin.
    doubts = () if entry.margin_of else check_contours(entry.name, drawing.contours)
    return Structure(
        name=entry.name,
        number=number,
        contours=drawing.contours,
        tg263_name=entry.tg263_name,
        interpreted_type=entry.interpreted_type or term.interpreted_type,
        color_rgb=entry.color_rgb or term.color_rgb,
        provenance=provenance,
        findings=(*drawing.findings, *doubts),
    )
