"""kill −9 in the middle of the work: at most the step in progress is lost."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from kills import kill_once, random_moments


@pytest.mark.skipif(sys.platform == "win32", reason="Windows kills differently")
@pytest.mark.parametrize("seconds", random_moments(4, seed=11))
def test_a_killed_run_comes_back_to_its_last_step(tmp_path, seconds):
    last, recovered = kill_once(tmp_path, seconds)
    assert recovered >= last >= 1
