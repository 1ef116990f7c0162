"""What is shipped, and what starting a command costs."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    "torch",
    "monai",
    "openvino",
    "PySide6",
    "vtkmodules",
    "SimpleITK",
    "matplotlib",
    "scipy",
    "shapely",
    "pydicom",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def test_the_wheels_only_top_level_package_is_autocontour(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"autocontour"}


def test_the_wheel_holds_the_compiled_translations(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = [path.stem for path in (ROOT / "gui" / "translations").glob("*.ts")]
    assert sources
    assert {f"autocontour/gui/translations/{stem}.qm" for stem in sources} <= names


def test_the_wheel_carries_every_module_and_data_file_of_the_checkout(wheel: Path) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    program = [name for name in listed if name.split("/")[0] in {"autocontour", "gui", "models", "rtstruct", "qa"}]
    expected = {name if name.startswith("autocontour/") else f"autocontour/{name}" for name in program}
    assert expected
    assert expected <= set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_runs_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel]
    subprocess.run(command, check=True)
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import autocontour, autocontour.rtstruct, autocontour.qa, autocontour.models\n"
        "from autocontour.site.template import list_templates\n"
        "assert autocontour.__file__.startswith(sys.path[0]), autocontour.__file__\n"
        "assert autocontour.qa.__file__.startswith(sys.path[0]), autocontour.qa.__file__\n"
        "assert list_templates()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


@pytest.mark.parametrize("arguments", ["['--help']", "['contour', '--help']"])
def test_help_loads_no_heavy_package(arguments: str) -> None:
    code = (
        "import sys\nfrom autocontour.cli import main\n"
        f"try: main({arguments})\nexcept SystemExit: pass\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel installed with what it asks for, and nothing else, in an environment of its own; return its folder."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip"]
    installed = subprocess.run([*pip, "install", "--quiet", wheel], check=False, capture_output=True, text=True)
    if installed.returncode:
        reachable = [*pip, "download", "--quiet", "--no-cache-dir", "--no-deps", "-d", folder, "platformdirs"]
        if subprocess.run(reachable, check=False, capture_output=True).returncode:
            pytest.skip("no package index can be reached")
        pytest.fail(installed.stderr)
    return folder


def run_bare(bare: Path, *arguments: str | Path) -> str:
    """Run the installed program outside the checkout with a home folder of its own, and return what it prints."""
    home = bare / "home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "XDG_"))}
    command = [bare / "bin" / arguments[0], *arguments[1:]]
    result = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=home, env=kept | {"HOME": str(home)}
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_the_plain_installation_contours_with_the_networks_and_without_torch(bare: Path, tmp_path: Path) -> None:
    code = "from importlib.util import find_spec; print([find_spec(n) for n in ('torch', 'monai', 'PySide6', 'vtk')])"
    assert run_bare(bare, "python", "-c", code).split() == ["[None,", "None,", "None,", "None]"]
    size = ("--spacing", "3", "2", "2", "--shape", "90", "256", "256")
    run_bare(bare, "autocontour", "phantom", "-o", tmp_path / "phantom", *size)
    ct, output = tmp_path / "phantom" / "CT", tmp_path / "RS.dcm"
    (report,) = json.loads(run_bare(bare, "autocontour", "contour", ct, "-o", output, "--json"))
    drawn_by = {structure["name"]: structure["drawn_by"] for structure in report["structures"]}
    assert output.is_file()
    assert drawn_by["Parotid_L"] == drawn_by["Brainstem"] == "head-and-neck"
    assert not [finding for finding in report["findings"] if finding["severity"] == "BLOCK"]


@pytest.mark.slow
def test_the_plain_installation_passes_its_selftest(bare: Path) -> None:
    assert "FAIL" not in run_bare(bare, "autocontour", "selftest")
    assert set(json.loads(run_bare(bare, "autocontour", "models", "verify", "--json")).values()) == {"sound"}


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("train", "no.toml", "-o", "run"), ("gui",)])
def test_what_the_plain_installation_lacks_is_named(bare: Path, arguments: tuple[str, ...]) -> None:
    command = [bare / "bin" / "autocontour", *arguments]
    result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=bare)
    assert "pip install" in result.stderr or "Install autocontour[gui]" in result.stderr
    assert "Traceback" not in result.stderr


def read_lock(name: str) -> dict[str, tuple[str, int]]:
    """Return package → its pinned version and how many hashes it has."""
    entries = re.split(r"^(?=\w)", (ROOT / name).read_text(), flags=re.MULTILINE)[1:]
    heads = [entry.splitlines()[0].removesuffix(" \\").split("==") for entry in entries]
    return {head[0]: (head[1], entry.count("--hash=sha256:")) for head, entry in zip(heads, entries, strict=True)}


def test_the_locks_pin_what_the_program_asks_for_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    asked = {
        "requirements.lock": [
            *project["build-system"]["requires"],
            *project["project"]["dependencies"],
            *extras["gui"],
            *extras["train"],
        ],
        "requirements-dev.lock": extras["dev"],
    }
    runtime, development = (read_lock(name) for name in asked)
    assert not set(runtime) & set(development)
    assert not {"torch", "pytest", "ruff"} & set(runtime)
    for requirement in map(Requirement, itertools.chain(*asked.values())):
        if requirement.name != "torch":  # its build depends on the machine
            version, hashes = (runtime | development)[canonicalize_name(requirement.name)]
            assert hashes, requirement
            assert requirement.specifier.contains(version), requirement
    developer_tools = {canonicalize_name(Requirement(line).name) for line in asked["requirements-dev.lock"]}
    assert developer_tools - {"hatchling"} <= set(development)
    for name in asked:
        assert not re.search(r"https?:|file:|--\S*index|nvidia|cuda", (ROOT / name).read_text())
