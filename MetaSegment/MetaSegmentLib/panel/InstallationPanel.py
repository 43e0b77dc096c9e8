"""The rows of the learner's section about its Python: which one, whether it works, and the buttons that see to that."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import qt
from slicer.i18n import tr as _

from metasegment.errors import Cancelled, InputError
from metasegment.installation.check import Findings

from ..learner.Installer import Installer
from ..learner.LearnerChoice import OTHER, OWN, WAYS, LearnerChoice


class InstallationPanel:
    """Install, repair, check, remove. Example::

    panel = InstallationPanel(ui, installer, onChosen=storeChoice, beforeChange=connection.close)
    panel.update()                       # when the module is entered

    `onChosen` hears of another way or path; `beforeChange` ends a learner whose files would be in use.
    """

    def __init__(
        self,
        ui: SimpleNamespace,
        installer: Installer,
        onChosen: Callable[[], None],
        beforeChange: Callable[[], None],
    ) -> None:
        self._ui = ui
        self._installer = installer
        self._onChosen = onChosen
        self._beforeChange = beforeChange
        self._isBusy = False
        ui.wayBox.addItems([_("its own (recommended)"), _("Slicer's"), _("another")])
        ui.wayBox.connect("activated(int)", self._onWay)
        ui.pythonEdit.connect("currentPathChanged(QString)", self._onPath)
        ui.installButton.connect("clicked()", lambda: self._install(""))
        ui.bundleButton.connect("clicked()", self._onBundle)
        ui.checkButton.connect("clicked()", self._onCheck)
        ui.uninstallButton.connect("clicked()", self._onRemove)
        ui.stopInstallButton.connect("clicked()", self._onStop)
        ui.learnerSection.connect("contentsCollapsed(bool)", self._onSection)

    def show(self, choice: LearnerChoice) -> None:
        """Show what was chosen."""
        self._ui.wayBox.currentIndex = WAYS.index(choice.way)
        self._ui.pythonEdit.currentPath = choice.program
        self.update()

    @property
    def way(self) -> str:
        """The way that is shown, one of WAYS."""
        return WAYS[self._ui.wayBox.currentIndex]

    @property
    def program(self) -> str:
        """The path of the user's own Python that is shown."""
        return str(self._ui.pythonEdit.currentPath).strip()

    def update(self) -> None:
        """Show what can be done; imports nothing and starts nothing."""
        ui, isThere = self._ui, self._installer.isThere
        ui.pythonEdit.visible = self.way == OTHER
        ui.installButton.text = _("Repair") if isThere else _("Install…")
        ui.installButton.visible = self.way != OTHER
        ui.bundleButton.visible = ui.uninstallButton.visible = self.way == OWN
        for button in (ui.installButton, ui.bundleButton, ui.wayBox):
            button.enabled = not self._isBusy
        for button in (ui.checkButton, ui.uninstallButton):
            button.enabled = isThere and not self._isBusy
        ui.installBar.visible = ui.stopInstallButton.visible = self._isBusy
        if not self._isBusy and not ui.installedLabel.text:
            ui.installedLabel.text = _("not tried yet") if isThere else _("not installed")

    def _onWay(self, index: int) -> None:
        self._say("")
        self._onChosen()
        self.update()

    def _onPath(self, path: str) -> None:
        self._onWay(0)

    def _onSection(self, isCollapsed: bool) -> None:
        """Whoever opens the section wants to know; trying takes seconds."""
        if not isCollapsed and self._installer.isThere and not self._isBusy:
            self._onCheck()

    def _onCheck(self) -> None:
        self._begin(_("Trying the packages…"))
        self._installer.check(self._onFound, self._onFailed)

    def _onBundle(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(None, _("Folder made by `metasegment bundle`"))
        if folder:
            self._install(folder)

    def _install(self, folder: str) -> None:
        self._begin(_("Installing…"))
        self._attempt(lambda: self._installer.install(folder, self._onProgress, self._onFound, self._onFailed))

    def _onRemove(self) -> None:
        self._begin(_("Removing…"))
        self._attempt(lambda: self._installer.remove(lambda done: self._end(_("not installed")), self._onFailed))

    def _attempt(self, change: Callable[[], None]) -> None:
        self._beforeChange()
        try:
            change()
        except Exception as error:  # whatever PyTorchUtils or pip raise: the buttons come back
            self._onFailed(error)

    def _onStop(self) -> None:
        self._installer.stop()
        self._say(_("Stopping…"))

    def _onProgress(self, stage: str, share: float) -> None:
        self._say(stage[:1].upper() + stage[1:])
        self._ui.installBar.value = round(100 * share)

    def _onFound(self, found: Findings) -> None:
        if found.is_well:
            text = _("ready: torch {torch}, Python {python}")
            self._end(text.format(torch=found.versions["torch"], python=found.versions["Python"]))
        else:
            self._end(_("needs repair: {what}").format(what=found.sentence))
        self._ui.installedLabel.toolTip = "\n".join(f"{name} {version}" for name, version in found.versions.items())

    def _onFailed(self, error: Exception) -> None:
        isExpected = isinstance(error, (InputError, Cancelled))
        self._end(str(error) if isExpected else f"{type(error).__name__}: {error}")

    def _begin(self, text: str) -> None:
        self._isBusy = True
        self._ui.installBar.value = 0
        self._say(text)
        self.update()

    def _end(self, text: str) -> None:
        self._isBusy = False
        self._say(text[:1].upper() + text[1:])
        self.update()

    def _say(self, text: str) -> None:
        self._ui.installedLabel.text = text
