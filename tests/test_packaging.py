"""What is shipped, and what starting a command costs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

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
