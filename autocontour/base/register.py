"""The register of codes: every error and finding once, with its sentence and remedy in each language.

One TOML file per family lies in ``base/codes``; `docs/codes.md` is generated from them. A table of a file is one code::

    ["AC-CT-003"]
    severity = "BLOCK"
    en = "{count:# slice is|# slices are} missing, the first after slice {first}."
    ko = "단면 {count}장이 없습니다. 첫 위치는 {first}번 단면 뒤입니다."
    remedy_en = "Import the series again."
    remedy_ko = "시리즈를 다시 가져오십시오."

A field may hold a format specification of Python (``{length_mm:.1f}``) or two phrases separated by ``|``, of which
the first is used for the number 1 and the second for all others; ``#`` in a phrase stands for the number. Every
language has the same fields.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "codes"
LANGUAGES = ("en", "ko")

Value = str | int | float
"""Value of a field in a sentence."""


@dataclass(frozen=True)
class Code:
    """One code of the register.

    Attributes
    ----------
    code
        Such as ``AC-CT-003``; the letters in the middle name the family.
    severity
        ``INFO``, ``WARN`` or ``BLOCK`` of a finding, ``ERROR`` for codes that are only raised.
    sentence, remedy
        Templates by language; a remedy may be empty.
    """

    code: str
    severity: str
    sentence: Mapping[str, str]
    remedy: Mapping[str, str] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """The family's letters, such as ``CT``."""
        return self.code.split("-")[1]


@cache
def read_register() -> Mapping[str, Code]:
    """Return every code of the register by name.

    Raises
    ------
    ValueError
        If a code is defined twice.
    """
    codes: dict[str, Code] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if name in codes:
                raise ValueError(f"{name} is defined twice in the register")
            codes[name] = _read_code(name, entry)
    return codes


def sentence(code: str, values: Mapping[str, Value], language: str = "en") -> str:
    """Return the sentence of `code`, filled with `values`.

    Examples
    --------
    >>> sentence("AC-CFG-022", {"found": "9", "wanted": 1})
    'The network has 9 output channels, but there is 1 structure.'
    >>> sentence("AC-CFG-022", {"found": "9", "wanted": 10}, "ko")
    '네트워크의 출력 채널은 9개이지만 구조는 10개입니다.'
    """
    return _filled(read_register()[code].sentence, values, language)


def remedy(code: str, values: Mapping[str, Value], language: str = "en") -> str:
    """Return the remedy of `code`, filled with `values`; empty where there is none."""
    return _filled(read_register()[code].remedy, values, language)


def parse(template: str) -> list[tuple[str, str, str, str]]:
    """Split a template into (literal text, name of the field after it, format specification, conversion)."""
    return [(text, name or "", spec or "", how or "") for text, name, spec, how in string.Formatter().parse(template)]


def fields_of(template: str) -> set[str]:
    """Return the names of the fields in a template.

    Examples
    --------
    >>> sorted(fields_of("{count:# slice is|# slices are} missing after slice {first}."))
    ['count', 'first']
    """
    return {name for _, name, _, _ in parse(template) if name}


class _Sentences(string.Formatter):
    """Formats numbers as Python does, and chooses between a phrase for one and one for many."""

    def format_field(self, value: object, format_spec: str) -> str:
        if "|" not in format_spec:
            return str(super().format_field(value, format_spec))
        one, many = format_spec.split("|")
        return (one if value == 1 else many).replace("#", str(value))


def _filled(templates: Mapping[str, str], values: Mapping[str, Value], language: str) -> str:
    template = templates.get(language) or templates.get("en", "")
    return _Sentences().vformat(template, (), values)


def _read_code(name: str, entry: Mapping[str, str]) -> Code:
    return Code(
        name,
        entry["severity"],
        {language: entry[language] for language in LANGUAGES if language in entry},
        {language: entry[f"remedy_{language}"] for language in LANGUAGES if f"remedy_{language}" in entry},
    )
