"""Last section of the panel: where the learner runs, and what it is. Stores what the user chooses."""

from __future__ import annotations

from types import SimpleNamespace

from slicer.i18n import tr as _

from metasegment.client import Connection, LearnerError
from metasegment.errors import InputError

from ..learner.Installer import Installer
from ..learner.LearnerChoice import DEVICES, LearnerChoice
from ..learner.LearnerConnection import LearnerConnection
from ..learner.UserSettings import UserSettings
from .InstallationPanel import InstallationPanel


class LearnerPanel:
    """The choice of the learner, its packages, its test. Example::

    panel = LearnerPanel(ui, settings, connection, installer)
    panel.update()                       # when the module is entered
    """

    def __init__(
        self, ui: SimpleNamespace, settings: UserSettings, connection: LearnerConnection, installer: Installer
    ) -> None:
        self._ui = ui
        self._settings = settings
        self._connection = connection
        self._installation = InstallationPanel(ui, installer, self._store, connection.close)
        ui.deviceBox.addItems([_("best available"), _("graphics card (CUDA)"), _("processor")])
        self._showChoice(settings.choice())
        ui.deviceBox.connect("activated(int)", self._store)
        for button in (ui.localButton, ui.remoteButton, ui.keepTokenBox):
            button.connect("clicked()", self._store)
        for edit in (ui.addressEdit, ui.tokenEdit):
            edit.connect("editingFinished()", self._store)
        ui.testButton.connect("clicked()", self._onTest)
        ui.forgetButton.connect("clicked()", self._onForget)

    def update(self) -> None:
        """Show whether there is something to run; imports nothing and starts nothing."""
        self._installation.update()

    def _showChoice(self, choice: LearnerChoice) -> None:
        ui = self._ui
        (ui.remoteButton if choice.isRemote else ui.localButton).checked = True
        ui.addressEdit.text, ui.tokenEdit.text = choice.address, choice.token
        ui.keepTokenBox.checked = self._settings.keepsToken
        ui.deviceBox.currentIndex = DEVICES.index(choice.device)
        self._installation.show(choice)
        self._showPlace()

    def _showPlace(self) -> None:
        self._ui.localWidget.visible = self._ui.localButton.checked
        self._ui.remoteWidget.visible = self._ui.remoteButton.checked

    def _store(self) -> None:
        ui = self._ui
        choice = LearnerChoice(
            isRemote=ui.remoteButton.checked,
            address=ui.addressEdit.text.strip(),
            token=ui.tokenEdit.text.strip(),
            device=DEVICES[ui.deviceBox.currentIndex],
            way=self._installation.way,
            program=self._installation.program,
        )
        self._settings.setChoice(choice, keepToken=ui.keepTokenBox.checked)
        ui.testLabel.text = ""
        self._showPlace()

    def _onTest(self) -> None:
        self._store()
        self._ui.testLabel.text = _("Trying…")
        try:
            self._connection.test(self._onTested, self._onFailed)
        except (InputError, LearnerError) as error:
            self._onFailed(error)

    def _onTested(self, found: Connection) -> None:
        self._ui.testLabel.text = found.sentence[:1].upper() + found.sentence[1:]
        if found.capabilities:
            weights = found.capabilities.weights
            line = _("Weights: {name}, licence {licence}").format(name=weights.name, licence=weights.licence)
            self._ui.licenceLabel.text = line

    def _onFailed(self, error: Exception) -> None:
        self._ui.testLabel.text = str(error)

    def _onForget(self) -> None:
        self._settings.forgetConsents()
