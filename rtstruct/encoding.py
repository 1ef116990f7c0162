"""Data elements and sequence items as bytes (PS3.5 section 7), where pydicom is too slow or would re-format values.

Contours are written as ready-made items; values of other systems are kept raw and never re-formatted.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, MutableSequence
from functools import cache
from io import BytesIO
from typing import Any

from pydicom import Dataset
from pydicom.charset import default_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

from autocontour.rtstruct.text import TEXT_VRS, CharacterSet, Encodings, encodings_of, to_utf_8

LONG_LENGTH = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
"""Value representations whose length takes four bytes in Explicit VR (PS3.5 7.1.2)."""
MAX_SHORT_LENGTH = 0xFFFE
"""Longest value that the other representations can hold in Explicit VR."""
_ITEM = b"\xfe\xff\x00\xe0"
_WITHOUT_BYTE_ORDER = TEXT_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}


def encode_element(keyword: str, value: bytes, *, implicit: bool) -> bytes:
    """Return a data element of the standard's dictionary, its value of even length as given."""
    tag, vr = _tag_and_vr(keyword)
    if implicit:
        return tag + struct.pack("<I", len(value)) + value
    if vr in LONG_LENGTH:
        return tag + vr.encode() + struct.pack("<HI", 0, len(value)) + value
    return tag + vr.encode() + struct.pack("<H", len(value)) + value


def encode_item(content: bytes) -> bytes:
    """Return a sequence item of defined length."""
    return _ITEM + struct.pack("<I", len(content)) + content


def encode_dataset(dataset: Dataset, *, implicit: bool, character_set: CharacterSet = None) -> bytes:
    """Encode a part of a file in that file's character set, little endian; raw values are unchanged."""
    buffer = _buffer(implicit=implicit)
    write_dataset(buffer, with_raw_values(dataset, implicit=implicit), parent_encoding=encodings_of(character_set))
    return buffer.getvalue()


def encode_in_utf_8(
    dataset: Dataset, encodings: Encodings, *, implicit: bool = False, leave_out: Collection[BaseTag] = ()
) -> bytes:
    """Encode a part of a file in Explicit VR Little Endian, or in Implicit VR, with its text turned into UTF-8.

    Text that is not in the declared character set is unchanged, byte for byte.
    """
    copy = _copy(dataset, encodings, "utf_8", implicit=implicit, leave_out=leave_out)
    if not len(copy):
        return b""
    buffer = _buffer(implicit=implicit)
    write_dataset(buffer, copy, parent_encoding="utf_8")
    return buffer.getvalue()


def decode_dataset(data: bytes) -> Dataset:
    """Read the output of `encode_in_utf_8`."""
    return read_dataset(BytesIO(data), is_implicit_VR=False, is_little_endian=True, parent_encoding="utf_8")


def with_raw_values(dataset: Dataset, *, implicit: bool = False, leave_out: Collection[BaseTag] = ()) -> Dataset:
    """Return a copy that pydicom writes in the given encoding without changing a raw value.

    pydicom re-formats every raw value when the encoding changes; here each only gets its VR, except sequences.
    """
    encodings = dataset.original_character_set or default_encoding
    return _copy(dataset, None, encodings, implicit=implicit, leave_out=leave_out)


def in_utf_8(dataset: Dataset, encodings: Encodings, *, implicit: bool) -> Dataset:
    """Return a copy as `with_raw_values`, its text in UTF-8 unless it is not in the declared character set."""
    return _copy(dataset, encodings, "utf_8", implicit=implicit)


def _copy(
    dataset: Dataset,
    source: Encodings | None,
    target: str | MutableSequence[str],
    *,
    implicit: bool,
    leave_out: Collection[BaseTag] = (),
) -> Dataset:
    """Copy a dataset and its sequences; text is converted from the codecs `source` to UTF-8 if they are given."""
    copy = Dataset(parent_encoding=target)
    if source is not None and "SpecificCharacterSet" in dataset:
        source, leave_out = encodings_of(dataset.SpecificCharacterSet), (*leave_out, Tag("SpecificCharacterSet"))
    for tag in dataset.keys():  # noqa: SIM118  (iterating a Dataset would convert every value)
        if tag not in leave_out:
            element: Any = _element_copy(dataset, tag, source, target, implicit=implicit)
            copy[tag] = element
    copy.set_original_encoding(implicit, True, target)
    return copy


def preserve_raw(dataset: Dataset, *, implicit: bool) -> Dataset:
    """Mark a dataset as being in the encoding in which it will be written, so that pydicom keeps its raw values."""
    dataset.set_original_encoding(implicit, True, encodings_of(dataset.get("SpecificCharacterSet") or None))
    return dataset


def raw_element(dataset: Dataset, tag: BaseTag) -> RawDataElement | None:
    """Return an attribute as in a little endian file; None if pydicom has converted it or must."""
    element: object = dataset.get_item(tag)
    if not isinstance(element, RawDataElement):
        return None
    if not element.is_little_endian and (element.VR or _vr(tag)) in _WITHOUT_BYTE_ORDER:
        return element._replace(is_little_endian=True)
    return element if element.is_little_endian else None


def vr_of(dataset: Dataset, tag: BaseTag) -> str:
    """Return an attribute's value representation, from the dictionary where the file does not state it."""
    stated = dataset.get_item(tag).VR
    return _vr(tag) if stated in {None, "UN"} else str(stated)


def raw_attribute(dataset: Dataset, keyword: str) -> DataElement | RawDataElement:
    """Return an attribute with its raw value, for copying into another dataset."""
    tag = Tag(keyword)
    element = raw_element(dataset, tag)
    if element is None or (vr := element.VR or _vr(tag)) == "SQ":
        return dataset[tag]
    return element._replace(VR=vr, value=element.value or b"")


def sequence_items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return a sequence's items, none where it is missing; also of a sequence of representation UN (PS3.5 6.2.2).

    The value of UN is in Implicit VR; pydicom leaves one of 64 kB and more as bytes.
    """
    tag = Tag(keyword)
    element: object = dataset.get_item(tag) if tag in dataset else None
    if isinstance(element, RawDataElement) and element.VR == "UN":
        known: Any = element._replace(VR="SQ", is_implicit_VR=True, is_little_endian=True)
        dataset[tag] = known
    return [] if element is None else list(dataset[tag].value or [])


def set_raw_sequence(dataset: Dataset, keyword: str, items: Iterable[bytes], *, implicit: bool) -> None:
    """Give `dataset` a sequence of ready-made items, which pydicom writes unchanged."""
    value, tag = b"".join(items), Tag(keyword)
    element: Any = RawDataElement(tag, "SQ", len(value), value, 0, implicit, True)
    dataset[tag] = element


def _buffer(*, implicit: bool) -> DicomBytesIO:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = implicit, True
    return buffer


@cache
def _tag_and_vr(keyword: str) -> tuple[bytes, str]:
    tag = Tag(keyword)
    return struct.pack("<HH", tag.group, tag.element), dictionary_VR(tag)


def _element_copy(
    dataset: Dataset, tag: BaseTag, source: Encodings | None, target: str | MutableSequence[str], *, implicit: bool
) -> DataElement | RawDataElement:
    element = raw_element(dataset, tag)
    vr = (dataset[tag].VR if element is None else element.VR) or _vr(tag)
    if vr == "SQ":
        items = (_copy(item, source, target, implicit=implicit) for item in dataset[tag].value)
        return DataElement(tag, "SQ", Sequence(items))
    if element is None:
        return dataset[tag]
    value = element.value or b""
    if source is not None and vr in TEXT_VRS:
        value = to_utf_8(value, source)
    return element._replace(VR=vr, value=value, length=len(value), is_implicit_VR=implicit)


def _vr(tag: BaseTag) -> str:
    """Return the dictionary's VR; UN where it has none or several."""
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "LO" if tag.is_private_creator else "UN"
    return vr if len(vr) == 2 else "UN"


def put(item: Dataset, **values: object) -> None:
    """Set attributes by keyword with the VR of the standard, whatever VR the file gave them.

    An assignment to an attribute that is there keeps its VR; a damaged file may hold a number as OB, and the new value
    could not be written.
    """
    for keyword, value in values.items():
        if keyword in item:
            delattr(item, keyword)
        setattr(item, keyword, value)
