"""Files about an archive that stay private: the confirmed names, and where each patient lies."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from autocontour.archive.find import Archive, Excluded
from autocontour.archive.names import NameMap, confirmed_names, extend_names, read_names, write_names
from autocontour.base.files import write_atomically
from autocontour.dicom.deidentify import folded_words

SOURCES = "sources.json"


def map_names(path: Path, archive: Archive, site: Collection[str] = ()) -> NameMap:
    """Return the confirmed names, after adding a row to the file for every name that it lacks.

    Raises
    ------
    DatasetError
        ``AC-DS-003`` with every problem of the file.
    """
    content = read_names(path)
    extended = extend_names(content, archive.roi_names, site)
    if extended != content or not path.exists():
        write_names(path, extended)
    return confirmed_names(extended, path, site, _identities(archive))


def _identities(archive: Archive) -> frozenset[str]:
    words = {
        word
        for one in archive.candidates
        for text in (one.series.patient_name, one.series.patient_id)
        for word in folded_words(text)
    }
    return frozenset(word for word in words if len(word) > 2)


def keep_sources(
    private: Path, archive: Archive, excluded: Sequence[Excluded], doses: Mapping[str, Path] | None = None
) -> None:
    """Write where each patient lies in the archive, for the person who decides; `doses` by their names in a report."""
    sources: dict[str, Any] = {
        one.name: {
            "ct": str(one.series.files[0].parent),
            "structure_sets": {name: {"file": str(d.path), "label": d.label} for name, d in one.sets.items()},
        }
        for one in archive.candidates
    }
    sources |= {name: {"file": str(path)} for name, path in (doses or {}).items()}
    for item in excluded:
        if item.path is not None and item.name not in sources:
            sources[item.name] = {"file": str(item.path)}
        reasons: list[str] = sources.setdefault(item.name, {}).setdefault("excluded", [])
        reasons.append(f"{item.finding.code}: {item.finding.message}")
    write_atomically(private / SOURCES, json.dumps(sources, indent=1).encode())
    (private / SOURCES).chmod(0o600)
