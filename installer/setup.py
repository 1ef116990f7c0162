"""Set up a new machine: Debian libraries, virtual environment, torch for this processor, the program.

Run with the system's Python 3.11 or newer, standard library only: ``python3 installer/setup.py [--runtime]``.
``--runtime`` omits the dependencies of the tests.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
TORCH = "torch==2.13.0"
LOCKS = ("requirements.lock", "requirements-dev.lock")  # complete, each version with its hashes

# Shared libraries that Qt and VTK open at run time → the Debian package that holds them.
LIBRARIES = {
    "GL": "libgl1",
    "EGL": "libegl1",
    "OpenGL": "libopengl0",
    "xkbcommon-x11": "libxkbcommon-x11-0",
    "xcb-cursor": "libxcb-cursor0",
    "xcb-icccm": "libxcb-icccm4",
    "xcb-keysyms": "libxcb-keysyms1",
}
TOOLS = {"xvfb-run": "xvfb", "xauth": "xauth", "plastimatch": "plastimatch"}  # for the tests


def main() -> int:
    """Run each step that is not done yet."""
    runtime_only = "--runtime" in sys.argv[1:]
    if sys.version_info < (3, 11):  # noqa: UP036  (this file runs before any requirement is checked)
        sys.stderr.write("autocontour needs Python 3.11 or newer.\n")
        return 1
    install_debian_libraries(with_test_tools=not runtime_only)
    if not PYTHON.exists():
        show_step("making the virtual environment .venv")
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    install_torch()
    show_step("installing the program and the packages it needs")
    for lock in LOCKS[:1] if runtime_only else LOCKS:
        pip("install", "--quiet", "--no-deps", "--require-hashes", "-r", lock)
    pip("install", "--quiet", "--no-deps", "--no-build-isolation", "-e", ".")
    pip("check", stdout=subprocess.DEVNULL)
    return 0


def install_debian_libraries(*, with_test_tools: bool) -> None:
    """Install the missing Debian packages if apt-get is available and permitted; else print which are missing."""
    missing = [package for library, package in LIBRARIES.items() if ctypes.util.find_library(library) is None]
    if importlib.util.find_spec("ensurepip") is None:
        missing.append("python3-venv")  # a separate package in Debian
    if with_test_tools:
        missing += [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing and not Path("/usr/lib/x86_64-linux-gnu/dri").exists():
        missing.append("libgl1-mesa-dri")
    if not missing:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if shutil.which("apt-get") is None or (sudo and shutil.which("sudo") is None):
        show_step("please install by hand: " + " ".join(missing))
        return
    show_step("installing Debian libraries: " + " ".join(missing))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ["-y", "-q", "--no-install-recommends"]
    subprocess.run([*sudo, "apt-get", "update", "-q"], check=False, env=environment, stdout=subprocess.DEVNULL)
    done = subprocess.run(
        [*sudo, "apt-get", "install", *options, *missing], check=False, env=environment, stdout=subprocess.DEVNULL
    )
    if done.returncode:
        show_step("these could not be installed, please do it by hand: " + " ".join(missing))


def install_torch() -> None:
    """Install torch for a GPU if there is one, else its CPU build; a local wheel of the site is preferred."""
    if subprocess.run([PYTHON, "-c", "import torch"], check=False, capture_output=True).returncode == 0:
        return
    show_step("installing torch")
    if shutil.which("nvidia-smi"):
        pip("install", "--quiet", TORCH)
        return
    own_wheel = [PYTHON, "-m", "pip", "download", "--quiet", "--no-deps", "--no-index", "-d", VENV / "wheels", TORCH]
    if subprocess.run(own_wheel, check=False, capture_output=True).returncode == 0:
        pip("install", "--quiet", *(str(wheel) for wheel in (VENV / "wheels").glob("torch-*.whl")))
    else:
        pip("install", "--quiet", "uv")
        command = [PYTHON, "-m", "uv", "pip", "install", "--python", PYTHON, "--torch-backend=cpu", TORCH]
        subprocess.run(command, check=True)
    shutil.rmtree(VENV / "wheels", ignore_errors=True)


def pip(*arguments: str, stdout: int | None = None) -> None:
    """Run pip of the virtual environment in the checkout."""
    subprocess.run([PYTHON, "-m", "pip", *arguments], check=True, cwd=ROOT, stdout=stdout)


def show_step(text: str) -> None:
    """Print the current step."""
    sys.stdout.write(f"setup: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
