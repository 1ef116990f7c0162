"""The click server: asked for, connected to, and let go of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QCheckBox, QLineEdit, QWidget

from autocontour.base.errors import AutoContourError
from autocontour.gui.dialogs.ask import ask
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.look.language import in_window, tr
from autocontour.models.prompted.nninteractive import DEFAULT_ADDRESS, NNInteractive, check_address, connect

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow

CONNECT = "Connect to a click server"


class ClickServerDialog(Dialog):
    """The address of an nnInteractive server."""

    def __init__(self, parent: QWidget, address: str) -> None:
        words = tr(
            "An nnInteractive server answers clicks. The voxels of this CT are sent to it, nothing about the patient."
        )
        super().__init__(parent, tr("Click server"), words, tr("Connect"), width=520)
        self.address = QLineEdit(address)
        self.address.setAccessibleName(tr("Address"))
        self.elsewhere = QCheckBox(tr("It is another computer, and the CT may be sent there"))
        self.body.addWidget(self.address)
        self.body.addWidget(self.elsewhere)
        self.finish()
        self.address.selectAll()
        self.answer = ("", False)

    def accept(self) -> None:
        """Keep the address, if it is one that may be used."""
        try:
            address = check_address(self.address.text(), elsewhere=self.elsewhere.isChecked())
        except AutoContourError as error:
            self.address.setToolTip(in_window(error))
            ask(self, tr("Click server"), in_window(error), "", tr("Close"), is_default=True)
            return
        self.answer = (address, self.elsewhere.isChecked())
        super().accept()


def ask_click_server(window: MainWindow) -> None:
    """Ask for the address of a server and connect to it beside the window."""
    space = window.workspace
    ct = space.ct
    if ct is None:
        return
    dialog = ClickServerDialog(window, window.settings.value("click_server", DEFAULT_ADDRESS))
    if not dialog.exec():
        return
    address, elsewhere = dialog.answer
    window.settings.set_value("click_server", address)

    def take(session: NNInteractive) -> None:
        if space.ct is not ct:
            session.close()
            return
        words = tr("Its model has this licence: {licence}. Use it?", licence=session.license)
        details = tr("The weights of nnInteractive are CC BY-NC-SA 4.0: for non-commercial use only.")
        if ask(window, tr("Click server"), words, details, tr("Use it")):
            window.clicks.use(session)
            window.take_tool("click")
            space.notify(tr("Connected: click into the structure, with Shift beside it; Return accepts."))
        else:
            session.close()

    space.background.run(CONNECT, (), lambda _: connect(address, ct, elsewhere=elsewhere), take)
