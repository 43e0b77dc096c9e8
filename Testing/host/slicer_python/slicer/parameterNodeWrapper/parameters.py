"""One typed parameter: how it is stored in the node, what it may be; knows no widget."""

from __future__ import annotations

import typing
from enum import Enum
from pathlib import PurePath

import slicer

from .annotations import Default


def nodeTypes(kind):
    """Node classes that the type allows; empty for a type that is no node."""
    kinds = typing.get_args(kind) if typing.get_origin(kind) is typing.Union else (kind,)
    nodes = [each for each in kinds if isinstance(each, type) and issubclass(each, slicer.vtkMRMLNode)]
    others = [each for each in kinds if each not in nodes and each is not type(None)]
    return [] if others else nodes


class Parameter:
    """One typed parameter: how it is stored in the node, its default and its limits."""

    def __init__(self, name, annotated, default):
        self.basename, self.unalteredType = name, annotated
        self.kind, *self.notes = typing.get_args(typing.Annotated[annotated, None])[:-1]
        self.nodes = nodeTypes(self.kind)
        self.isEnum = isinstance(self.kind, type) and issubclass(self.kind, Enum)
        self.isPath = isinstance(self.kind, type) and issubclass(self.kind, PurePath)
        if not (self.nodes or self.isEnum or self.isPath or self.kind in (bool, int, float, str)):
            raise Exception(f"Unable to create serializer for type: {self.kind}")
        noted = self.note(Default)
        self.default = default if default is not None else Default(noted.value if noted else self._empty())

    def note(self, kind):
        return next((each for each in self.notes if isinstance(each, kind)), None)

    def _empty(self):
        if self.nodes:
            return None
        return next(iter(self.kind)) if self.isEnum else self.kind()

    def validate(self, value):
        if self.nodes:
            if value is not None and not isinstance(value, tuple(self.nodes)):
                raise TypeError(f"Value {value!r} is not of type {self.nodes}")
            return
        if value is None:
            raise ValueError("Value must not be None")
        if not isinstance(value, (int, float) if self.kind is float else self.kind):
            raise TypeError(f"Value {value!r} is not of type {self.kind}")
        for each in self.notes:
            if hasattr(each, "validate"):
                each.validate(value)

    def write(self, node, name, value):
        self.validate(value)
        if self.nodes:
            node.SetParameter(name, "")
            node.SetNodeReferenceID(name, value.GetID() if value is not None else None)
        else:
            node.SetParameter(name, value.name if self.isEnum else str(value))

    def read(self, node, name):
        if not node.HasParameter(name):  # closing the scene empties the node
            self.write(node, name, self.default.value)
        if self.nodes:
            return node.GetNodeReference(name)
        text = node.GetParameter(name)
        if self.isEnum:
            return self.kind[text]
        return text == "True" if self.kind is bool else self.kind(text)
