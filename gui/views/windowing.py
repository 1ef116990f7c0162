"""Hounsfield units to grey: window, level and the presets every department uses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autocontour.gui.look.language import later
from autocontour.patient.volume import CTVolume


@dataclass(frozen=True)
class Window:
    """Width and level of the grey scale in HU."""

    width_hu: float
    level_hu: float

    def table(self) -> NDArray[np.uint8]:
        """Return the grey of every int16 value, indexed by the value seen as uint16 (PS3.3 C.11.2.1.3.2)."""
        hu = np.arange(2**16, dtype=np.uint16).view(np.int16).astype(np.float32)
        grey = (hu - self.level_hu) / max(self.width_hu, 1.0) + 0.5
        table: NDArray[np.uint8] = (np.clip(grey, 0, 1) * 255 + 0.5).astype(np.uint8)
        return table

    def dragged(self, across: float, down: float) -> Window:
        """Return the window after a drag: across changes the width, down lowers the level."""
        return Window(
            float(np.clip(self.width_hu + across, 1, 8000)), float(np.clip(self.level_hu + down, -3000, 5000))
        )


PRESETS = {
    later("Soft tissue"): Window(400, 40),
    later("Lung"): Window(1600, -500),
    later("Mediastinum"): Window(350, 25),
    later("Bone"): Window(2000, 400),
    later("Brain"): Window(80, 40),
    later("Head and neck"): Window(300, 60),
}
AUTO = later("Auto")


def fit_window(ct: CTVolume, z: int) -> Window:
    """Return a window that spans the tissue of slice `z`: the 2nd to 98th percentile of what is not air."""
    tissue = ct.hu[z][ct.hu[z] > -300]
    if tissue.size < 100:
        return PRESETS["Soft tissue"]
    low, high = np.percentile(tissue, (2, 98))
    return Window(max(float(high - low), 20.0), float(high + low) / 2)
