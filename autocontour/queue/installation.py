"""What a result depends on besides the CT: program, libraries, packages and template.

Workers on other computers are compared with the one that owns the queue, so that a series has the same contours
wherever it is contoured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from autocontour import __path__ as program_folders
from autocontour import __version__
from autocontour.pipeline.plan import Plan, read_plan
from autocontour.queue.record import Options

LIBRARIES = ("contourpy", "numpy", "openvino", "pydicom", "scipy", "shapely", "SimpleITK")
"""Libraries whose versions can change a contour. PyTorch is not among them: only workers with a GPU need it."""
SOURCES = (".py", ".json", ".toml")
ROOMS = ("models", "rtstruct", "qa")  # in a checkout they lie beside the package


@dataclass(frozen=True, slots=True)
class Installation:
    """What the result of a series depends on; with equal parts, it has the same contours.

    Attributes
    ----------
    program
        The program and its libraries: name → version or SHA-256.
    plan
        Template, structures and packages: name → version or SHA-256.
    """

    program: Mapping[str, str]
    plan: Mapping[str, str]


def describe_installation(options: Options) -> Installation:
    """Describe this installation for series of these options.

    Raises
    ------
    UsageError, ModelError
        As `read_plan`.
    """
    plan = read_plan(options.template, options.structures, options.package)
    return Installation(describe_program(), _describe_plan(plan))


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return the names of the parts that differ, or that only one of two installations has."""
    names = [*one, *(name for name in other if name not in one)]
    return [name for name in names if one.get(name) != other.get(name)]


def _describe_plan(plan: Plan) -> dict[str, str]:
    wanted = [plan.structures, sorted(plan.by_rules), plan.recipes, [package.name for package in plan.packages]]
    packages = {f"package {package.name}": f"{package.version} {package.checksum}" for package in plan.packages}
    return {"template": plan.template_identity, "structures": _sum(repr(wanted).encode()), **packages}


@cache
def describe_program() -> dict[str, str]:
    """Describe the program, as it was when this process asked first."""
    return {"version": __version__, "program files": _sum_of_files(), **{name: _version_of(name) for name in LIBRARIES}}


def _version_of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _sum_of_files() -> str:
    """Return the SHA-256 of the program's files, except for the viewer's."""
    package = Path(__file__).parents[1]
    rooms = [(Path(folder) / room, Path(folder)) for folder in program_folders for room in ROOMS]
    found = {
        path.relative_to(base).as_posix(): path
        for folder, base in ((package, package), *rooms)
        for path in folder.rglob("*")
        if path.suffix in SOURCES
    }
    total = hashlib.sha256()
    for name, path in sorted(found.items()):
        if not name.startswith("gui/"):
            total.update(name.encode() + _lines_of(path))
    return total.hexdigest()


def _lines_of(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
