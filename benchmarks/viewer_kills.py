"""200 kills of a scripted editing run with exports, and 50 starts and stops of the window.

``xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/viewer_kills.py [KILLS] [STARTS]``
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "case"))

from kills import kill_once, random_moments

from autocontour.dicom.series import write_ct_series
from autocontour.phantom import build_phantom

WINDOW = """
import sys, tempfile
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import ball, small_ct
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from autocontour.gui.state.settings import ViewerSettings
from autocontour.gui.app.window import MainWindow
app = QApplication([])
folder = Path(tempfile.mkdtemp())
for round in range(int(sys.argv[2])):
    window = MainWindow(ViewerSettings(folder / "s.ini"), folder / str(round))
    window.show()
    window.show_ct(small_ct())
    window.workspace.receive(ball())
    for _ in range(100):
        QTest.qWait(50)
        if window.views.surfaces._image is not None:
            break
    else:
        raise SystemExit("no surface was drawn")
    window.close()
    window.deleteLater()
    QTest.qWait(20)
print("clean")
"""


def main() -> None:
    kills, starts = (int(a) for a in (sys.argv[1:] + ["200", "50"][len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as root:
        phantom = build_phantom("thorax", 1, spacing_zyx_mm=(5.0, 8.0, 8.0), shape_zyx=(12, 64, 64))
        ct_folder = Path(root) / "CT"
        write_ct_series(phantom.hu, phantom.geometry, ct_folder)
        lost = 0
        for count, seconds in enumerate(random_moments(kills, seed=1)):
            folder = Path(root) / f"run{count}"
            folder.mkdir()
            last, recovered = kill_once(folder, seconds, ct_folder)
            lost += recovered < last
        print(f"{kills} kills: every case opened in the state it had; {lost} lost a step reported as saved")
    tests = str(Path(__file__).resolve().parents[1] / "tests" / "gui")
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", WINDOW, tests, str(starts)],
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"{starts} starts and stops in one process: exit code {done.returncode} {done.stdout.strip()}")
    print(done.stderr[-300:])
    alone = [
        subprocess.run([sys.executable, "-c", WINDOW, tests, "1"], capture_output=True, check=False).returncode
        for _ in range(starts // 5)
    ]
    print(f"{len(alone)} processes of one window each: exit codes {sorted(set(alone))}")


if __name__ == "__main__":
    main()
