"""What the panel keeps in the scene, saved and loaded with it. Settings of the user's computer are elsewhere."""

from types import SimpleNamespace
from typing import Annotated, Any

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import SlicerParameterNamePropertyName, WithinRange, parameterNodeWrapper

from metasegment.segmentation import Budget

from .Preview import DEFAULT_FILL, DEFAULT_OPACITY


@parameterNodeWrapper
class Parameters:
    """Typed access to the module's parameter node. Example::

    parameters = Parameters(logic.getParameterNode())
    parameters.volume = volumeNode
    tag = connectWidgets(parameters, ui)       # widgets whose dynamic property SlicerParameterName names one
    parameters.disconnectGui(tag)
    """

    volume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    automatic: bool = False  #: update after each finished slice
    seconds: Annotated[float, WithinRange(1, 120)] = Budget().seconds  #: that adapting may take
    visible: bool = True  #: of the preview, as the following
    surfaces: bool = False
    uncertainty: bool = False
    opacity: Annotated[float, WithinRange(0, 1)] = DEFAULT_OPACITY
    fill: Annotated[float, WithinRange(0, 1)] = DEFAULT_FILL
    task: str = ""  #: what was taught, as TaskText has it


def connectWidgets(parameters: Any, ui: SimpleNamespace) -> object:
    """What `parameters.connectGui(ui)` does, and the tag that ends it, which Slicer's own loses (Slicer issue 7547)."""
    named = {widget.property(SlicerParameterNamePropertyName): widget for widget in vars(ui).values()}
    return parameters.connectParametersToGui({name: widget for name, widget in named.items() if name})
