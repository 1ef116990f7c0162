"""Time from the mouse release to the preview of the other slices, in the viewer on a real CT.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/follow_viewer.py CT_FOLDER RS.dcm STRUCTURE

The structure's contours play the automatic ones. In the mode *Always* a stroke of the brush is drawn with mouse events
on one slice after another; the time ends when the bar with the proposal is painted. The network's own time in the same
proposals stands beside it, and the whole computation without the window: with other work on the computer only the ratio
says something.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from autocontour.base.jobs import Job
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.gui.app.window import MainWindow
from autocontour.gui.look import theme
from autocontour.gui.state import following
from autocontour.gui.state.settings import ViewerSettings
from autocontour.models.follow.network import OpenVinoNetwork
from autocontour.patient.structures import GenerationAlgorithm, Structure
from autocontour.patient.volume import CTVolume
from autocontour.rtstruct import read_structure_set

BRUSH_MM = 6.0
PATIENCE_S = 60.0


@dataclass
class Meter:
    """Seconds in the network and in the whole computation of a proposal."""

    network: list[float] = field(default_factory=list)
    computation: list[float] = field(default_factory=list)

    def watch(self) -> None:
        """Measure from now on."""
        run, compute = OpenVinoNetwork.__call__, following._compute

        def timed_run(network: OpenVinoNetwork, channels: NDArray[np.float32]) -> NDArray[np.float32]:
            start = time.perf_counter()
            result = run(network, channels)
            self.network.append(time.perf_counter() - start)
            return result

        def timed_compute(*args: object) -> object:
            start = time.perf_counter()
            result = compute(*args)  # type: ignore[arg-type]
            self.computation.append(time.perf_counter() - start)
            return result

        OpenVinoNetwork.__call__ = timed_run  # type: ignore[method-assign]
        following._compute = timed_compute  # type: ignore[assignment]


class Painted(QObject):
    """Notices when the bar with the proposal is painted."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self.at: float | None = None
        window.follow_bar.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take note of the first time."""
        if event.type() is QEvent.Type.Paint and self.at is None:
            self.at = time.perf_counter()
        return super().eventFilter(watched, event)


def open_window(ct: CTVolume, structure: Structure) -> MainWindow:
    """Return a window with the CT and the structure as if it had been contoured automatically."""
    folder = Path(tempfile.mkdtemp())
    window = MainWindow(ViewerSettings(folder / "viewer.ini"), folder / "cases")
    window.resize(1500, 950)
    window.show()
    window.keep_follow_mode(following.ALWAYS)
    window.show_ct(ct)
    window.workspace.receive(replace(structure, number=1, generation=GenerationAlgorithm.AUTOMATIC))
    window.workspace.select(1)
    window.workspace.go_to_structure(1)
    QTest.qWait(300)
    return window


def stroke(window: MainWindow, z: int, painted: Painted) -> float | None:
    """Draw at the right edge of a slice; return the seconds from the release to the preview, None without one."""
    space, view = window.workspace, window.views.axial
    space.go_to_slice(z)
    window.action_set.trigger("brush")
    shape = space.state[1].structure.contours[z]
    _, _, right, _ = shape.bounds
    middle = shape.centroid.y
    points = [view.to_pixels(right + step, middle + step).toPoint() for step in (-2.0, 0.0, 2.0, 4.0)]
    QTest.qWait(50)
    window.workspace.following.dismiss()
    painted.at = None
    QTest.mouseMove(view, points[0])
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=points[0])
    for point in points[1:]:
        QTest.mouseMove(view, point)
    painted.at = None
    start = time.perf_counter()
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=points[-1])
    while painted.at is None and time.perf_counter() - start < PATIENCE_S:
        QApplication.processEvents()
        if not space.following.is_computing and space.following.proposal is None:
            return None  # nothing is likely to help
        time.sleep(0.001)
    return painted.at - start if painted.at is not None else None


def main() -> None:
    """Measure the first proposal with and without preparation, and the later ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ct", type=Path)
    parser.add_argument("structures", type=Path)
    parser.add_argument("structure")
    parser.add_argument("--strokes", type=int, default=5)
    args = parser.parse_args()
    ct = read_ct(planning_cts(scan_folder(args.ct, Job()))[0], Job())
    structure = read_structure_set(args.structures, ct)[args.structure]
    app = QApplication([])
    theme.use_theme(app, theme.DARK)
    meter = Meter()
    meter.watch()
    slices = sorted(structure.contours)
    places = [slices[round(k)] for k in np.linspace(0.1, 0.9, args.strokes) * (len(slices) - 1)]
    for name, is_prepared in (("without preparation", False), ("prepared", True)):
        window = open_window(ct, structure)
        painted = Painted(window)
        if is_prepared:
            QTest.qWait(following.PREPARED_AFTER_MS)
            window.workspace.following.prepare()
            assert window.workspace.following._preparation is not None
            window.workspace.following._preparation.scan()
        else:
            window.workspace.following._soon.stop()
        for number, z in enumerate(places):
            before = len(meter.network), len(meter.computation)
            seconds = stroke(window, z, painted)
            network, whole = sum(meter.network[before[0] :]), sum(meter.computation[before[1] :])
            what = f"{name}, stroke {number + 1}"
            if seconds is None:
                print(f"{what}: no proposal is shown; network {network:.3f} s, computation {whole:.3f} s")
                continue
            ratio = seconds / network if network else float("nan")
            print(
                f"{what}: {seconds:.3f} s to the preview, network {network:.3f} s, computation {whole:.3f} s, "
                f"ratio {ratio:.1f}",
                flush=True,
            )
        window.close()
        window.deleteLater()
        QTest.qWait(50)
    print(f"network, median of a window: {statistics.median(meter.network):.3f} s")


if __name__ == "__main__":
    main()
