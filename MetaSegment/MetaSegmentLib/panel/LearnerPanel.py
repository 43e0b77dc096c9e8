"""Last section of the panel: where the learner runs, whether it can, and what it is. Stores what the user chooses."""

from __future__ import annotations

from types import SimpleNamespace

from slicer.i18n import tr as _

from metasegment.client import Connection, LearnerError
from metasegment.errors import InputError

from ..learner.Installer import Installer
from ..learner.LearnerChoice import DEVICES, LearnerChoice
from ..learner.LearnerConnection import LearnerConnection
from ..learner.UserSettings import UserSettings


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
        self._installer = installer
        ui.deviceBox.addItems([_("best available"), _("graphics card (CUDA)"), _("processor")])
        self._showChoice(settings.choice())
        ui.deviceBox.connect("activated(int)", self._store)
        for button in (ui.localButton, ui.remoteButton, ui.keepTokenBox):
            button.connect("clicked()", self._store)
        for edit in (ui.addressEdit, ui.tokenEdit):
            edit.connect("editingFinished()", self._store)
        ui.testButton.connect("clicked()", self._onTest)
        ui.installButton.connect("clicked()", self._onInstall)
        ui.forgetButton.connect("clicked()", self._onForget)

    def update(self) -> None:
        """Show what is installed; imports nothing and starts nothing."""
        missing, found = self._installer.missing(), self._installer.installed()
        names = ", ".join(missing)
        text = _("missing: {names}").format(names=names) if missing else _("installed, torch {version}")
        self._ui.installedLabel.text = text.format(version=found.get("torch"))
        self._ui.installedLabel.toolTip = "\n".join(f"{name} {version}" for name, version in found.items())
        self._ui.installButton.text = _("Install…") if missing else _("Check")

    def _showChoice(self, choice: LearnerChoice) -> None:
        ui = self._ui
        (ui.remoteButton if choice.isRemote else ui.localButton).checked = True
        ui.addressEdit.text, ui.tokenEdit.text = choice.address, choice.token
        ui.keepTokenBox.checked = self._settings.keepsToken
        ui.deviceBox.currentIndex = DEVICES.index(choice.device)
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

    def _onInstall(self) -> None:
        self._ui.installedLabel.text = _("Installing…")
        self._ui.installButton.enabled = False  # Slicer handles clicks while it waits for pip (logProcessOutput)
        try:
            self._installer.install(self._onInstalled)
        except (InputError, OSError, RuntimeError) as error:
            self._onInstalled(str(error))

    def _onInstalled(self, problem: str | None) -> None:
        self._ui.installButton.enabled = True
        self.update()
        if problem:
            self._ui.installedLabel.text = problem
        else:
            self._ui.installedLabel.text += " " + _("(all load)")

    def _onForget(self) -> None:
        self._settings.forgetConsents()
