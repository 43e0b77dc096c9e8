"""Typed access to a parameter node, bound to widgets; a subset of Slicer's Base/Python/slicer/parameterNodeWrapper.

Types: bool, int, float, str, pathlib.Path, Enum, MRML nodes and their typing.Union with None. No lists, dictionaries,
packs or created GUIs: a type outside the subset raises. What is stored in the node is what the real package stores.
"""

from .annotations import Choice, Decimals, Default, Maximum, Minimum, SingleStep, WithinRange
from .wrapper import (
    SlicerParameterNamePropertyName,
    findChildWidgetForParameter,
    isParameterNodeWrapper,
    parameterNodeWrapper,
)

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Maximum",
    "Minimum",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "WithinRange",
    "findChildWidgetForParameter",
    "isParameterNodeWrapper",
    "parameterNodeWrapper",
]
