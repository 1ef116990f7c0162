"""Curves and sample slices of a training that runs in another process, read from the folder of its run."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from autocontour.gui.look import theme
from autocontour.gui.look.language import tr
from autocontour.patient.nomenclature import find_term

MARGIN_PX = 30


@dataclass(frozen=True)
class Curve:
    """One line: steps and values, and its colour."""

    name: str
    steps: Sequence[float]
    values: Sequence[float]
    color: str


def read_curves(stage: Path) -> list[Curve]:
    """Return the curves of the loss and of each structure's Dice on the patches; none before the first report."""
    try:
        names = json.loads((stage / "structures.json").read_text(encoding="utf-8"))
        lines = (stage / "log.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue  # the last line is being written
        if row.get("kind") == "train":
            rows.append(row)
    curves = []
    for k, name in enumerate(names):
        points = [(row["step"], row["dice"][k]) for row in rows if row["dice"][k] is not None]
        if points:
            red, green, blue = find_term(name).color_rgb
            steps, values = [step for step, _ in points], [value for _, value in points]
            curves.append(Curve(name, steps, values, f"#{red:02x}{green:02x}{blue:02x}"))
    return curves


class CurvesView(QWidget):
    """Dice on the patches over the steps, one line for each structure."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumSize(QSize(320, 200))
        self.curves: list[Curve] = []

    def show_curves(self, curves: list[Curve]) -> None:
        """Show curves."""
        self.curves = curves
        self.setAccessibleDescription(", ".join(f"{one.name} {one.values[-1]:.2f}" for one in curves))
        self.update()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw axes, lines and names."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(theme.current.panel))
        frame = QRectF(self.rect()).adjusted(MARGIN_PX, 10, -120, -MARGIN_PX)
        painter.setPen(QColor(theme.current.line))
        for part in range(6):
            y = frame.bottom() - part / 5 * frame.height()
            painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))
        painter.setPen(QColor(theme.current.muted))
        for part in range(6):
            y = frame.bottom() - part / 5 * frame.height()
            painter.drawText(QRectF(0, y - 8, MARGIN_PX - 4, 16), Qt.AlignmentFlag.AlignRight, f"{part / 5:.1f}")
        last = max((one.steps[-1] for one in self.curves), default=0)
        words = tr("Dice on the patches; step {step}", step=int(last)) if last else tr("No report yet")
        below = QRectF(frame.left(), frame.bottom() + 6, frame.width(), 18)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, words)
        for number, one in enumerate(self.curves):
            painter.setPen(QPen(QColor(one.color), 2))
            points = [
                QPointF(frame.left() + step / last * frame.width(), frame.bottom() - value * frame.height())
                for step, value in zip(one.steps, one.values, strict=True)
            ]
            painter.drawPolyline(QPolygonF(points)) if len(points) > 1 else painter.drawEllipse(points[0], 2, 2)
            painter.drawText(QPointF(frame.right() + 8, frame.top() + 12 + 16 * number), one.name)
        painter.end()


@dataclass(frozen=True)
class SampleImage:
    """One sample slice of one patient; masks are (structures, y, x)."""

    ct: NDArray[np.float32]
    reference: NDArray[np.bool_]
    drawn: NDArray[np.bool_]
    structures: tuple[str, ...]
    spacing_yx_mm: tuple[float, float]


def list_samples(stage: Path) -> list[Path]:
    """Return the files of sample slices, the oldest first."""
    return sorted((stage / "samples").glob("*.npz"))


def read_samples(path: Path) -> list[SampleImage]:
    """Return the sample slices of a file; none if it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            known = stored["known"][:, :, None, None]
            ct, names = stored["ct"].astype(np.float32), tuple(map(str, stored["structures"]))
            reference, drawn = (stored["reference"] >= 128) & known, stored["drawn"] >= 128
            y, x = map(float, stored["spacing_yx_mm"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return []
    return [SampleImage(*each, names, (y, x)) for each in zip(ct, reference, drawn, strict=True)]


class SampleView(QWidget):
    """CT with the reference (solid) and what the network draws (dashed)."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumSize(QSize(320, 200))
        self.images: list[SampleImage] = []

    def show_images(self, images: list[SampleImage], words: str) -> None:
        """Show sample slices side by side."""
        self.images = images
        self.setAccessibleDescription(words)
        self.update()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw every patient in its column."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.current.panel))
        width = self.width() / max(1, len(self.images))
        for number, image in enumerate(self.images):
            self._paint(painter, image, QRectF(number * width, 0, width - 4, self.height()))
        painter.end()

    def _paint(self, painter: QPainter, image: SampleImage, room: QRectF) -> None:
        rows, columns = image.ct.shape
        step_y, step_x = image.spacing_yx_mm
        scale = min(room.width() / (columns * step_x), room.height() / (rows * step_y))
        wide, high = columns * step_x * scale, rows * step_y * scale
        target = QRectF(room.center().x() - wide / 2, room.center().y() - high / 2, wide, high)
        grey = np.ascontiguousarray(np.clip((image.ct + 1) * 127.5, 0, 255).astype(np.uint8))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(target, QImage(grey.data, columns, rows, columns, QImage.Format.Format_Grayscale8))
        for k, name in enumerate(image.structures):
            for masks, style in ((image.reference, Qt.PenStyle.SolidLine), (image.drawn, Qt.PenStyle.DotLine)):
                painter.setPen(QPen(QColor(*find_term(name).color_rgb), 2, style))
                for first, last in _edges(masks[k]):
                    painter.drawLine(_place(target, first, masks[k].shape), _place(target, last, masks[k].shape))


def _edges(mask: NDArray[np.bool_]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the edges between voxels inside and outside, as (x, y) corners."""
    padded = np.pad(mask, 1)
    across = np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1])
    along = np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1])
    found = [((int(x), int(y)), (int(x) + 1, int(y))) for y, x in across]
    return found + [((int(x), int(y)), (int(x), int(y) + 1)) for y, x in along]


def _place(target: QRectF, corner: tuple[int, int], shape: tuple[int, ...]) -> QPointF:
    x, y = corner
    return QPointF(target.left() + x / shape[1] * target.width(), target.top() + y / shape[0] * target.height())
