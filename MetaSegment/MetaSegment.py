"""Entry of the module MetaSegment: what Slicer loads. Everything else is in MetaSegmentLib."""

from __future__ import annotations

import sys

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)


class MetaSegment(ScriptedLoadableModule):
    """What Slicer reads at start-up."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "MetaSegment"
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "SegmentEditor"]
        parent.contributors = ["MetaSegment contributors"]
        parent.helpText = (
            _(
                "Draw any structure completely on a few slices, in any plane, and get the whole 3D segmentation. "
                "Correct a slice and segment again; accept when it is right."
            )
            + self.getDefaultModuleDocumentationLink()
        )
        parent.acknowledgementText = _("Not a medical device: check every result before it is used.")
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def onStartupCompleted(self):
        """List the tutorial's volume in Sample Data."""
        from MetaSegmentLib.scene.SampleVolume import registerSample

        registerSample(self.resourcePath("Icons/MetaSegment.png"))


class MetaSegmentWidget(ScriptedLoadableModuleWidget):
    """The panel's life."""

    def setup(self):
        """Make the panel; installs, starts and sends nothing."""
        super().setup()
        from MetaSegmentLib.panel.Widget import Widget

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MetaSegment.ui"))
        self.layout.addWidget(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = MetaSegmentLogic()
        self.widget = Widget(slicer.util.childWidgetVariables(uiWidget), self.logic.parameters)

    def enter(self):
        self.widget.enter()

    def exit(self):
        self.widget.exit()

    def cleanup(self):
        self.widget.close()

    def onReload(self):
        """Load the library anew too: Slicer itself reloads this file alone."""
        for name in [name for name in sys.modules if name.split(".")[0] == "MetaSegmentLib"]:
            del sys.modules[name]
        super().onReload()


class MetaSegmentLogic(ScriptedLoadableModuleLogic):
    """The parameters in the scene."""

    def parameters(self):
        """Typed access to the module's parameter node."""
        from MetaSegmentLib.scene.Parameters import Parameters

        return Parameters(self.getParameterNode())


class MetaSegmentTest(ScriptedLoadableModuleTest):
    """What Slicer's Reload and Test runs; the real tests are in the repository's Testing folder."""

    def runTest(self):
        slicer.mrmlScene.Clear(0)
        self.test_drawn_slices_become_a_request()

    def test_drawn_slices_become_a_request(self):
        """A structure drawn on two slices reaches the learner's annotation on the volume's grid."""
        import numpy as np

        from metasegment.segmentation import Budget
        from MetaSegmentLib.scene.SegmentationOf import segmentationOf
        from MetaSegmentLib.work.Session import Session
        from MetaSegmentLib.work.SliceEntry import SliceState

        voxels = np.random.default_rng(0).integers(0, 100, (8, 20, 24)).astype(np.int16)
        volume = slicer.util.addVolumeFromArray(voxels, name="Test")
        segmentation = segmentationOf(volume)
        segment = segmentation.GetSegmentation().AddEmptySegment("", "Structure")
        mask = np.zeros(voxels.shape, np.uint8)
        mask[[2, 5], 5:15, 5:15] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, segment, volume)
        session = Session(volume, segmentation)
        for k in (2, 5):
            session.slices.mark((0, k), SliceState.DONE)
        annotation = session.segmentRequest(Budget()).annotation
        session.release()
        self.assertEqual(int((annotation.labels == 1).sum()), int(mask.sum()))
        self.assertEqual([plane.index for plane in annotation.slices], [2, 5])
