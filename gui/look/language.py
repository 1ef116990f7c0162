"""The language of the window: English in the code, other languages by Qt's translations.

Sentences of findings and errors come from the register of codes (`autocontour.base.register`) in every language.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

from autocontour.base.errors import AutoContourError
from autocontour.base.findings import Finding

CONTEXT = "autocontour"
FOLDER = Path(__file__).parents[1] / "translations"
NAMES = {"en": "English", "ko": "한국어"}
"""Languages there are, each by its own name; every one but English has its file in `FOLDER`."""
_shown = "en"


def tr(text: str, **values: object) -> str:
    """Return `text` in the language of the window, with `values` in place of its {names}.

    ``make translations`` finds literals here, in `later`, in `tr_count` and in the table of actions.
    """
    words = QCoreApplication.translate(CONTEXT, text)
    return words.format(**values) if values else words


def tr_count(count: int, one: str, many: str, **values: object) -> str:
    """Return `one` for a single thing, `many` otherwise, translated; {count} is the number."""
    return tr(one if count == 1 else many, count=count, **values)


def later(text: str) -> str:
    """Return `text` as it is; it marks the words of a table, which `tr` translates where they are shown."""
    return text


def in_window(message: Finding | AutoContourError) -> str:
    """Return the sentence and the remedy of a finding or an error in the language of the window."""
    return " ".join(part for part in message.in_language(_shown) if part)


def sentence_of(message: Finding | AutoContourError) -> str:
    """Return the sentence alone in the language of the window."""
    return message.in_language(_shown)[0]


def remedy_of(message: Finding | AutoContourError) -> str:
    """Return the remedy alone in the language of the window; empty where there is none."""
    return message.in_language(_shown)[1]


def language_of(chosen: str, wanted: list[str] | None = None) -> str:
    """Return the language to show: the one chosen, or else the first of the system's that there is.

    Parameters
    ----------
    chosen
        A code of `NAMES`; anything else leaves it to the system.
    wanted
        What the system prefers, best first (``ko-KR``); asked of the system by default.
    """
    if chosen in NAMES:
        return chosen
    codes = [tag.split("-")[0] for tag in (QLocale.system().uiLanguages() if wanted is None else wanted)]
    return next((code for code in codes if code in NAMES), "en")


def use_language(app: QCoreApplication, language: str) -> None:
    """Show what is built from now on in `language`, standard buttons of Qt too."""
    global _shown
    _shown = language
    for old in app.findChildren(QTranslator):
        app.removeTranslator(old)
        old.deleteLater()
    qts_own = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)) / f"qtbase_{language}.qm"
    for path in (qts_own, FOLDER / f"{CONTEXT}_{language}.qm"):
        translator = QTranslator(app)
        if path.is_file() and translator.load(str(path)):
            app.installTranslator(translator)
