"""Draw ``docs/architecture.svg``, the packages by layer: ``python docs/make_architecture.py``."""

from __future__ import annotations

import ast
import textwrap
import tomllib
from pathlib import Path

from matplotlib import rcParams
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).resolve().parents[1]
PICTURE = Path(__file__).with_name("architecture.svg")
WIDTH, ROW, GAP = 12.0, 0.92, 0.14
FILL, EDGE, TEXT, MUTED = "#eef3f8", "#5b7893", "#1d2731", "#51606e"


def read_layers() -> list[list[str]]:
    """Return the rooms of each layer, the highest first, from the contract in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["name"] == "layers")
    return [[room.strip(" ()").removeprefix("autocontour.") for room in layer.split("|")] for layer in layers]


def describe(room: str) -> str:
    """Return the first sentence of a room's docstring."""
    path = room.replace(".", "/")
    found = (ROOT / path, ROOT / "autocontour" / path)
    module = next(folder / "__init__.py" for folder in found if (folder / "__init__.py").exists())
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").replace("`", "").rstrip(".")


def draw(layers: list[list[str]]) -> Figure:
    """Draw one row of boxes per layer."""
    height = len(layers) * (ROW + GAP) + GAP
    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasSVG(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, height)
    axes.set_axis_off()
    for number, rooms in enumerate(layers):
        bottom = height - (number + 1) * (ROW + GAP)
        wide = (WIDTH - GAP * (len(rooms) + 1)) / len(rooms)
        for place, room in enumerate(rooms):
            left = GAP + place * (wide + GAP)
            box = FancyBboxPatch(
                (left, bottom), wide, ROW, boxstyle="round,pad=0,rounding_size=0.08", facecolor=FILL, edgecolor=EDGE
            )
            axes.add_patch(box)
            axes.text(left + 0.12, bottom + ROW - 0.24, room, weight="bold", color=TEXT, fontsize=11, va="center")
            lines = "\n".join(textwrap.wrap(describe(room), int(wide * 13.5))[:3])
            axes.text(left + 0.12, bottom + ROW - 0.42, lines, color=MUTED, fontsize=7.6, va="top", linespacing=1.25)
    return figure


if __name__ == "__main__":
    rcParams["svg.hashsalt"] = "architecture"  # the same picture gives the same file
    draw(read_layers()).savefig(PICTURE, metadata={"Date": None}, facecolor="white")
