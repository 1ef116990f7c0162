"""Write the lock files: versions and hashes of all dependencies, with the developer tools in a separate file.

python installer/lock.py [--upgrade]

Versions that are locked already are kept unless they no longer fit pyproject.toml, or ``--upgrade`` is given. torch and
the dependencies of its CUDA build are not locked: the build depends on the machine (docs/adr/0004-torch-build.md).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNTIME, DEVELOPMENT = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
HEADERS = {
    RUNTIME: "# Dependencies of the program and its build. Written by `make lock`; torch is installed separately.\n",
    DEVELOPMENT: "# Developer tools, in addition to requirements.lock. Written by `make lock`.\n",
}
OPTIONS = (
    *("--generate-hashes", "--quiet", "--no-header", "--no-annotate"),
    *("--no-emit-index-url", "--no-emit-find-links", "--no-emit-package", "torch"),
)
OF_TORCHS_BUILD = re.compile(r"(nvidia|cuda|triton)\b")


def main() -> int:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit pyproject.toml")
    upgrade = ["--upgrade"] if parser.parse_args().upgrade else []
    if importlib.util.find_spec("uv") is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "uv"], check=True)
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    runtime = compile_lock(RUNTIME, ["--extra", "gui", "--extra", "train", *upgrade], build)
    everything = compile_lock(DEVELOPMENT, ["--all-extras", "--constraints", str(RUNTIME), *upgrade], build)
    write_lock(DEVELOPMENT, {name: entry for name, entry in everything.items() if name not in runtime})
    return 0


def compile_lock(path: Path, options: list[str], more: list[str]) -> dict[str, str]:
    """Resolve the dependencies of pyproject.toml into `path` and return the entries by name, without torch."""
    environment = {"UV_FIND_LINKS": os.environ.get("PIP_FIND_LINKS", ""), **os.environ}
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "-", *OPTIONS, *options, "-o", path]
    subprocess.run(command, check=True, cwd=ROOT, env=environment, input="\n".join(more), text=True)
    entries = re.split(r"^(?=\w)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = {re.split(r"[=\s]", entry, maxsplit=1)[0]: entry for entry in entries if "==" in entry}
    kept = {name: entry for name, entry in found.items() if not OF_TORCHS_BUILD.match(name)}
    write_lock(path, kept)
    return kept


def write_lock(path: Path, entries: dict[str, str]) -> None:
    """Write the entries under the file's header."""
    path.write_text(HEADERS[path] + "".join(entries.values()), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
