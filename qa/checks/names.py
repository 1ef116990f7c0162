"""Names against AAPM TG-263."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autocontour.base.findings import Finding
from autocontour.patient.nomenclature import find_term, match_name
from autocontour.patient.structures import Structure
from autocontour.patient.volume import CTVolume


def check_names(ct: CTVolume, structures: Sequence[Structure]) -> Iterator[Finding]:  # noqa: ARG001  (as every check)
    """Yield a note for each name that is not TG-263, with the TG-263 name if that is certain."""
    for structure in structures:
        if find_term(structure.name).known:
            continue
        meant = match_name(structure.name)
        if meant:
            yield Finding.of("AC-QA-106", structure.name, structure=structure.name, meant=meant)
