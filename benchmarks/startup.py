"""Start-up time of commands, compared with Python itself: ``python benchmarks/startup.py``."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 15


def seconds(*command: str) -> float:
    """Median wall-clock seconds of a command, the first (cold) run left out."""
    taken = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def main() -> None:
    plain = seconds("-c", "pass")
    for command in (["--help"], ["contour", "--help"], ["--version"]):
        own = seconds("-m", "autocontour.cli", *command)
        print(f"autocontour {' '.join(command):<16} {own * 1000:5.0f} ms   bare python {plain * 1000:4.0f} ms")


if __name__ == "__main__":
    main()
