"""Text of a file in its declared character set or in another one (PS3.3 C.12.1.1.2, PS3.5 6.1)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from pydicom import Dataset
from pydicom.charset import convert_encodings, decode_bytes, default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.valuerep import TEXT_VR_DELIMS

CharacterSet = str | list[str] | None
"""Specific Character Set (0008,0005); None means the default."""
UTF_8 = "ISO_IR 192"
Encodings = Sequence[str]
"""Names of Python's codecs, the first for text without escape sequences."""
TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""Value representations whose text is in the declared character set."""
_ESCAPE = b"\x1b"
_BREAKS = "\t\n\f\r"


def encodings_of(character_set: CharacterSet) -> list[str]:
    """Return the codecs of a Specific Character Set."""
    return convert_encodings(character_set)


def own_encodings(item: Dataset) -> list[str]:
    """Return the codecs that a dataset or item was read with."""
    read = item.original_character_set or [default_encoding]
    return [read] if isinstance(read, str) else list(read)


def decode_declared(value: bytes, encodings: Encodings) -> str | None:
    """Decode a text in its declared character set; None if it is not in it."""
    if value.isascii() and _ESCAPE not in value:
        return value.decode("ascii")
    if encodings[0] == default_encoding and not value.split(_ESCAPE)[0].isascii():
        return None  # without a declaration, only ASCII
    text = decode_bytes(value, list(encodings), set(TEXT_VR_DELIMS))
    replaced = "\ufffd" in text and "\ufffd".encode() not in value
    return None if replaced or any(map(_is_control, text)) else text


def decode_shown(value: bytes, encodings: Encodings) -> str:
    """Decode a text as declared or, if it is not in the declared character set, in the most probable one.

    Other text is hardly ever valid UTF-8; then the other declared codecs, then Korean if all of it is Hangul, then
    Latin-1, in which every text is valid.
    """
    declared = decode_declared(value, encodings)
    if declared is not None:
        return declared
    for encoding in ("utf_8", *encodings[1:], "euc_kr"):
        try:
            text = value.decode(encoding)
        except (UnicodeError, LookupError):
            continue
        if encoding != "euc_kr" or all(letter.isascii() or "가" <= letter <= "힣" for letter in text):
            return text
    return "".join("?" if _is_control(letter) else letter for letter in value.decode("latin-1"))


def raw_text(dataset: Dataset, keyword: str) -> bytes:
    """Return an attribute's raw text, without padding; empty if it is missing."""
    tag = Tag(keyword)
    element: object = dataset.get_item(tag) if tag in dataset else None
    if isinstance(element, RawDataElement):
        return (element.value or b"").strip(b" \0")
    value = "" if element is None else dataset[tag].value
    values = value if isinstance(value, MultiValue) else [value]
    text = "\\".join("" if one is None else str(one) for one in values)
    return text.encode("utf_8", "replace").strip(b" \0")


def shown_text(dataset: Dataset, keyword: str, encodings: Encodings) -> str:
    """Return an attribute's text for display, see `decode_shown`; does not change the dataset."""
    tag = Tag(keyword)
    is_raw = tag in dataset and isinstance(dataset.get_item(tag), RawDataElement)
    return decode_shown(raw_text(dataset, keyword), encodings if is_raw else ["utf_8"]).strip(" \0")


def is_declared(dataset: Dataset, keyword: str, encodings: Encodings) -> bool:
    """Whether an attribute's text is in the declared character set."""
    return decode_declared(raw_text(dataset, keyword), encodings) is not None


def to_utf_8(value: bytes, encodings: Encodings) -> bytes:
    """Return a text in UTF-8, of even length; one that is not in its declared character set is unchanged."""
    text = decode_declared(value, encodings)
    if text is None:
        return value
    encoded = text.encode("utf_8")
    return encoded + b" " if len(encoded) % 2 else encoded


def as_line(text: str, longest: int) -> str:
    """Return `text` as one line of VR LO: without control characters and backslashes, truncated to `longest`."""
    plain = "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in text.replace("\\", "/"))
    return " ".join(plain.split())[:longest].strip() if plain != text else plain[:longest].strip()


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) == "Cc" and letter not in _BREAKS
