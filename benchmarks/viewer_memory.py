"""Memory of the viewer over hours of work: the same cycle of work again and again, and what is kept after each.

Run on a screen: ``xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/viewer_memory.py [--minutes 5]``. A cycle
opens one of two CTs of 512 × 512 × 100 voxels, adds 20 structures, scrolls, draws strokes, undoes them, changes window,
zoom and theme, shows 3D with bone, and moves a view to a window of its own and back. It is about what takes a person
several minutes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from viewer import build_structures

from autocontour.case import Edit
from autocontour.case.actions import adopted
from autocontour.gui.app.window import MainWindow
from autocontour.gui.look import theme
from autocontour.gui.state.settings import ViewerSettings
from autocontour.gui.views.volume import Tissue
from autocontour.gui.views.windowing import Window
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume

SHAPE = (100, 512, 512)
FIRST_LEFT_OUT = 3
"""Cycles in which what stays is loaded for the first time."""


def resident_mb() -> float:
    """Return the memory of this process in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def build_ct(number: int) -> CTVolume:
    """Return one of the CTs."""
    base = np.random.default_rng(number).normal(40 * number, 30, (4, 512, 512)).astype(np.int16)
    hu = np.concatenate([base] * (SHAPE[0] // 4))
    return CTVolume(hu, VolumeGeometry.regular(SHAPE, (3.0, 0.98, 0.98), (-250, -250, -150 + number)))


def work(window: MainWindow, cycle: int) -> None:
    """Do one cycle."""
    space, views = window.workspace, window.views
    window.show_ct(build_ct(cycle % 2))
    if not space.state.items:
        space.apply(Edit("Add", added=adopted(space.state, tuple(build_structures()[:20]))))
    window.take_tool("brush")
    for number in space.state.numbers[:8]:
        space.select(number)
        space.go_to_structure(number)
        QTest.qWait(1)
        start = views.axial.rect().center()
        QTest.mousePress(views.axial, Qt.MouseButton.LeftButton, pos=start)
        for step in range(12):
            QTest.mouseMove(views.axial, start + type(start)(3 * step, step))
        QTest.mouseRelease(views.axial, Qt.MouseButton.LeftButton, pos=start)
    for _ in range(8):
        space.undo()
    for z in range(5, 95, 2):
        space.go_to_slice(z)
        QApplication.processEvents()
    for width in (400, 1600, 80):
        space.set_window(Window(width, 40))
        QApplication.processEvents()
    views.surfaces.show_tissue(Tissue.BONE)
    window.detach_view("coronal")
    QTest.qWait(200)
    window.detach_view("coronal")
    window.toggle_theme()
    while views.surfaces.is_meshing:
        QTest.qWait(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--renderer", choices=("qt", "vtk"), default="qt")
    args = parser.parse_args()
    app = QApplication([])
    theme.use_theme(app, theme.DARK)
    folder = Path(tempfile.mkdtemp())
    window = MainWindow(ViewerSettings(folder / "s.ini"), folder)
    window.resize(1600, 1000)
    window.show()
    window.choose_renderer(args.renderer)
    kept, end = [], time.monotonic() + 60 * args.minutes
    while time.monotonic() < end:
        work(window, len(kept))
        QTest.qWait(300)
        kept.append(resident_mb())
        print(f"cycle {len(kept):3d}: {kept[-1]:7.1f} MB", flush=True)
    later = np.array(kept[FIRST_LEFT_OUT:])
    if len(later) > 2:
        slope = np.polyfit(np.arange(len(later)), later, 1)[0]
        print(f"{len(kept)} cycles: {later[0]:.0f} to {later[-1]:.0f} MB, {slope:+.2f} MB a cycle after the first")
    window.close()


if __name__ == "__main__":
    main()
