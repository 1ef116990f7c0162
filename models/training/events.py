"""The log of a training as TensorBoard's event files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autocontour.base.errors import TrainingError

FOLDER = "tensorboard"
SCALARS = ("loss", "rate", "patches_per_s", "score")


class EventFiles:
    """Writes the lines of a stage's log into event files beside it.

    Parameters
    ----------
    folder
        Of the stage.
    structures
        In the order of the outputs.
    step
        From which the run goes on: what a killed run had written after it is left out by TensorBoard.

    Raises
    ------
    TrainingError
        ``AC-TR-034`` if TensorBoard is not installed.
    """

    def __init__(self, folder: Path, structures: Sequence[str], step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise TrainingError("AC-TR-034") from error
        self._structures = structures
        self._writer: Any = SummaryWriter(str(folder / FOLDER), purge_step=step or None)

    def add(self, line: Mapping[str, Any]) -> None:
        """Write one line of the log and flush it."""
        kind, step = line["kind"], line["step"]
        for name in SCALARS:
            if name in line:
                self._writer.add_scalar(f"{kind}/{name}", line[name], step)
        for name, value in zip(self._structures, line["dice"], strict=True):
            if value is not None:
                self._writer.add_scalar(f"{kind} DSC/{name}", value, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the files."""
        self._writer.close()
