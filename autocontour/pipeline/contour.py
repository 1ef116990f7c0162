"""From a CT to its structure set: the rules, the networks and the template together."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autocontour import __version__
from autocontour.base.errors import UsageError
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.contouring import margin_contours
from autocontour.contouring.islands import drop_islands
from autocontour.patient.nomenclature import find_term
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import Drawing, Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.site.template import Template, TemplateStructure

if TYPE_CHECKING:
    from autocontour.models import ModelPackage

RULES = "autocontour rules"
LABEL = "AUTOCONTOUR"


@dataclass(frozen=True)
class Contoured:
    """A contoured CT.

    Attributes
    ----------
    structure_set
        Every structure that was found, unapproved.
    seconds
        Stage → wall-clock seconds it took.
    """

    structure_set: StructureSet
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Drawable:
    """A structure that can be drawn.

    Attributes
    ----------
    name
        TG-263 name.
    drawn_by
        `RULES`, or a package's name and version; where several may draw it, all of them in the order they are tried.
    by_default
        Whether it is drawn unless asked otherwise; a package withholds what it is not accurate enough for.
    """

    name: str
    drawn_by: tuple[str, ...]
    by_default: bool = True


@dataclass
class _Run:
    """What one call of `contour_ct` gathers."""

    ct: CTVolume
    job: Job
    device: str
    template_identity: str
    packages: Sequence[ModelPackage] = ()
    drawn: dict[str, tuple[Drawing, Provenance]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    reasons: list[Finding] = field(default_factory=list)  # why a rule drew nothing
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


def contour_ct(
    ct: CTVolume,
    *,
    template: Template | None = None,
    names: Collection[str] = (),
    package: str = "",
    device: str = "auto",
    job: Job | None = None,
    on_structure: Callable[[Structure], None] = lambda _: None,
) -> Contoured:
    """Draw every structure asked for that is in the scan.

    Parameters
    ----------
    ct
        The planning CT.
    template
        Which structures to draw and what the clinic calls them; without one, `names`, and without those all there are.
    names
        TG-263 names; only these, of the template too.
    package
        Name or path of the one model package that draws what it knows, rules the rest; empty for the rules first, then
        every package whose body site is in the scan.
    device
        ``auto``, ``cpu`` or ``cuda``, for the networks.
    on_structure
        Called with each structure as soon as it is ready.

    Raises
    ------
    UsageError
        ``AC-US-012`` if a name is asked for that nothing here can draw.
    ModelError
        ``AC-MD-017`` if there is no such package, or what reading it raises.
    """
    packages = _packages(package)
    wanted = _wanted_structures(template, names, list_drawable(packages, is_chosen=bool(package)))
    run = _Run(ct, job or Job(), device, template.identity if template else "", packages)
    sources = {structure.tg263_name for structure in wanted if structure.margin_of is None}
    by_rules = sources - {name for one in packages for name in one.structures} if package else sources
    _draw_by_rules(run, by_rules, with_mask=any(structure.with_mask for structure in wanted))
    _draw_by_networks(run, sources)
    structures = tuple(_finish(run, wanted, on_structure))
    reference = ct.reference
    return Contoured(
        StructureSet(
            LABEL,
            structures,
            series_instance_uid=reference.series_instance_uid if reference else "",
            frame_of_reference_uid=reference.frame_of_reference_uid if reference else "",
            findings=(*ct.findings, *run.findings),
        ),
        run.seconds,
    )


def _wanted_structures(
    template: Template | None, names: Collection[str], drawable: Sequence[Drawable]
) -> tuple[TemplateStructure, ...]:
    """Resolve what is asked for; a structure grown from another brings that one with it."""
    known = (one.name for one in drawable if names or one.by_default)
    on_offer = template.structures if template else tuple(TemplateStructure(name, name) for name in known)
    if unknown := sorted(set(names) - {structure.tg263_name for structure in on_offer}):
        listed = ", ".join(structure.tg263_name for structure in on_offer)
        raise UsageError("AC-US-012", f"Nothing here draws {', '.join(unknown)}.", f"Known: {listed}.")
    chosen = [structure for structure in on_offer if not names or structure.tg263_name in names]
    needed = {structure.margin_of for structure in chosen}
    return tuple(structure for structure in on_offer if structure in chosen or structure.name in needed)


def list_drawable(packages: Sequence[ModelPackage], *, is_chosen: bool = False) -> list[Drawable]:
    """Return every structure that a rule or one of `packages` can draw, rules first.

    Parameters
    ----------
    packages
        In the order they are tried.
    is_chosen
        Whether the user chose the package: then what it knows is drawn by it alone.
    """
    from autocontour import rules

    drawers: dict[str, list[str]] = {name: [RULES] for name in rules.RULES}
    unasked = set(rules.RULES)
    for package in packages:
        for name in _structures_of(package, packages):
            if is_chosen:
                drawers[name] = []
                unasked.discard(name)
            drawers.setdefault(name, []).append(f"{package.name} {package.version}")
        unasked.update(package.drawn_names)
    return [Drawable(name, tuple(by), name in unasked) for name, by in drawers.items()]


def _structures_of(package: ModelPackage, packages: Sequence[ModelPackage]) -> list[str]:
    """Return what `package` draws among `packages`: not what it withholds and another draws unasked."""
    unasked = {name for other in packages for name in other.drawn_names}
    return [name for name in package.structures if name in package.drawn_names or name not in unasked]


def _packages(package: str) -> list[ModelPackage]:
    from autocontour.models import available_packages, find_package

    return [find_package(package)] if package else available_packages()


def _draw_by_rules(run: _Run, names: Collection[str], *, with_mask: bool) -> None:
    from autocontour import rules

    mine = [name for name in rules.RULES if name in names]
    if not mine:
        return
    provenance = Provenance(RULES, __version__, template=run.template_identity)
    with run.timed("rules"):
        drawings = rules.draw_structures(run.ct, mine, run.job, on_finding=run.reasons.append, with_mask=with_mask)
    run.drawn.update((name, (drawing, provenance)) for name, drawing in drawings.items())


def _draw_by_networks(run: _Run, names: Collection[str]) -> None:
    from autocontour.models import segment_structures

    for package in run.packages:
        offered = _structures_of(package, run.packages)
        mine = [name for name in offered if name in names and name not in run.drawn]
        if not mine:
            continue
        with run.timed(f"network {package.name}"):
            segmentation = segment_structures(run.ct, package, mine, run.job, device=run.device)
        run.findings.extend(segmentation.findings)
        provenance = Provenance(
            package.name, package.version, package.checksum, segmentation.device, run.template_identity
        )
        for name, drawing in segmentation.drawings.items():
            confidence = round(segmentation.confidence[name], 3)
            run.drawn[name] = (drawing, replace(provenance, confidence=confidence))


def _finish(
    run: _Run, wanted: tuple[TemplateStructure, ...], on_structure: Callable[[Structure], None]
) -> Iterator[Structure]:
    """Turn the drawings into structures as the template wants them, and say what was not found."""
    finished: dict[str, Structure] = {}
    for number, entry in enumerate(wanted, 1):
        drawn = _grow(run, entry, finished) if entry.margin_of else run.drawn.get(entry.tg263_name)
        contours = drop_islands(drawn[0].contours, run.ct.geometry, entry.smallest_island_cc) if drawn else {}
        if drawn is None or not contours:
            reasons = [reason for reason in run.reasons if reason.where == entry.tg263_name]
            run.findings += reasons or [_not_found(entry)]
            continue
        structure = _build_structure(number, entry, replace(drawn[0], contours=contours), drawn[1])
        finished[entry.name] = structure
        on_structure(structure)
        yield structure


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
    # What is grown from another has that one's doubts already.
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


def _not_found(entry: TemplateStructure) -> Finding:
    return Finding(
        "AC-PL-001",
        Severity.INFO,
        f"{entry.name} was not drawn: it is not in this scan, or nothing here could find it.",
        where=entry.name,
        remedy="Draw it by hand if it is in the scan.",
    )
