"""The whole job for a newcomer: a phantom is made, contoured, written, compared, and shown on a page of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from autocontour.base.errors import OutputError
from autocontour.base.jobs import Job
from autocontour.report.page import Figure, Row, Table, write_page
from autocontour.selftest.rehearsal import Rehearsal, rehearse

SEED = 7
SPACING_ZYX_MM = (3.0, 1.0, 1.0)
SHAPE_ZYX = (134, 512, 512)


def run_demo(folder: Path, job: Job, *, seed: int = SEED) -> tuple[Path, list[Rehearsal]]:
    """Rehearse the job on a head-and-neck and a thorax phantom and write a page about it.

    Parameters
    ----------
    folder
        New or empty; receives ``head-neck/CT``, ``head-neck/RS.dcm``, the same for ``thorax``, and ``index.html``.

    Returns
    -------
    page, rehearsals
        The page's path and what it shows.

    Raises
    ------
    OutputError
        ``AC-OUT-002`` if the folder holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise OutputError("AC-OUT-002", f"The folder {folder.name} is not empty.", "Give another with -o.")
    rehearsals = [
        rehearse(site, folder / site, job, seed=seed, spacing_zyx_mm=SPACING_ZYX_MM, shape_zyx=SHAPE_ZYX)
        for site in ("head-neck", "thorax")
    ]
    page = folder / "index.html"
    write_page(
        page,
        "autocontour: the whole job on two phantoms",
        paragraphs=[
            "Two synthetic patients were made and written as DICOM CT series. Each was then contoured like any "
            "planning CT, and its structure set was written, checked and read back. The tables compare what was "
            "drawn with the phantom's own contours, which are known exactly.",
            "A phantom is simpler than a patient: these figures show that the installation works, not how good it is.",
        ],
        tables=[_table(rehearsal) for rehearsal in rehearsals],
        figures=[figure for rehearsal in rehearsals for figure in _figures(rehearsal)],
    )
    return page, rehearsals


def _table(rehearsal: Rehearsal) -> Table:
    colors = {structure.name: structure.color_rgb for structure in rehearsal.drawn.structures}
    rows = tuple(
        Row(
            (
                row.name,
                f"{row.metrics.dsc:.3f}",
                f"{row.metrics.hd95_mm:.1f}",
                f"{row.metrics.surface_dsc:.3f}",
                f"{row.metrics.volume_b_cc:.1f}",
                f"{row.metrics.volume_a_cc:.1f}",
            ),
            "#{:02x}{:02x}{:02x}".format(*colors[row.name]),
        )
        for row in rehearsal.compared
    )
    heads = ("structure", "DSC", "HD95 mm", "surface DSC at 3 mm", "drawn cc", "true cc")
    return Table(f"Phantom {rehearsal.site}", heads, rows)


def _figures(rehearsal: Rehearsal) -> Iterator[Figure]:
    """Three views through the middle of everything, and through the structure that came out worst."""
    from autocontour.report.pictures import middle_of, render_slices

    worst = min(rehearsal.compared, key=lambda row: row.metrics.dsc).name
    shown = rehearsal.drawn.structures
    for what, aimed_at in ((f"through {worst}, the worst", [rehearsal.drawn[worst]]), ("through the middle", shown)):
        at = middle_of(rehearsal.ct.geometry, [structure.contours for structure in aimed_at])
        yield Figure(render_slices(rehearsal.ct, shown, at), f"Phantom {rehearsal.site}, {what}.")
