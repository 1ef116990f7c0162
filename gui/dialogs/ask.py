"""A question with one answer that changes something, and no as the answer of Enter."""

from __future__ import annotations

from PySide6.QtWidgets import QMessageBox, QWidget

from autocontour.gui.look.language import tr


def ask(
    parent: QWidget,
    title: str,
    question: str,
    details: str,
    answer: str,
    *,
    icon: QMessageBox.Icon = QMessageBox.Icon.Warning,
    is_default: bool = False,
) -> bool:
    """Return whether the user chooses `answer`.

    Parameters
    ----------
    parent
        Window that the question belongs to.
    title
        Of the message box.
    question, details
        A sentence, and what it is about.
    answer
        Label of the button that changes something.
    icon
        Of the message box.
    is_default
        Whether Enter gives that answer; Enter changes nothing otherwise.
    """
    box = QMessageBox(icon, title, question, parent=parent)
    box.setInformativeText(details)
    yes = box.addButton(answer, QMessageBox.ButtonRole.AcceptRole)
    no = box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(yes if is_default else no)
    box.setEscapeButton(no)
    box.exec()
    is_chosen = box.clickedButton() is yes
    box.deleteLater()
    return is_chosen
