"""The inspection page of a data set: structures, what was set aside and why, what is unusual, and a gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autocontour.archive.summary import set_aside_of, summarize_structures
from autocontour.models.data.planes import PATIENTS
from autocontour.patient.nomenclature import find_term
from autocontour.report.page import Figure, Row, Table, write_page

PICTURE = "picture.png"
INTRODUCTION = (
    "Patients have names of their own here; the file sources.json in the private folder beside the data set states "
    "where they are in the archive. A structure that was set aside counts as not contoured; a patient that was set "
    "aside is not in the data set. To decide otherwise, add an entry to decisions.toml and build the data set again: "
    'exclude = true leaves a patient or structure out, keep = ["AC-…"] accepts findings, structure_set chooses one of '
    "several structure sets.",
)
WARN = ("WARN", "BLOCK")


def write_inspection(path: Path, folder: Path, index: Mapping[str, Any]) -> None:
    """Write the page.

    Parameters
    ----------
    path
        The HTML file.
    folder
        The data set.
    index
        Content of its ``index.json``.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    patients: Sequence[Mapping[str, Any]] = index["patients"]
    splits = sorted({str(entry["split"]) for entry in patients})
    counts = ", ".join(f"{split}: {sum(entry['split'] == split for entry in patients)}" for split in splits)
    write_page(
        path,
        "Inspection of the data set",
        paragraphs=(f"{len(patients)} patients ({counts}), {len(index['quarantine'])} set aside.", *INTRODUCTION),
        tables=(
            _structures(index),
            Table("Patients and structure sets that were set aside", ("name", "code", "reason"), _excluded(index)),
            Table("Structures that were set aside", ("patient", "structure", "codes"), _set_aside(patients)),
            Table("Unusual", ("patient", "structure", "code", "finding"), _findings(patients)),
        ),
        figures=_gallery(folder, patients),
    )  # fmt: skip


def _structures(index: Mapping[str, Any]) -> Table:
    heads = ("structure", "patients", "set aside", "median cm³", "smallest", "largest", "at the scan's end")
    rows = [
        Row(
            (
                one.name, str(one.count), str(one.set_aside), f"{one.median_cc:.1f}", f"{one.smallest_cc:.1f}",
                f"{one.largest_cc:.1f}", str(one.cut),
            ),
            "#{:02x}{:02x}{:02x}".format(*find_term(one.name).color_rgb),
        )
        for one in summarize_structures(index)
    ]  # fmt: skip
    return Table("Structures", heads, tuple(rows))


def _excluded(index: Mapping[str, Any]) -> tuple[Row, ...]:
    return tuple(Row((str(one["patient"]), str(one["code"]), str(one["message"]))) for one in index["quarantine"])


def _set_aside(patients: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    return tuple(
        Row((str(entry["patient"]), name, ", ".join(codes)))
        for entry in patients
        for name, codes in set_aside_of(entry).items()
    )


def _findings(patients: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    return tuple(
        Row((str(entry["patient"]), str(one["where"]), str(one["code"]), str(one["message"])))
        for entry in patients
        for one in entry["findings"]
        if one["severity"] in WARN
    )


def _gallery(folder: Path, patients: Sequence[Mapping[str, Any]]) -> tuple[Figure, ...]:
    """Return the picture of every patient, those with the most warnings first."""
    figures = []
    for entry in sorted(patients, key=lambda entry: -_warnings(entry)):
        path = folder / PATIENTS / str(entry["folder"]) / PICTURE
        if path.is_file():
            caption = f"{entry['patient']}, {entry['split']}: {', '.join(entry['structures'])}"
            figures.append(Figure(path.read_bytes(), f"{caption}. {_warnings(entry)} warnings."))
    return tuple(figures)


def _warnings(entry: Mapping[str, Any]) -> int:
    return sum(one["severity"] in WARN for one in entry["findings"])
