from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_changed_files_lose_nothing_silently_and_raise_only_our_errors():
    """Run a sample of what benchmarks/fuzz_rtstruct.py does thousands of times."""
    script = Path(__file__).parents[2] / "benchmarks" / "fuzz_rtstruct.py"
    done = subprocess.run(
        [sys.executable, script, "210", "7"], capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 errors that are not ours, 0 silent losses, 0 read but not written" in done.stdout
