"""Data elements and sequence items as bytes (PS3.5 section 7), for what pydicom is too slow at or would re-format.

Contours are written as ready-made items; what another system wrote is carried as raw values and never re-formatted.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable
from functools import cache
from io import BytesIO
from typing import Any

from pydicom import Dataset
from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

CharacterSet = str | list[str] | None
"""Specific Character Set (0008,0005); None means the default."""
UTF_8 = "ISO_IR 192"
LONG_LENGTH = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
"""Value representations whose length takes four bytes in Explicit VR (PS3.5 7.1.2)."""
MAX_SHORT_LENGTH = 0xFFFE
"""Longest value that the other representations can hold in Explicit VR."""
_ITEM = b"\xfe\xff\x00\xe0"


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
    """Encode a part of a file in that file's character set, little endian; raw values stay as they are."""
    buffer = _buffer(implicit=implicit)
    encodings = convert_encodings(character_set) if character_set else default_encoding
    write_dataset(buffer, with_raw_values(dataset, implicit=implicit), parent_encoding=encodings)
    return buffer.getvalue()


def encode_in_utf_8(dataset: Dataset, character_set: CharacterSet) -> bytes:
    """Encode a part of a file in Explicit VR Little Endian with its text turned into UTF-8."""
    encoded = encode_dataset(dataset, implicit=False, character_set=character_set)
    if encoded.isascii() or character_set == UTF_8:
        return encoded
    buffer = _buffer(implicit=False)
    if character_set:
        dataset.SpecificCharacterSet = character_set
    dataset.decode()
    dataset.pop("SpecificCharacterSet", None)
    write_dataset(buffer, dataset, parent_encoding="utf_8")
    return buffer.getvalue()


def decode_dataset(data: bytes) -> Dataset:
    """Read back what `encode_in_utf_8` made."""
    return read_dataset(BytesIO(data), is_implicit_VR=False, is_little_endian=True, parent_encoding="utf_8")


def with_raw_values(dataset: Dataset, *, implicit: bool = False, leave_out: Collection[BaseTag] = ()) -> Dataset:
    """Return a copy that pydicom writes in the wanted encoding without touching a raw value.

    pydicom re-formats every raw value when the encoding changes; here each only gets its VR, sequences apart.
    """
    encodings = dataset.original_character_set or default_encoding
    copy = Dataset(parent_encoding=encodings)
    for tag in dataset.keys():  # noqa: SIM118  (iterating a Dataset would convert every value)
        if tag not in leave_out:
            element: Any = _raw_copy(dataset, tag, implicit=implicit)
            copy[tag] = element
    copy.set_original_encoding(implicit, True, encodings)
    return copy


def preserve_raw(dataset: Dataset, *, implicit: bool) -> Dataset:
    """Mark a dataset as being in the encoding in which it will be written, so that pydicom keeps its raw values."""
    character_set = dataset.get("SpecificCharacterSet")
    encodings = convert_encodings(character_set) if character_set else default_encoding
    dataset.set_original_encoding(implicit, True, encodings)
    return dataset


def raw_element(dataset: Dataset, tag: BaseTag) -> RawDataElement | None:
    """Return an attribute as it stands in a little endian file; None if pydicom has converted it or must."""
    element: object = dataset.get_item(tag)
    return element if isinstance(element, RawDataElement) and element.is_little_endian else None


def raw_attribute(dataset: Dataset, keyword: str) -> DataElement | RawDataElement:
    """Return an attribute with its value as the file has it, for copying into another dataset."""
    tag = Tag(keyword)
    element = raw_element(dataset, tag)
    if element is None or (vr := element.VR or _vr(tag)) == "SQ":
        return dataset[tag]
    return element._replace(VR=vr, value=element.value or b"")


def set_raw_sequence(dataset: Dataset, keyword: str, items: Iterable[bytes], *, implicit: bool) -> None:
    """Give `dataset` a sequence of ready-made items, which pydicom writes as they are."""
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


def _raw_copy(dataset: Dataset, tag: BaseTag, *, implicit: bool) -> DataElement | RawDataElement:
    element = raw_element(dataset, tag)
    vr = (dataset[tag].VR if element is None else element.VR) or _vr(tag)
    if vr == "SQ":
        items = Sequence(with_raw_values(item, implicit=implicit) for item in dataset[tag].value)
        return DataElement(tag, "SQ", items)
    if element is not None:
        return element._replace(VR=vr, value=element.value or b"", is_implicit_VR=implicit)
    return dataset[tag]


def _vr(tag: BaseTag) -> str:
    """Return the dictionary's VR; UN where it has none or several."""
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "LO" if tag.is_private_creator else "UN"
    return vr if len(vr) == 2 else "UN"
