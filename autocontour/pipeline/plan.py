"""Plan: the structures to draw and the rule or package for each, determined before the CT is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autocontour.base.errors import UsageError
from autocontour.base.findings import Finding, Severity
from autocontour.patient.identity import PatientFacts
from autocontour.patient.recipe import NamedRecipe
from autocontour.site.template import Template, TemplateStructure, read_template

if TYPE_CHECKING:
    from autocontour.models import ModelPackage

RULES = "autocontour rules"
SHORT_RULES = "rules"
"""Name of the rules in a template."""
NOT_FOUND = "AC-PL-001"


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
        Whether it is drawn by default; a package does not draw structures with low accuracy by default.
    """

    name: str
    drawn_by: tuple[str, ...]
    by_default: bool = True


@dataclass(frozen=True)
class Plan:
    """The structures to draw, and the rule or package for each.

    Attributes
    ----------
    structures
        The requested structures and those they are grown from, in the order of the structure set.
    by_rules
        TG-263 names that rules may draw.
    packages
        The model packages, in the order they are tried for structures without a rule.
    template_identity
        Name and checksum of the template used; empty if none.
    package_is_chosen
        Whether the user chose the package: then its problems are errors, not findings.
    findings
        Why other model packages are not used.
    recipes
        Structures of the template that are made from others.
    orders
        Structure → `SHORT_RULES` and names of packages in the order of the template, for structures that state one.
    compare
        Whether every package draws its structures, also those already drawn: these are kept as further structures.
    is_asked
        Whether the user named the structures, by a template or one by one.
    """

    structures: tuple[TemplateStructure, ...]
    by_rules: frozenset[str]
    packages: tuple[ModelPackage, ...] = ()
    template_identity: str = ""
    package_is_chosen: bool = False
    findings: tuple[Finding, ...] = ()
    recipes: tuple[NamedRecipe, ...] = ()
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    compare: bool = False
    is_asked: bool = True

    @property
    def sources(self) -> frozenset[str]:
        """TG-263 names of the structures drawn on the CT itself, not grown from another structure."""
        return frozenset(structure.tg263_name for structure in self.structures if structure.margin_of is None)


def read_plan(template_name: str = "", names: Collection[str] = (), package_name: str = "") -> Plan:
    """Read the template and the packages, each by name or path, and determine the plan (see `build_plan`).

    Raises
    ------
    UsageError
        If there is no such template, it is not valid, or a name is not known.
    ModelError
        ``AC-MD-017`` if there is no such package, or the errors of reading it.
    """
    from autocontour.models import find_package

    template = read_template(template_name) if template_name else None
    return build_plan(template, names, find_package(package_name) if package_name else None)


def build_plan(
    template: Template | None = None, names: Collection[str] = (), package: ModelPackage | None = None
) -> Plan:
    """Determine the structures to draw and the rule or package for each.

    Parameters
    ----------
    template
        The structures to draw and the clinic's names for them; without one, `names`, and without those all available
        ones.
    names
        TG-263 names; only these, of the template too, and then without its recipes.
    package
        It draws its structures, rules the rest; without one the rules come first, then every package whose
        body site is in the scan.

    Raises
    ------
    UsageError
        ``AC-US-012`` if there is no rule or package for a requested name.
    """
    from autocontour.models import available_packages, check_history, check_library

    packages = (package,) if package else tuple(available_packages())
    structures = _wanted(template, names, list_drawable(packages, is_chosen=package is not None))
    sources = {structure.tg263_name for structure in structures if structure.margin_of is None}
    orders, missing = ({}, ()) if package else _orders(structures, packages)
    by_rules = frozenset(sources - set(package.structures) if package else sources - set(orders))
    identity = template.identity if template else ""
    findings = (*(() if package else check_library()), *check_history(packages), *missing)
    recipes = template.recipes if template and not names else ()
    is_asked = template is not None or bool(names)
    return Plan(
        structures, by_rules, packages, identity, package is not None, findings, recipes, orders, is_asked=is_asked
    )


def for_patient(plan: Plan, facts: PatientFacts) -> Plan:
    """Return the plan for a patient: packages of other patients draw nothing, and nothing is expected of them.

    A structure that only they draw is left out, or named by ``AC-MD-063`` if the user asked for it. A package that the
    user chose stays: that it is another patient's is then an error.
    """
    others = [one for one in plan.packages if one.patient is not None and not one.patient.is_for(facts)]
    if plan.package_is_chosen or not others:
        return plan
    packages = tuple(one for one in plan.packages if one not in others)
    drawable = {one.name: one.by_default for one in list_drawable(packages)}
    structures = plan.structures if plan.is_asked else tuple(s for s in plan.structures if drawable.get(s.tg263_name))
    lost = plan.sources - set(drawable) if plan.is_asked else frozenset()
    findings = [
        Finding.of("AC-MD-063", severity=Severity.WARN, package=one.name)
        for one in others
        if lost & set(one.structures)
    ]
    known = {SHORT_RULES, *(one.name for one in packages)}
    orders = {name: tuple(one for one in order if one in known) for name, order in plan.orders.items()}
    return replace(plan, structures=structures, packages=packages, findings=(*plan.findings, *findings), orders=orders)


def _orders(
    structures: Sequence[TemplateStructure], packages: Sequence[ModelPackage]
) -> tuple[dict[str, tuple[str, ...]], tuple[Finding, ...]]:
    """Return structure → those of the drawers that its template states that can draw it, and findings for the others.

    Where none is left the structure is not drawn: another drawer than those stated is never used without a word.
    """
    from autocontour import rules

    orders: dict[str, tuple[str, ...]] = {}
    findings = []
    for entry in structures:
        name = entry.tg263_name
        if not entry.drawn_by or name in orders:
            continue
        known = {one.name for one in packages if name in one.structures}
        known |= {SHORT_RULES} if name in rules.RULES else set()
        orders[name] = tuple(one for one in entry.drawn_by if one in known)
        findings += [
            Finding.of("AC-PL-013", entry.name, structure=entry.name, drawer=one)
            for one in entry.drawn_by
            if one not in known
        ]
    return orders, tuple(findings)


def list_drawable(packages: Sequence[ModelPackage], *, is_chosen: bool = False) -> list[Drawable]:
    """Return every structure that a rule or one of `packages` can draw, rules first.

    Parameters
    ----------
    packages
        In the order they are tried.
    is_chosen
        Whether the user chose the package: then its structures are drawn only by it.
    """
    from autocontour import rules

    drawers: dict[str, list[str]] = {name: [RULES] for name in rules.RULES}
    by_default = set(rules.RULES)
    for package in packages:
        for name in offered_by(package, packages):
            if is_chosen:
                drawers[name] = []
                by_default.discard(name)
            drawers.setdefault(name, []).append(f"{package.name} {package.version}")
        # A published network draws nothing unasked; who chooses its package asks for all of it.
        by_default.update(package.structures if is_chosen and not package.drawn_names else package.drawn_names)
    return [Drawable(name, tuple(by), name in by_default) for name, by in drawers.items()]


def offered_by(package: ModelPackage, packages: Sequence[ModelPackage]) -> list[str]:
    """Return what `package` draws among `packages`: without those off by default in it that another draws."""
    by_default = {name for other in packages for name in other.drawn_names}
    return [name for name in package.structures if name in package.drawn_names or name not in by_default]


def _wanted(
    template: Template | None, names: Collection[str], drawable: Sequence[Drawable]
) -> tuple[TemplateStructure, ...]:
    """Resolve the requested structures, with those they are grown from."""
    known = (one.name for one in drawable if names or one.by_default)
    offered = template.structures if template else tuple(TemplateStructure(name, name) for name in known)
    known_names = [structure.tg263_name for structure in offered]
    if unknown := sorted(set(names) - set(known_names)):
        raise UsageError("AC-US-012", names=", ".join(unknown), known=", ".join(known_names))
    chosen = [structure for structure in offered if not names or structure.tg263_name in names]
    needed = {structure.margin_of for structure in chosen}
    return tuple(structure for structure in offered if structure in chosen or structure.name in needed)
