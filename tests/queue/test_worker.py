"""The worker keeps networks, and results do not depend on what was contoured before."""

from __future__ import annotations

import numpy as np
import pytest

from autocontour.models import find_package
from autocontour.models.inference import runtime


def test_a_kept_network_gives_what_a_new_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    package = find_package("head-and-neck")
    stage = package.stages["localizer"]
    shape = (len(stage.intensity_windows_hu), *stage.window_zyx)
    chance = np.random.default_rng(1)
    windows = [chance.uniform(0, 1, shape).astype(np.float32) for _ in range(3)]
    expected = [result.copy() for result in runtime.open_runner(package, "localizer", "cpu")(windows)]
    monkeypatch.setattr(runtime, "_most_kept", 1)
    monkeypatch.setattr(runtime, "_kept_runners", {})
    kept = runtime.open_runner(package, "localizer", "cpu")
    stopped = kept(windows)
    next(stopped)
    del stopped  # as when a series is cancelled
    again = runtime.open_runner(package, "localizer", "cpu")
    assert again is kept
    found = [result.copy() for result in again(windows)]
    np.testing.assert_array_equal(found, expected)
    assert runtime.open_runner(package, "segmenter", "cpu") is not kept
    assert len(runtime._kept_runners) == 1
