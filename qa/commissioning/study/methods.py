"""The methods of a study that draw: packages, the rules, the program as in use."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from autocontour import __version__, rules
from autocontour.models import ModelPackage, find_package
from autocontour.patient.identity import PatientFacts
from autocontour.pipeline.plan import Plan, build_plan, for_patient
from autocontour.qa.commissioning.study.request import PROGRAM, RULES, StudyRequest
from autocontour.site.template import TemplateStructure


@dataclass(frozen=True)
class Method:
    """A method that contours the CTs.

    Attributes
    ----------
    name
        In the report.
    identity
        Version and checksum: what the results depend on.
    plan
        How it draws all of its structures.
    """

    name: str
    identity: str
    plan: Plan

    @property
    def trained_on(self) -> frozenset[str]:
        """Fingerprints of the CTs that its packages were trained on, as far as they list them."""
        lists = [package.metadata.get("training", {}).get("fingerprints") for package in self.plan.packages]
        return frozenset(str(one) for mine in lists if isinstance(mine, list) for one in mine)

    @property
    def without_fingerprints(self) -> tuple[str, ...]:
        """Its packages that do not list what they were trained on."""
        return tuple(
            f"{package.name} {package.version}"
            for package in self.plan.packages
            if not package.metadata.get("training", {}).get("fingerprints")
        )

    @property
    def offered(self) -> frozenset[str]:
        """TG-263 names of the structures that it can draw."""
        return self.plan.sources

    def plan_for(self, wanted: Collection[str]) -> Plan:
        """Return the plan for some of its structures."""
        structures = tuple(one for one in self.plan.structures if one.tg263_name in wanted)
        return Plan(
            structures,
            self.plan.by_rules & {one.tg263_name for one in structures},
            self.plan.packages,
            package_is_chosen=self.plan.package_is_chosen,
        )


def read_methods(request: StudyRequest) -> list[Method]:
    """Return the methods that a study runs, in the order of the report.

    Raises
    ------
    ModelError
        If there is no such package, or it is damaged.
    """
    methods = [_package(find_package(name)) for name in request.packages]
    if request.with_rules:
        names = frozenset(rules.RULES)
        methods.append(Method(RULES, f"rules {__version__}", Plan(_entries(sorted(names)), names)))
    if request.with_program:
        plan = for_patient(build_plan(), PatientFacts())  # without packages of single patients
        identity = ", ".join([f"program {__version__}", *(_identity(package) for package in plan.packages)])
        methods.append(Method(PROGRAM, identity, plan))
    return methods


def _package(package: ModelPackage) -> Method:
    plan = Plan(_entries(list(package.structures)), frozenset(), (package,), package_is_chosen=True)
    return Method(f"{package.name} {package.version}", _identity(package), plan)


def _identity(package: ModelPackage) -> str:
    return f"{package.name} {package.version} {package.checksum}"


def _entries(names: Sequence[str]) -> tuple[TemplateStructure, ...]:
    return tuple(TemplateStructure(name, name) for name in names)
