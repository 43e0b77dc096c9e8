"""The tutorial's volume: one of Slicer's own samples, also listed under this module's name in Sample Data."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

_NAME = "CTLiver"
_SHA256 = "e16eae0ae6fefa858c5c11e58f0f1bb81834d81b7102e021571056324ef6f37e"
_URI = f"https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/{_SHA256}"


def registerSample(thumbnail: str) -> None:
    """List the volume in the Sample Data module; `thumbnail` is a picture file. Downloads nothing."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="MetaSegment",
        sampleName="MetaSegmentCTLiver",
        thumbnailFileName=thumbnail,
        uris=_URI,
        fileNames=f"{_NAME}.nrrd",  # as Slicer itself calls it: people who have it download nothing
        checksums=f"SHA256:{_SHA256}",
        nodeNames=_NAME,
    )


def loadSample() -> slicer.vtkMRMLScalarVolumeNode:
    """Download (once) and load the volume; raises RuntimeError where that fails."""
    import SampleData

    nodes = SampleData.downloadSamples(_NAME)
    if not nodes or nodes[0] is None:  # SampleData logs why
        raise RuntimeError(_("It could not be downloaded: is this computer connected to the internet?"))
    return nodes[0]
