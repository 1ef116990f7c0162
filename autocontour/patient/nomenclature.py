"""Names of structures: AAPM TG-263, clinics' own names, types, colours and codes.

The names, codes and colours are data, in ``nomenclature.toml`` beside this module. Codes are SNOMED CT concepts by
their keyword in `pydicom.sr.codedict`; where no concept is certain there is none.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

SIDES = {"L": "Left", "R": "Right"}
"""TG-263's side letter → keyword of the DICOM laterality code (CID 244)."""
_SIDE_WORDS = {
    **dict.fromkeys(("l", "lt", "left", "li", "links", "linke", "linker", "linkes", "sin", "sinistra"), "L"),
    **dict.fromkeys(("r", "rt", "right", "re", "rechts", "rechte", "rechter", "rechtes", "dex", "dextra"), "R"),
    **dict.fromkeys(("gauche", "gche", "izq", "izquierdo", "izquierda", "sinistro", "sx", "esquerdo", "esquerda"), "L"),
    **dict.fromkeys(("droit", "droite", "derecho", "derecha", "destro", "destra", "dx", "direito", "direita"), "R"),
    **dict.fromkeys(("왼쪽", "좌측", "좌"), "L"),
    **dict.fromkeys(("오른쪽", "우측", "우"), "R"),
}
"""In English, Latin, German, Italian, French, Spanish, Portuguese and Korean. Letters such as the French G and D are
none: they have other meanings elsewhere."""
_KOREAN_SIDE = re.compile(
    r"왼쪽|오른쪽|좌측|우측|(?<![가-힣])[좌우](?![골측])(?=[가-힣])|(?<=[가-힣])[좌우](?![가-힣])"
)
"""A word for a side in a Korean name, which is often written without a blank (좌폐, 폐우; but 좌골 is the ischium)."""
_SIDES_WITHIN = {"lca": "L", "rca": "R"}
"""Abbreviations that contain the side: left and right coronary artery."""
TARGET_TYPES = ("GTV", "CTV", "PTV", "ITV")
"""Beginnings of the names of target volumes, and their RT ROI Interpreted Types where DICOM has one."""
_PALETTE = ((0, 200, 160), (255, 160, 0), (160, 120, 255), (0, 180, 255), (255, 120, 160), (140, 220, 60))


@dataclass(frozen=True, slots=True)
class Term:
    """The properties of a structure that follow from its name.

    Attributes
    ----------
    name
        TG-263 name, with its side.
    interpreted_type
        RT ROI Interpreted Type (3006,00A4).
    color_rgb
        Default display colour, 0 to 255 each.
    code
        Keyword of the SNOMED CT concept in `pydicom.sr.codedict`; empty if none is certain.
    laterality
        ``Left``, ``Right``, ``Bilateral`` or empty: keyword of the code that modifies `code`.
    known
        Whether the name is in the table; if not, type and colour are only defaults.
    """

    name: str
    interpreted_type: str = "ORGAN"
    color_rgb: tuple[int, int, int] = (255, 255, 0)
    code: str = ""
    laterality: str = ""
    known: bool = True


def is_target_name(name: str) -> bool:
    """Return whether a name is that of a target volume.

    Examples
    --------
    >>> is_target_name("CTV_High"), is_target_name("ptv 60"), is_target_name("Heart")
    (True, True, False)
    """
    return name.upper().startswith(TARGET_TYPES)


def known_names() -> tuple[str, ...]:
    """Return every TG-263 name in the table, in its order."""
    return tuple(_terms())


def find_term(name: str) -> Term:
    """Return the term of a TG-263 name; for one that is not in the table, sensible defaults and no code."""
    if term := _terms().get(name):
        return term
    family = next((known for known in _families() if _begins_family(name, known)), None)
    if family:
        base = _terms()[family]
        return Term(name, base.interpreted_type, base.color_rgb, known=False)
    return Term(name, color_rgb=_PALETTE[zlib.crc32(name.encode()) % len(_PALETTE)], known=False)


def sides_of(name: str) -> tuple[str, str] | None:
    """Return the names of the left and right structure that a TG-263 plural such as ``Lungs`` combines, else None.

    Examples
    --------
    >>> sides_of("Lungs")
    ('Lung_L', 'Lung_R')
    """
    base = next((str(entry["name"]) for entry in _entries() if name and entry.get("plural") == name), None)
    return (f"{base}_L", f"{base}_R") if base else None


def match_name(clinic_name: str) -> str:
    """Return the TG-263 name of a clinic's own name, or empty if that is not certain.

    Case, blanks, punctuation and the place of the side do not matter (``Lt. Lung``, ``lung-left``, ``LUNG_L``); every
    other word must match, so ``Lung_L_PRV`` or ``Heart2`` match nothing.
    """
    words = _words(clinic_name)
    if whole := _index().get((" ".join(words), "")):  # the side may be part of it: left anterior descending
        return whole
    sides = {_SIDE_WORDS[word] for word in words if word in _SIDE_WORDS}
    rest = [word for word in words if word not in _SIDE_WORDS]
    if len(sides) > 1 or len(words) - len(rest) > 1:
        return ""
    return _index().get((" ".join(rest), "".join(sides)), _index().get(("".join(rest), "".join(sides)), ""))


def side_of(name: str) -> str:
    """Return ``L`` or ``R`` if a name has words for exactly one side; else empty.

    A letter with a number, as the level in ``LN_Ax_L1_R``, is not a side.

    Examples
    --------
    >>> side_of("Lt. Parotid"), side_of("LungR"), side_of("Parotid"), side_of("LN_Ax_L1_R"), side_of("우측 이하선")
    ('L', 'R', '', 'R', 'R')
    """
    known = _SIDE_WORDS | _SIDES_WITHIN
    sides = {known[word] for word in re.findall(r"[^\W_]+", _separated(name).lower()) if word in known}
    return sides.pop() if len(sides) == 1 else ""


def split_words(name: str) -> list[str]:
    """Return the lower-case words of a name, split at blanks, punctuation and changes of case."""
    return _words(name)


def spellings() -> Iterator[tuple[str, str]]:
    """Yield every spelling of the table without side, lower-case words separated by blanks, and its TG-263 base name.

    The base of ``Lung_L`` and ``Lung_R`` is ``Lung``.
    """
    for entry in _entries():
        base = str(entry["name"])
        yield " ".join(_words(base)), base
        for spelling in entry.get("synonyms", ()):
            yield str(spelling), base
        if plural := entry.get("plural"):
            yield " ".join(_words(str(plural))), str(plural)


@cache
def sided_bases() -> frozenset[str]:
    """Return the TG-263 base names that exist only with a side."""
    return frozenset(str(entry["name"]) for entry in _entries() if entry.get("sides"))


def families() -> tuple[str, ...]:
    """Return the prefixes of targets' names, such as ``PTV``."""
    return _families()


def _words(name: str) -> list[str]:
    """Split a name into lower-case words: at blanks and punctuation, and where ``LungLeft`` changes case."""
    return re.findall(r"[^\W\d_]+|\d+", _separated(name).lower())


def _separated(name: str) -> str:
    """Return a name without accents, with blanks where its case changes and around Korean words for a side."""
    letters = (letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    plain = unicodedata.normalize("NFC", "".join(letters))  # Hangul in syllables again
    return _KOREAN_SIDE.sub(r" \g<0> ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain))


def _begins_family(name: str, family: str) -> bool:
    """Whether a target's name (GTV, GTVp1, PTV_High, ctv 54) belongs to its family."""
    return re.match(rf"{family}(?![a-z]{{3}})", name, re.IGNORECASE) is not None


@cache
def _entries() -> tuple[dict[str, Any], ...]:
    text = files("autocontour.patient").joinpath("nomenclature.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["structures"])


@cache
def _families() -> tuple[str, ...]:
    return tuple(str(entry["name"]) for entry in _entries() if entry.get("prefix"))


@cache
def _terms() -> dict[str, Term]:
    return {term.name: term for entry in _entries() for term, _ in _entry_terms(entry)}


@cache
def _index() -> dict[tuple[str, str], str]:
    """Words without side, and side letter → TG-263 name."""
    index: dict[tuple[str, str], str] = {}
    for entry in _entries():
        base = " ".join(_words(str(entry["name"])))
        spellings = [base, *entry.get("synonyms", [])]
        for term, side in _entry_terms(entry):
            names = [" ".join(_words(term.name))] if side is None else spellings
            for spelling in names:
                index.setdefault((spelling, side or ""), term.name)
                index.setdefault((spelling.replace(" ", ""), side or ""), term.name)
    return index


def _entry_terms(entry: dict[str, Any]) -> Iterator[tuple[Term, str | None]]:
    """Yield an entry's terms, each with its side letter; "" for one without sides, None for both sides as one."""
    name, code = str(entry["name"]), str(entry.get("code", ""))
    kind = str(entry.get("type", "ORGAN"))
    red, green, blue = entry["color"]
    color = red, green, blue
    if not entry.get("sides"):
        yield Term(name, kind, color, code), ""
        return
    for letter, keyword in SIDES.items():
        yield Term(f"{name}_{letter}", kind, color, code, keyword if code else ""), letter
    if plural := entry.get("plural"):
        yield Term(str(plural), kind, color, code, "Bilateral" if code else ""), None
