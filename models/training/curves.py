"""Learning curves of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autocontour.base.errors import TrainingError


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a stage's log; an incomplete last line, left by a kill, is ignored."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def draw_curves(run: Path) -> Path:
    """Draw loss and validation DSC of every stage in `run` into ``curves.png``.

    Raises
    ------
    TrainingError
        If the folder holds no run (``AC-TR-005``).
    """
    from matplotlib.figure import Figure

    logs = sorted(run.glob("*/log.jsonl"))
    if not logs:
        raise TrainingError("AC-TR-005", folder=run.name)
    figure = Figure(figsize=(12, 4 * len(logs)), layout="constrained")
    for axes, log in zip(figure.subplots(len(logs), 2, squeeze=False), logs, strict=True):
        _draw_stage(axes[0], axes[1], log)
    path = run / "curves.png"
    figure.savefig(path, dpi=100)
    return path


def _draw_stage(losses: Any, scores: Any, log: Path) -> None:  # noqa: ANN401  (matplotlib's axes)
    lines = read_log(log)
    names = json.loads((log.parent / "structures.json").read_text(encoding="utf-8"))
    train = [line for line in lines if line["kind"] == "train"]
    losses.plot([line["elapsed_s"] / 60 for line in train], [line["loss"] for line in train])
    losses.set(title=f"{log.parent.name}: loss", xlabel="training minutes", ylabel="cross entropy + Dice")
    validations = [line for line in lines if line["kind"] == "validate"]
    for k, name in enumerate(names):
        known = [(line["elapsed_s"] / 60, line["dice"][k]) for line in validations if line["dice"][k] is not None]
        scores.plot(*zip(*known, strict=True), marker="o", label=name) if known else None
    scores.set(title=f"{log.parent.name}: mean DSC of the validation patients", xlabel="training minutes", ylim=(0, 1))
    if scores.has_data():
        scores.legend(fontsize="small")
