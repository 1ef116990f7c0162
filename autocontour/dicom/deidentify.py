"""De-identification of DICOM attributes: Basic Application Level Confidentiality Profile (PS3.15 Annex E).

The profile is applied by the library dicom-anonymizer, whose tables are those of PS3.15 table E.1-1 (2026c), to the
dataset and every item of its sequences. UIDs are replaced by a keyed map, so that references stay valid. Of the result
only technical attributes are kept, and of these no text that contains a word of the patient's identity.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from autocontour.dicom.read import guarded, read_dataset
from autocontour.dicom.wording import shown

Replace = Callable[[str], str]
"""Original UID → its replacement."""

PROFILE = "dicomfields_2026c"
METHOD = "PS3.15 Basic Profile, 2026c; technical attributes only"
KEPT = (
    *("Modality", "Manufacturer", "ManufacturerModelName", "KVP", "ConvolutionKernel", "SliceThickness"),
    *("PatientPosition", "BodyPartExamined", "ImageType", "PixelSpacing", "ReconstructionDiameter"),
    *("GantryDetectorTilt", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPClassUID"),
)
"""Attributes that a data set keeps of a de-identified header."""
ANONYMOUS = frozenset(
    {"anonymous", "anonymized", "anonymised", "anon", "none", "unknown", "patient", "noname", "name", "no", "id"}
)
"""Words that stand for an unknown patient: such an ID or name does not distinguish patients."""
LEAST_WORD = 3
"""Shorter parts of a name in Latin letters are not looked for."""
_LEAST_NUMBER = 4
_IDENTIFIERS = (
    *("PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID", "IssuerOfPatientID", "PatientTelephoneNumbers"),
    *("PatientAddress", "MilitaryRank", "PatientInsurancePlanCodeSequence", "MedicalRecordLocator"),
)


def read_full_header(path: Path) -> Dataset:
    """Read every attribute of a DICOM file but the pixels.

    Raises
    ------
    CTError
        ``AC-CT-001`` if it is damaged.
    """
    dataset = read_dataset(path, stop_before_pixels=True)
    with guarded(where=shown(path)):
        for element in dataset.iterall():
            str(element.value)
    return dataset


@dataclass(frozen=True)
class Deidentified:
    """The header of a CT without the patient's identity, and the identity apart from it.

    Attributes
    ----------
    attributes
        Keyword → text, number or list of these: attributes in `KEPT`, and those of PS3.15 E.3 about the method.
    patient_id, person
        Patient ID, and name with date of birth, in one spelling; empty where the header does not distinguish patients.
        Never stored.
    words
        Words of the identity (see `identity_words`); never stored.
    has_burned_in_text
        Whether Burned In Annotation (0028,0301) is YES.
    """

    attributes: dict[str, Any]
    patient_id: str = field(repr=False)
    person: str = field(repr=False)
    words: frozenset[str] = field(repr=False)
    has_burned_in_text: bool


def deidentify_header(path: Path, replace_uid: Replace) -> Deidentified:
    """Read the header of a DICOM file and separate it from the patient's identity.

    Parameters
    ----------
    path
        A file of the series.
    replace_uid
        The keyed map of UIDs.

    Raises
    ------
    CTError
        ``AC-CT-001`` if the file is damaged or a value cannot be handled.
    """
    header = read_full_header(path)
    with guarded(where=shown(path)):
        patient_id, person, words = _patient_id(header), _person(header), identity_words(header)
        burned_in = str(header.get("BurnedInAnnotation", "")).strip().upper() == "YES"
        return Deidentified(deidentify(header, replace_uid), patient_id, person, words, burned_in)


def read_identities(path: Path) -> frozenset[str]:
    """Return by what a file names its patient: Patient ID, and name with date of birth, in one spelling.

    Empty where the header does not distinguish patients. Two files of one patient have one of them in common.

    Raises
    ------
    CTError
        ``AC-CT-001`` if the file is damaged.
    """
    header = read_full_header(path)
    with guarded(where=shown(path)):
        named = {"ID": _patient_id(header), "person": _person(header)}
    return frozenset(f"{kind} {text}" for kind, text in named.items() if text)


def deidentify(header: Dataset, replace_uid: Replace) -> dict[str, Any]:
    """Return the technical attributes of a header (see `Deidentified`), which is changed."""
    words = identity_words(header)
    apply_basic_profile(header, replace_uid)
    values = {keyword: _plain(header.get(keyword)) for keyword in KEPT if header.get(keyword) not in (None, "")}
    kept = {keyword: value for keyword, value in values.items() if not _names_patient(value, words)}
    return kept | {"PatientIdentityRemoved": "YES", "DeidentificationMethod": METHOD}


def _patient_id(header: Dataset) -> str:
    words = folded_words(str(header.get("PatientID", "") or ""))
    text = " ".join(words)
    return "" if text.strip("0") == "" or set(words) <= ANONYMOUS else text


def _person(header: Dataset) -> str:
    words = folded_words(str(header.get("PatientName", "") or ""))
    birth_date = str(header.get("PatientBirthDate", "") or "").strip()
    return f"{' '.join(words)} {birth_date}" if birth_date.strip("0") and not set(words) <= ANONYMOUS else ""


def apply_basic_profile(dataset: Dataset, replace_uid: Replace) -> None:
    """Apply the profile in place to a dataset and to the items of all its sequences; private attributes are removed."""
    from dicomanonymizer.simpledicomanonymizer import anonymize_dataset, initialize_actions

    rules = {tag: partial(_replace_uids, replace_uid) for tag in _uid_tags()}
    dataset.remove_private_tags()
    # The library handles the attributes of one level; the deepest items come first, as it removes some sequences.
    for item in [*reversed(list(_items(dataset))), dataset]:
        for element in [element for element in item if element.VR in _UNSUPPORTED]:
            del item[element.tag]
        anonymize_dataset(item, rules, base_rules_gen=partial(initialize_actions, PROFILE))


_UNSUPPORTED = frozenset({"AT", "OD", "OF", "OL", "OV", "OW", "SV", "UV"})
"""Value representations that the library cannot replace; no attribute that is kept has them."""


@cache
def _uid_tags() -> tuple[tuple[int, ...], ...]:
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

    return tuple(dicom_anonymization_database_selector(PROFILE)["U_TAGS"])


def _replace_uids(replace_uid: Replace, dataset: Dataset, tag: tuple[int, int]) -> None:
    element = dataset.get(tag)
    if element is None or not element.value:
        return
    several = isinstance(element.value, MultiValue)
    element.value = [replace_uid(str(uid)) for uid in element.value] if several else replace_uid(str(element.value))


def _items(dataset: Dataset) -> Iterator[Dataset]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield item
                yield from _items(item)


def identity_words(header: Dataset) -> frozenset[str]:
    """Return the words by which a header names persons, folded for comparison (see `folded_words`).

    They are the parts of every person's name in it, also in sequences, and of the patient's identifiers.
    """
    tags = {int(Tag(keyword)) for keyword in _IDENTIFIERS}
    found: set[str] = set()
    for element in header.iterall():
        if element.VR == "PN" or int(element.tag) in tags:
            for word in folded_words(str(element.value or "")):
                if not word.isascii() or len(word) >= (_LEAST_NUMBER if word.isdigit() else LEAST_WORD):
                    found.add(word)
    return frozenset(found)


def folded_words(text: str) -> list[str]:
    """Return the words of a text in lower case, without accents.

    Examples
    --------
    >>> folded_words("Müller^Anna=…")
    ['muller', 'anna']
    """
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return re.findall(r"[^\W_]+", plain.casefold())


def _names_patient(value: Any, words: frozenset[str]) -> bool:  # noqa: ANN401
    texts = [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
    return any(set(folded_words(text)) & words for text in texts if not text.startswith("2.25."))


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, MultiValue | list | tuple):
        return [_plain(entry) for entry in value]
    return float(value) if isinstance(value, int | float) else str(value)
