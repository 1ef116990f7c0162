"""Modality LUTs (PS3.3 C.11.1): conversion of stored values to Hounsfield units by a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import CTError
from autocontour.base.findings import Finding
from autocontour.dicom.elements import EXPLICIT_BIG, MODALITY_LUT
from autocontour.dicom.header import SliceHeader
from autocontour.dicom.read import guarded, read_dataset
from autocontour.dicom.wording import shown

APPLIED = "AC-CT-056"
UNUSABLE = "AC-CT-057"
_SPECIFIC_CHARACTER_SET = 0x00080005


@dataclass(frozen=True)
class ModalityLUT:
    """A table of Hounsfield units.

    Attributes
    ----------
    first
        Stored value of the first entry; smaller ones have the first entry, larger ones than the last have the last.
    entries
        (n,) int16, ascending.
    """

    first: int
    entries: NDArray[np.int16]

    def apply(self, stored: NDArray[Any]) -> NDArray[np.int16]:
        """Return the Hounsfield units of stored values."""
        index = np.clip(stored.astype(np.int64) - self.first, 0, len(self.entries) - 1)
        hu: NDArray[np.int16] = self.entries[index]
        return hu


def check_luts(slices: Sequence[SliceHeader], with_lut: Sequence[SliceHeader]) -> Iterator[Finding]:
    """Reject tables that cannot be applied, that only some slices have, or that are used together with a rescale."""
    without = [s for s in slices if not s.has_modality_lut]
    unusable = without + [s for s in with_lut if s.has_rescale or not _is_usable(s)]
    if unusable:
        yield Finding.of(UNUSABLE, shown(unusable[0].path), count=len(unusable), total=len(slices))
    else:
        yield Finding.of(APPLIED)


def _is_usable(header: SliceHeader) -> bool:
    try:
        read_lut(header)
    except CTError:
        return False
    return True


def read_lut(header: SliceHeader) -> ModalityLUT:
    """Read a file's Modality LUT of Modality LUT Type HU with 16-bit entries, which are signed as HU are.

    Raises
    ------
    CTError
        If there is none that can be applied.
    """
    tags = [_SPECIFIC_CHARACTER_SET, MODALITY_LUT]
    dataset = read_dataset(header.path, specific_tags=tags, stop_before_pixels=True)
    with guarded(where=shown(header.path)):
        (item,) = dataset.ModalityLUTSequence
        count, first, bits = (int(value) for value in item.LUTDescriptor)
        data = item.LUTData
        order = ">" if header.transfer_syntax == EXPLICIT_BIG else "<"
        values = np.frombuffer(data, f"{order}i2") if isinstance(data, bytes) else np.array(data, np.int64)
        entries = values.astype(np.int64).astype(np.int16)
        is_sound = item.ModalityLUTType == "HU" and bits == 16 and len(entries) == (count or 1 << 16)
        if is_sound and entries[0] < entries[-1] and (np.diff(entries.astype(np.int32)) >= 0).all():
            first %= 1 << 16
            return ModalityLUT(first - (1 << 16) * (header.pixel_representation == 1 and first >= 1 << 15), entries)
    raise CTError(UNUSABLE, count=1, total=1)
