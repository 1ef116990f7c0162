"""Disk size and start-up time of each flavour of the installation.

python benchmarks/install_size.py [--flavours plain,gui,train]

The wheel is built and installed with its dependencies into a separate environment for each flavour; pip and
setuptools, which every environment has, are not counted. The size of torch depends on the build in the package index
for this machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLAVOURS = ("plain", "gui", "train")
LARGEST = 4
MB = 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flavours", default=",".join(FLAVOURS))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        print(f"wheel: {wheel.stat().st_size / MB:.0f} MB")
        for flavour in args.flavours.split(","):
            measure(flavour, wheel, Path(folder) / flavour)


def build_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def measure(flavour: str, wheel: Path, environment: Path) -> None:
    """Install one flavour and print its size, its largest packages and the time that ``--help`` takes."""
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    site = next(environment.glob("lib/python*/site-packages"))
    before = sum(sizes(site).values())
    wanted = str(wheel) if flavour == "plain" else f"{wheel}[{flavour}]"
    subprocess.run([environment / "bin" / "python", "-m", "pip", "install", "--quiet", wanted], check=True)
    found = sizes(site)
    largest = sorted(found.items(), key=lambda item: -item[1])[:LARGEST]
    parts = ", ".join(f"{name} {size / MB:.0f}" for name, size in largest)
    help_seconds = min(seconds_of_help(environment) for _ in range(5))
    print(f"{flavour}: {(sum(found.values()) - before) / MB:.0f} MB ({parts}); --help {help_seconds:.2f} s")


def sizes(site: Path) -> dict[str, int]:
    return {
        entry.name: sum(path.lstat().st_size for path in [entry, *entry.rglob("*")] if path.is_file())
        for entry in site.iterdir()
    }


def seconds_of_help(environment: Path) -> float:
    start = time.perf_counter()
    subprocess.run([environment / "bin" / "autocontour", "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
