"""A published package tested on a CT in a child process, which can be stopped at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from autocontour.base.errors import AutoContourError
from autocontour.patient.structures import Contours, Structure
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.worker import ChildProcess, Failed, SendingJob

if TYPE_CHECKING:
    from autocontour.models.inference.published.profiles import Comparison
    from autocontour.models.inference.published.sides import SidesTest

COLORS_RGB = ((255, 90, 90), (90, 160, 255), (90, 230, 120), (255, 200, 60), (220, 120, 255), (80, 230, 230))
THIS_CASE = "the structures of the case"
"""Name of the reference that the structures of a case are, as a package records it."""


@dataclass(frozen=True)
class TrialOrder:
    """What to test.

    Attributes
    ----------
    package
        Folder of the package.
    profiles
        Compared with ``exact``; none for the test of left and right alone.
    reference
        Structure → contours on the CT, for a package that draws nothing with a side.
    reference_name
        Who drew them.
    device
        For the networks.
    """

    package: Path
    profiles: tuple[str, ...] = ()
    reference: Mapping[str, Contours] = field(default_factory=dict)
    reference_name: str = ""
    device: str = "auto"


@dataclass(frozen=True)
class Tried:
    """Result of a trial; profiles are measured only after a passed test."""

    sides: SidesTest
    measured: Mapping[str, Comparison] = field(default_factory=dict)


class TrialProcess(ChildProcess):
    """One trial in a child process; `Tried` or `Failed` is its last event."""

    def __init__(self, ct: CTVolume, order: TrialOrder) -> None:
        super().__init__(_try, ct, order)


def _try(sender: Connection, ct: CTVolume, order: TrialOrder) -> None:
    """Test the package and send the events."""
    try:
        sender.send(run_trial(ct, order, SendingJob(sender)))
    except AutoContourError as error:
        sender.send(Failed(error))
    except Exception as error:  # noqa: BLE001  (a process must not die in silence)
        sender.send(Failed(AutoContourError("AC-PL-011", reason=f"{type(error).__name__}: {error}")))
    sender.close()


def run_trial(ct: CTVolume, order: TrialOrder, job: SendingJob) -> Tried:
    """Test a package.

    Raises
    ------
    ModelError
        The errors of reading and running it.
    """
    from autocontour.models.inference.published.profiles import measure_profiles
    from autocontour.models.inference.published.sides import compare_sides
    from autocontour.models.package.package import read_package

    package = read_package(order.package)
    known = package.sides
    sides = compare_sides(
        ct, package, job, order.device, reference=order.reference, reference_name=order.reference_name
    )
    may_measure = sides.is_proven or (known is not None and not sides.wrong)
    if not may_measure or not order.profiles:
        return Tried(sides)
    return Tried(sides, measure_profiles(ct, package, order.profiles, job, order.device))


def picture_of(drawings: Mapping[str, Contours], ct: CTVolume, title: str) -> bytes:
    """Return three views of what a package drew in a trial, as PNG.

    Parameters
    ----------
    drawings
        Structure → contours.
    ct
        The CT of the trial.
    title
        A line above the views; it must not name the patient.
    """
    from autocontour.report.pictures import render_slices

    # Not the usual colours: those of a pair are the same, and left and right are what the picture is about.
    drawn = [
        Structure(name, number, contours, color_rgb=COLORS_RGB[number % len(COLORS_RGB)])
        for number, (name, contours) in enumerate(drawings.items(), 1)
    ]
    return render_slices(ct, drawn, title=title, labelled=drawn[:12])
