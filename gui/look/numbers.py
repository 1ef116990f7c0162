"""Boxes for numbers, which read and write them in one way in every language of the computer."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QLocale
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDoubleSpinBox

PLAIN = QLocale(QLocale.Language.C)
"""Digits, a decimal point and nothing between thousands, in every language of the computer."""
PLAIN.setNumberOptions(QLocale.NumberOption.OmitGroupSeparator | QLocale.NumberOption.RejectGroupSeparator)


class DecimalBox(QDoubleSpinBox):
    """A box for a number with a decimal point; a comma that is typed is one too.

    Without this a box follows the computer's language: where thousands are grouped by a point, as in German, ``2.5``
    is 25, and where they are grouped by a comma, as in English and Korean, ``2,5`` is.
    """

    def __init__(self, **properties: Any) -> None:  # noqa: ANN401  (properties of Qt)
        super().__init__(**properties)
        self.setLocale(PLAIN)

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Take a comma as the decimal point."""
        return super().validate(text.replace(",", "."), position)
