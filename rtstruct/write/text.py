"""Choice of a file's character set (PS3.3 C.12.1.1.2)."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom import Dataset
from pydicom.charset import convert_encodings

from autocontour.patient.structures import Structure
from autocontour.rtstruct.encoding import in_utf_8
from autocontour.rtstruct.text import UTF_8, CharacterSet, encodings_of


def choose_character_set(current: CharacterSet, texts: Iterable[str], structures: Iterable[Structure]) -> CharacterSet:
    """Return `current` if `texts` and the imported attributes of `structures` can be written in it, else UTF-8."""
    if any(map(_holds_utf_8, structures)):
        return UTF_8
    foreign = [text for text in texts if not text.isascii()]
    if not foreign or current == UTF_8:
        return current
    encodings = convert_encodings(current) if isinstance(current, str) else []
    if len(encodings) != 1 or not all(_encodes(text, encodings[0]) for text in foreign):
        return UTF_8
    return current


def in_character_set(dataset: Dataset, character_set: CharacterSet) -> Dataset:
    """Return `dataset` with its text in UTF-8 if it will be written in another character set."""
    own = dataset.get("SpecificCharacterSet") or None
    return dataset if own == character_set else in_utf_8(dataset, encodings_of(own), implicit=False)


def _holds_utf_8(structure: Structure) -> bool:
    """Whether the attributes of an imported structure, in UTF-8, contain text outside ASCII."""
    imported = (contour for contours in structure.imported.values() for contour in contours)
    items = (contour.item for contour in (*imported, *structure.carried))
    return not (structure.attributes.isascii() and all(item.isascii() for item in items))


def _encodes(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
