"""Comparison of the patients of a structure set and a CT (PS3.3 C.7.1.1)."""

from __future__ import annotations

from pydicom import Dataset

from autocontour.rtstruct.text import encodings_of, shown_text

IDENTITY = ("PatientID", "PatientName", "PatientBirthDate")


def differing_attributes(dataset: Dataset, header: Dataset) -> list[str]:
    """Return the keywords of the patient's attributes that have values in both and differ.

    Case, spacing and empty components do not count, and a name counts as the same if one of its component groups
    (alphabetic, ideographic, phonetic) is. Attributes that are empty in one of them are not compared.
    """
    differing = []
    for keyword in IDENTITY:
        groups, theirs = _groups(dataset, keyword), _groups(header, keyword)
        if groups and theirs and not groups & theirs:
            differing.append(keyword)
    return differing


def _groups(dataset: Dataset, keyword: str) -> set[str]:
    """Return an attribute's component groups in a form that can be compared."""
    encodings = encodings_of(dataset.get("SpecificCharacterSet") or None)
    text = shown_text(dataset, keyword, encodings).casefold()
    groups = text.split("=") if keyword == "PatientName" else [text]
    return {"^".join(" ".join(part.split()) for part in group.split("^")).strip("^ ") for group in groups} - {""}
