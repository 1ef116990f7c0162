"""Drawing of the requested structures: located on cells, outlined on the CT's own voxels."""

from __future__ import annotations

from collections.abc import Callable, Collection

from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.contouring.slivers import without_specks
from autocontour.patient.structures import Drawing
from autocontour.patient.volume import CTVolume
from autocontour.rules.anatomy import Anatomy
from autocontour.rules.rule import RULES

SMALLEST_PIECE_MM = 0.3
"""Pieces of a smaller mean width are remainders of operations on outlines: below any pixel."""


def draw_structures(
    ct: CTVolume,
    names: Collection[str],
    job: Job,
    *,
    on_finding: Callable[[Finding], None] = lambda _: None,
    **options: bool,
) -> dict[str, Drawing]:
    """Draw those of `names` that are in the scan.

    Parameters
    ----------
    ct
        Any CT, of any patient position.
    names
        TG-263 names of registered rules; others are ignored.
    job
        Progress and cancel.
    on_finding
        Called for each structure that may be in the scan and was not drawn, with the reason.
    **options
        The rules' options by name, such as ``with_mask=True`` of External.

    Returns
    -------
    dict
        Name → Drawing; structures not in the scan are missing.

    Raises
    ------
    TypeError
        If no rule has such an option.
    """
    if unknown := options.keys() - {option for rule in RULES.values() for option in rule.options}:
        raise TypeError(f"no rule has the option {', '.join(sorted(unknown))}")
    anatomy = Anatomy(ct, frozenset(name for name, is_on in options.items() if is_on))
    drawn: dict[str, Drawing] = {}
    for name, rule in RULES.items():
        if name not in names:
            continue
        job.advance(f"looking for {name}", 0.0)
        contours = without_specks(rule.draw(anatomy, name, job), SMALLEST_PIECE_MM)
        doubts = tuple(rule.doubts(anatomy, name, contours))
        if contours:
            drawn[name] = Drawing(contours, doubts)
        else:
            for doubt in doubts:
                on_finding(doubt)
    return drawn
