"""Structure names of an archive → TG-263 names, in a TOML file that a person confirms.

The synonym table of the program (`autocontour.patient.nomenclature`) and similar spellings give suggestions. A name is
used only if a person has confirmed its row, or the whole file. The side is never guessed: a name without a side is
never mapped to a structure with one, and a name of one side never to the other.
"""

# `annotations` is not imported from __future__: cattrs needs the limits.

import difflib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated

from autocontour.base.errors import DatasetError
from autocontour.base.files import shown_path, write_atomically
from autocontour.base.findings import Finding
from autocontour.base.limits import FileName, Length, Range, Text, shown
from autocontour.base.typed import SettingsError, read_file, read_toml
from autocontour.dicom.deidentify import folded_words
from autocontour.patient.matching import folded_name
from autocontour.patient.nomenclature import (
    families,
    find_term,
    known_names,
    match_name,
    side_of,
    sided_bases,
    sides_of,
    spellings,
    split_words,
)

LEAST_SIMILARITY = 0.8
"""Of two spellings (`difflib.SequenceMatcher`) for a suggestion."""
DERIVED = frozenset({
    "prv", "prvs", "opt", "opti", "ring", "minus", "avoid", "dummy", "help", "hilfe", "test", "old", "alt", "copy",
    "kopie", "exp", "expanded", "margin", "sub", "boost", "overlap", "dose", "iso", "ptv", "ctv", "gtv", "itv", "not",
    "ohne", "without",
})  # fmt: skip
"""Words of names derived from an organ, which are not the organ itself."""
TARGETS = frozenset({"GTV", "CTV", "PTV"})
"""RT ROI Interpreted Types of targets."""
HEAD = """# Names of structures in the archive, and the TG-263 names under which the data set stores them.
# This file contains names as the clinic typed them: keep it private.
#
# structure   the TG-263 name; "" leaves the structure out
# confirmed   a row is used only once a person has set this to true, here for all rows or in one row.
#             A row's own value counts before that of the whole file.
"""

RowName = Annotated[str, Text(64, path=True)]


@dataclass(frozen=True)
class NameRow:
    """One row of the file.

    Attributes
    ----------
    name
        As in the structure sets, ignoring case and surrounding blanks.
    structure
        TG-263 name; empty to leave the structure out.
    count, how, note
        For the reader of the file: structure sets with the name, how the suggestion was found, what to look at.
    confirmed
        None where the row does not say.
    """

    name: RowName
    structure: Annotated[str, Text(64, least=0)] = ""
    count: Annotated[int, Range(0, 10**9)] = 0
    how: Annotated[str, Text(100, least=0)] = ""
    note: Annotated[str, Text(300, least=0)] = ""
    confirmed: bool | None = None


@dataclass(frozen=True)
class NamesFile:
    """The content of the file."""

    confirmed: bool = False
    names: Annotated[tuple[NameRow, ...], Length(0, 100_000)] = ()

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-015`` for names that differ only in case or blanks, whose rows could contradict each other."""
        seen: set[str] = set()
        for index, row in enumerate(self.names):
            if fold(row.name) in seen:
                yield Finding.of("AC-CFG-015", f"names[{index}].name", value=shown(row.name))
            seen.add(fold(row.name))


@dataclass(frozen=True)
class NameMap:
    """The confirmed names.

    Attributes
    ----------
    structures
        Folded name → TG-263 name; empty for structures that are left out.
    waiting
        Folded names whose row is not confirmed.
    """

    structures: Mapping[str, str]
    waiting: frozenset[str] = frozenset()

    def find(self, name: str) -> str:
        """Return the confirmed TG-263 name of a name in a structure set; empty if it is not to be used."""
        return self.structures.get(fold(name), "")

    def is_waiting(self, name: str) -> bool:
        """Whether the row of a name is not confirmed."""
        return fold(name) in self.waiting


def fold(name: str) -> str:
    """Return the name as `autocontour.patient.matching.folded_name`, in printable characters."""
    return folded_name(_printable(name))


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name.strip())


def read_names(path: Path) -> NamesFile:
    """Read the file; one that does not exist is empty.

    Raises
    ------
    DatasetError
        ``AC-DS-003`` with every problem.
    """
    try:
        return read_toml(NamesFile, read_file(path))
    except FileNotFoundError:
        if not path.exists():
            return NamesFile()
        raise DatasetError("AC-DS-003", name=shown_path(path), count=1) from None
    except OSError as error:
        raise DatasetError("AC-DS-003", name=shown_path(path), count=1) from error
    except SettingsError as error:
        count = len(error.problems)
        raise DatasetError("AC-DS-003", error.problems, name=shown_path(path), count=count) from error


def confirmed_names(content: NamesFile, path: Path, site: Collection[str], identities: Collection[str]) -> NameMap:
    """Return the confirmed names, after a check of every confirmed row.

    Parameters
    ----------
    content, path
        The file.
    site
        Names that are allowed besides those of TG-263 in the program's table and targets.
    identities
        Words of the patients' identities (`autocontour.dicom.deidentify.identity_words`).

    Raises
    ------
    DatasetError
        ``AC-DS-003`` if a row would exchange sides, guess one, or name something unknown.
    """
    structures: dict[str, str] = {}
    spelled: dict[str, str] = {}
    waiting: set[str] = set()
    problems: list[Finding] = []
    for index, row in enumerate(content.names):
        if not (content.confirmed if row.confirmed is None else row.confirmed):
            waiting.add(fold(row.name))
            continue
        problems += [
            replace(problem, where=f"names[{index}]")
            for problem in check_row(row.name, row.structure, site, identities)
        ]
        other = spelled.setdefault(row.structure.casefold(), row.structure)
        if other != row.structure:
            problems.append(Finding.of("AC-DS-025", f"names[{index}]", structure=row.structure, other=other))
        structures[fold(row.name)] = row.structure
    if problems:
        raise DatasetError("AC-DS-003", problems, name=shown_path(path), count=len(problems))
    return NameMap(structures, frozenset(waiting))


def check_row(
    name: str, structure: str, site: Collection[str] = (), identities: Collection[str] = ()
) -> Iterator[Finding]:
    """Yield the problems of mapping `name` to `structure`."""
    if not structure:
        return
    yield from FileName().problems(structure)
    is_known = find_term(structure).known or structure in site
    if not is_known and not structure.upper().startswith(tuple(family.upper() for family in families())):
        yield Finding.of("AC-DS-022", structure=structure)
    if not is_known and set(folded_words(structure)) & set(identities):
        yield Finding.of("AC-DS-024")
    mine, theirs = side_of(name), side_of(structure)
    if mine and theirs and mine != theirs:
        yield Finding.of("AC-DS-020", name=name, structure=structure)
    elif theirs and not mine:
        yield Finding.of("AC-DS-021", name=name, structure=structure)
    elif mine and sides_of(structure):
        yield Finding.of("AC-DS-023", name=name, structure=structure)


def suggest(name: str, site: Collection[str] = ()) -> NameRow:
    """Return the row that is suggested for a name, not confirmed.

    Examples
    --------
    >>> suggest("Lunge li").structure, suggest("Parotis").structure, suggest("oesophgus").structure
    ('Lung_L', '', 'Esophagus')
    """
    exact = name if name in known_names() or name in site else match_name(name)
    if exact and not list(check_row(name, exact, site)):
        return NameRow(name, exact, how="TG-263 name" if exact == name else "synonym")
    words = split_words(name)
    if derived := [word for word in words if word in DERIVED or word.isdigit()]:
        return _suggest_target(name, derived)
    if find_term(name.strip()).interpreted_type in TARGETS:
        return _suggest_target(name, [])  # GTVp and GTVn are two structures, not two spellings of GTV
    base, ratio = _closest_base(" ".join(word for word in words if not side_of(word)))
    if not base:
        return NameRow(name, how="none")
    side = side_of(name)
    found = f"{base}_{side}" if base in sided_bases() and side else base
    how = f"similar, {ratio:.2f}"
    if base in sided_bases() and not side:
        return NameRow(name, how=how, note=f"no side: never mapped to {base}_L or {base}_R")
    return NameRow(name, "", how="none") if list(check_row(name, found, site)) else NameRow(name, found, how=how)


def _suggest_target(name: str, derived: list[str]) -> NameRow:
    """Return the row of a name with numbers or words such as PRV: a target keeps its name, others get none."""
    plain = "".join(letter if letter.isalnum() or letter in "+-_." else "_" for letter in name.strip())
    family = next((family for family in families() if plain.upper().startswith(family.upper())), "")
    plain = family + plain[len(family) :]
    if family and not list(check_row(name, plain)):
        return NameRow(name, plain, how="target")
    return NameRow(name, how="none", note=f"derived or numbered: {', '.join(derived)}")


@cache
def _bases() -> dict[str, str]:
    return dict(spellings())


def _closest_base(text: str) -> tuple[str, float]:
    """Return the name without side whose spelling is most similar, and the similarity; empty if none is similar."""
    close = difflib.get_close_matches(text, _bases(), n=1, cutoff=LEAST_SIMILARITY) if text else []
    if not close:
        return "", 0.0
    return _bases()[close[0]], difflib.SequenceMatcher(None, text, close[0]).ratio()


def extend_names(content: NamesFile, found: Iterable[str], site: Collection[str] = ()) -> NamesFile:
    """Return the file with a row for every name found; rows that exist keep what a person wrote.

    A row that is added to an existing file is not confirmed, even if the file as a whole is.
    """
    counts = Counter(fold(name) for name in found)
    spelled: dict[str, str] = {}
    for name in sorted(found):
        spelled.setdefault(fold(name), _printable(name))
    rows = [
        NameRow(row.name, row.structure, counts[fold(row.name)], row.how, row.note, row.confirmed)
        for row in content.names
    ]
    known = {fold(row.name) for row in content.names}
    for folded in sorted(spelled.keys() - known):
        row = suggest(spelled[folded], site)
        confirmed = False if known else None
        rows.append(NameRow(row.name, row.structure, counts[folded], row.how, row.note, confirmed))
    return NamesFile(content.confirmed, tuple(rows))


def write_names(path: Path, content: NamesFile) -> None:
    """Write the file atomically.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    lines = [HEAD, f"confirmed = {_toml(content.confirmed)}"]
    for row in content.names:
        lines += ["", "[[names]]", f"name = {_toml(row.name)}", f"structure = {_toml(row.structure)}"]
        lines.append(f"count = {row.count}")
        lines += [f"{key} = {_toml(value)}" for key, value in (("how", row.how), ("note", row.note)) if value]
        if row.confirmed is not None:
            lines.append(f"confirmed = {_toml(row.confirmed)}")
    write_atomically(path, ("\n".join(lines) + "\n").encode("utf-8"))


def _toml(value: str | bool) -> str:
    """Return a value as TOML, whose basic strings have the escapes of JSON."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
