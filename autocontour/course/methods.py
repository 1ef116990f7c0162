"""The contours of a later CT by each method, and the chosen ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from autocontour import __version__
from autocontour.base.errors import AutoContourError, Cancelled, TargetError
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours
from autocontour.course.choice import GENERAL, PATIENT, PROPAGATED, SUFFIX, Table
from autocontour.course.link import Link
from autocontour.edits import make_target
from autocontour.models import ModelPackage, available_packages
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.identity import PatientFacts
from autocontour.patient.matching import folded_name
from autocontour.patient.nomenclature import TARGET_TYPES, is_target_name
from autocontour.patient.provenance import Provenance
from autocontour.patient.recipe import in_order
from autocontour.patient.structures import Contours, GenerationAlgorithm, ReviewStatus, Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.contour import contour_ct
from autocontour.pipeline.plan import Plan, build_plan, list_drawable
from autocontour.registration.propagate import Trust, measure_trust, propagate_contours
from autocontour.site.template import Template

PROPAGATION, RECIPES = "autocontour propagation", "autocontour recipes"
LABEL, METHODS_LABEL = "ADAPTIVE", "ADAPTIVE METHODS"
CUT_FRACTION = 0.02
NOT_OF_METHOD = frozenset({"AC-CO-040", "AC-CO-043", "AC-CO-044", "AC-CO-045"})


@dataclass(frozen=True)
class Drawn:
    """The contours of one structure by one method.

    Attributes
    ----------
    structure
        Under the planning CT's name.
    trust
        Measures of a propagated one.
    """

    structure: Structure
    trust: Trust | None = None

    @property
    def is_doubtful(self) -> bool:
        """Whether it has a warning that is about the method, not about every target or the scan's end."""
        findings = self.structure.findings
        return any(one.severity > Severity.INFO and one.code not in NOT_OF_METHOD for one in findings)


@dataclass(frozen=True)
class Chosen:
    """What a later CT's contours are.

    Attributes
    ----------
    structure_set
        The chosen contours; none is approved.
    others
        The contours of every method, with the suffixes of `SUFFIX`.
    methods
        Structure → the chosen method.
    drawn
        Structure → method → its contours.
    dsc
        Structure → ``method~method`` → their DSC.
    """

    structure_set: StructureSet
    others: StructureSet
    methods: Mapping[str, str]
    drawn: Mapping[str, Mapping[str, Drawn]]
    dsc: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def propagate_set(
    planning: StructureSet, earlier: CTVolume, later: CTVolume, link: Link, table: Table, checksum: str, job: Job
) -> dict[str, Drawn]:
    """Propagate every structure of the planning CT that has an area.

    The result is a proposal: nothing of the planning contours' approval, review or origin is carried over.
    """
    drawn: dict[str, Drawn] = {}
    before, after = earlier.geometry, later.geometry
    provenance = Provenance(PROPAGATION, __version__, checksum)
    for structure in job.track(planning.structures, "propagating the contours", len(planning.structures)):
        if not structure.contours:
            continue
        contours = propagate_contours(structure.contours, before, after, link.deformation)
        if not contours:
            continue
        trust = measure_trust(structure.contours, contours, before, after, link.deformation)
        damaged = [one for one in structure.findings if one.severity > Severity.INFO]
        findings = (*damaged, *trust_findings(structure, trust, table))
        drawn[structure.name] = Drawn(proposal(structure, contours, provenance, findings), trust)
    return drawn


def draw_by_networks(
    planning: StructureSet, ct: CTVolume, device: str, job: Job, findings: list[Finding]
) -> Iterator[tuple[str, dict[str, Drawn]]]:
    """Yield the contours of rules and general packages, and those of the patient's own package where there is one."""
    facts, today = PatientFacts.of(ct), date.today()
    packages = available_packages()
    own = []
    for package in packages:
        if package.patient and package.patient.is_for(facts):
            if package.patient.is_expired(today):
                reason = f"{package.name} has expired"
                findings.append(Finding.of("AC-CO-049", method=PATIENT, reason=reason))
            else:
                own.append(package)
    general = [one for one in packages if one.patient is None]
    yield GENERAL, _draw(planning, ct, GENERAL, general, None, device, job, findings)
    if own:
        mine = _newest(own, planning.series_instance_uid)
        if mine.patient and mine.patient.planning and not mine.patient.is_from(planning.series_instance_uid):
            findings.append(Finding.of("AC-CO-052", package=mine.name))
        yield PATIENT, _draw(planning, ct, PATIENT, [mine], mine, device, job, findings)


def _newest(packages: Sequence[ModelPackage], series_uid: str) -> ModelPackage:
    """Return the package that was made last; one that was made from the planning CT comes first."""

    def rank(package: ModelPackage) -> tuple[bool, str, str]:
        binding = package.patient
        return (binding.is_from(series_uid), binding.made, binding.expires) if binding else (False, "", "")

    return max(packages, key=rank)


def _draw(
    planning: StructureSet,
    ct: CTVolume,
    method: str,
    packages: Sequence[ModelPackage],
    only: ModelPackage | None,
    device: str,
    job: Job,
    findings: list[Finding],
) -> dict[str, Drawn]:
    # A network learnt targets from other patients' plans: they come from this patient's planning CT only.
    organs = [structure for structure in planning.structures if not is_target(structure)]
    names = {structure.name: structure.tg263_name or structure.name for structure in organs}
    drawable = {one.name for one in list_drawable(packages, is_chosen=only is not None)}
    if only is not None:
        drawable &= set(only.structures)
    wanted = sorted(drawable & set(names.values()))
    if not wanted:
        return {}
    try:
        plan = build_plan(None, wanted, only) if only else _general_plan(wanted, packages)
        drawn = contour_ct(ct, plan, device=device, job=job).structure_set
    except Cancelled:
        raise
    except AutoContourError as error:
        findings.append(Finding.of("AC-CO-049", method=method, reason=f"{error.code} {error.message}"))
        return {}
    by_tg263 = {structure.tg263_name: structure for structure in reversed(drawn.structures)}
    found = {}
    for structure in organs:
        mine = by_tg263.get(names[structure.name])
        if mine is not None and mine.contours and mine.provenance is not None:
            found[structure.name] = Drawn(proposal(structure, mine.contours, mine.provenance, mine.findings))
    return found


def _general_plan(wanted: Collection[str], packages: Sequence[ModelPackage]) -> Plan:
    """Return the plan without packages of patients, which are a method of their own."""
    return replace(build_plan(None, wanted), packages=tuple(packages))


def choose_contours(
    planning: StructureSet,
    ct: CTVolume,
    drawn: Mapping[str, Mapping[str, Drawn]],
    table: Table,
    template: Template | None,
    findings: Sequence[Finding],
    job: Job,
) -> Chosen:
    """Choose the contours of every structure by the table, and make the targets of the template's recipes.

    Parameters
    ----------
    planning
        Its structures are those wanted, under their names and numbers.
    ct
        The later CT.
    drawn
        Method → structure → contours.
    table, template
        The table of methods; recipes of targets, if any.
    findings
        About the whole.
    job
        Reports progress; may cancel.
    """
    by_structure = {
        structure.name: {method: one[structure.name] for method, one in drawn.items() if structure.name in one}
        for structure in planning.structures
    }
    recipes = {folded_name(one.name) for one in template.recipes} if template else set()
    chosen: dict[str, Structure] = {}
    methods: dict[str, str] = {}
    dsc: dict[str, dict[str, float]] = {}
    about = list(findings)
    for structure in job.track(planning.structures, "comparing the methods", len(planning.structures)):
        if not structure.contours or folded_name(structure.name) in recipes:
            continue
        mine = by_structure[structure.name]
        doubted = [method for method, one in mine.items() if one.is_doubtful]
        method = table.choose([structure.tg263_name, structure.name], list(mine), doubted)
        if not method:
            about.append(Finding.of("AC-CO-046", structure.name, structure=structure.name))
            continue
        dsc[structure.name] = compare_methods({name: one.structure.contours for name, one in mine.items()}, ct.geometry)
        extra = list(_disagreements(structure.name, dsc[structure.name], table.least_dsc))
        if method in doubted and len(mine) > 1:
            extra.append(Finding.of("AC-CO-048", structure.name, structure=structure.name, method=method))
        taken = mine[method].structure
        chosen[structure.name] = replace(taken, findings=(*taken.findings, *extra))
        methods[structure.name] = method
    if template:
        _add_targets(template, planning, by_structure, chosen, methods, ct.geometry, job)
    others = tuple(_named(by_structure))
    return Chosen(
        _set_of(LABEL, tuple(_in_order(planning, chosen)), ct, (*ct.findings, *about)),
        _set_of(METHODS_LABEL, others, ct, ()),
        methods,
        by_structure,
        dsc,
    )


def compare_methods(drawn: Mapping[str, Contours], geometry: VolumeGeometry) -> dict[str, float]:
    """Return the DSC of each pair of methods."""
    masks = {method: mask_from_contours(contours, geometry) for method, contours in sorted(drawn.items())}
    names = list(masks)
    found = {}
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            total = int(masks[first].sum()) + int(masks[second].sum())
            common = int((masks[first] & masks[second]).sum())
            found[f"{first}~{second}"] = round(2 * common / total, 4) if total else 1.0
    return found


def is_target(structure: Structure) -> bool:
    """Whether a structure is a target volume, by its type or its name."""
    return structure.interpreted_type in TARGET_TYPES or is_target_name(structure.name)


def trust_findings(structure: Structure, trust: Trust, table: Table) -> Iterator[Finding]:
    """Yield what is to be known about a propagated structure: a target, cut by an end of a scan, or doubtful."""
    name = structure.name
    if is_target(structure):
        yield Finding.of("AC-CO-043", name, structure=name)
    if trust.cut_later > CUT_FRACTION:
        yield Finding.of("AC-CO-040", name, structure=name, percent=100 * trust.cut_later)
    if trust.cut_earlier:
        yield Finding.of("AC-CO-041", name, structure=name)
    if reasons := list(table.doubtful.reasons(trust)):
        yield Finding.of("AC-CO-042", name, structure=name, reason="; ".join(reasons))


def _disagreements(name: str, dsc: Mapping[str, float], least: float) -> Iterator[Finding]:
    for pair, value in dsc.items():
        if value < least:
            first, second = pair.split("~")
            yield Finding.of("AC-CO-047", name, structure=name, first=first, second=second, dsc=value)


def proposal(
    structure: Structure, contours: Contours, provenance: Provenance, findings: Sequence[Finding]
) -> Structure:
    """Return new contours under a planning structure's name: automatic, without review, file attributes or imports."""
    return Structure(
        name=structure.name,
        number=structure.number,
        contours=contours,
        tg263_name=structure.tg263_name,
        interpreted_type=structure.interpreted_type,
        color_rgb=structure.color_rgb,
        generation=GenerationAlgorithm.AUTOMATIC,
        provenance=provenance,
        status=ReviewStatus.AUTO,
        findings=tuple(findings),
    )


def _add_targets(
    template: Template,
    planning: StructureSet,
    by_structure: dict[str, dict[str, Drawn]],
    chosen: dict[str, Structure],
    methods: dict[str, str],
    geometry: VolumeGeometry,
    job: Job,
) -> None:
    """Make the targets of recipes; where that fails, take the propagated shape with a warning."""
    recipes = {one.name: one for one in template.recipes}
    known = {folded_name(structure.name): structure for structure in planning.structures}
    by_name = {folded_name(name): structure for name, structure in chosen.items()}
    number = max((structure.number for structure in planning.structures), default=0)
    for name in in_order({key: one.recipe for key, one in recipes.items()}):
        recipe = recipes[name].recipe
        planned = known.get(folded_name(name))
        try:
            needed = {one: by_name[folded_name(one)] for one in recipe.names if folded_name(one) in by_name}
            target = make_target(name, recipe, needed, geometry, job)
        except TargetError as error:
            shape = by_structure.get(planned.name, {}).get(PROPAGATED) if planned else None
            if shape is None or planned is None:
                continue
            finding = Finding.of("AC-CO-045", planned.name, structure=planned.name, reason=error.code)
            structure = replace(shape.structure, findings=(*shape.structure.findings, finding))
        else:
            number += planned is None
            finding = Finding.of("AC-CO-044", name, structure=name)
            base = planned or Structure(name, number, {}, interpreted_type=recipes[name].interpreted_type or "PTV")
            provenance = Provenance(RECIPES, __version__, template=template.identity)
            structure = proposal(base, target.contours, provenance, (*target.findings, finding))
            structure = replace(structure, description=recipe.description)
        chosen[structure.name] = by_name[folded_name(name)] = structure
        methods[structure.name] = PROPAGATED


def _in_order(planning: StructureSet, chosen: Mapping[str, Structure]) -> Iterator[Structure]:
    order = {structure.name: place for place, structure in enumerate(planning.structures)}
    yield from sorted(chosen.values(), key=lambda structure: order.get(structure.name, len(order)))


def _named(by_structure: Mapping[str, Mapping[str, Drawn]]) -> Iterator[Structure]:
    """Yield the contours of every method under names that cannot be mistaken for the chosen ones."""
    number = 0
    for mine in by_structure.values():
        for method, one in mine.items():
            number += 1
            name = f"{one.structure.name[:58]}{SUFFIX[method]}"
            yield replace(one.structure, name=name, number=number, description=f"by method {method}, for comparison")


def _set_of(label: str, structures: tuple[Structure, ...], ct: CTVolume, findings: Sequence[Finding]) -> StructureSet:
    """Return a set that refers to the later CT, never to the planning CT."""
    reference = ct.reference
    return StructureSet(
        label,
        structures,
        series_instance_uid=reference.series_instance_uid if reference else "",
        frame_of_reference_uid=reference.frame_of_reference_uid if reference else "",
        findings=tuple(findings),
    )
