"""`sender.connect("clicked()", f)` and `disconnect` as PythonQt has them; knows nothing of particular widgets.

A signal is named by its C++ signature, which has to exist; the callable gets as many arguments as the signature has and
as it can take. Follows PythonQt's PythonQtSignalReceiver.cpp: functions and methods are cut, other callables get all.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6 import QtCore

_adapters: dict[
    int, dict[tuple[str, Callable], Callable]
] = {}  # by address of the sender; emptied when it is destroyed


def connect(sender: Any, signature: str, target: Callable) -> bool:
    """Calls `target` whenever the signal is emitted; ValueError where the sender has no such signal."""
    signal, count = _signal(sender, signature)
    adapter = _adapter(target, count)
    address = shiboken6.getCppPointer(sender)[0]
    if address not in _adapters:
        _adapters[address] = {}
        sender.destroyed.connect(lambda *_: _adapters.pop(address, None))
    _adapters[address][(signature, target)] = adapter
    signal.connect(adapter)
    return True


def disconnect(sender: Any, signature: str, target: Callable) -> bool:
    """Ends a connection made by `connect`; False where there was none, as QObject::disconnect says it."""
    signal, _ = _signal(sender, signature)
    adapter = _adapters.get(shiboken6.getCppPointer(sender)[0], {}).pop((signature, target), None)
    if adapter is None:
        return False
    signal.disconnect(adapter)
    return True


def forget(sender: Any) -> None:
    """Ends all connections from this sender: the application object outlives the modules of one test."""
    for signature, target in list(_adapters.get(shiboken6.getCppPointer(sender)[0], {})):
        disconnect(sender, signature, target)


def cut(target: Callable, arguments: tuple) -> tuple:
    """As many of the arguments as the callable can take."""
    code = getattr(inspect.unwrap(target), "__code__", None)
    if code is None or code.co_flags & inspect.CO_VARARGS:
        return arguments
    bound = 1 if inspect.ismethod(target) else 0
    return arguments[: code.co_argcount - bound]


def _adapter(target: Callable, count: int) -> Callable:
    def call(*arguments: Any) -> None:
        target(*cut(target, arguments[:count]))

    return call


def _signal(sender: Any, signature: str) -> tuple[Any, int]:
    """The bound signal behind a C++ signature, and how many arguments the signature has."""
    name, _, rest = signature.partition("(")
    types = [each for each in rest.rstrip(")").split(",") if each.strip()]
    declared = _declared_signals(type(sender))
    normalized = bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()
    if normalized in declared:
        return getattr(sender, declared[normalized]), len(types)
    index = sender.metaObject().indexOfSignal(normalized)
    if index < 0 or not rest.endswith(")"):
        raise ValueError(f"{type(sender).__name__} has no signal '{signature}'")
    signal = getattr(sender, name)
    method = sender.metaObject().method(index)
    full = ",".join(bytes(each.data()).decode() for each in method.parameterTypes())
    overload = f"{name}({full})"
    return _overload(signal, overload), len(types)


def _overload(signal: Any, overload: str) -> Any:
    try:
        return signal[overload[overload.index("(") + 1 : -1]]
    except (KeyError, IndexError, TypeError):
        return signal


def _declared_signals(kind: type) -> dict[str, str]:
    """C++ signatures of a stand-in's signals, each with the name of the PySide6 signal that plays it."""
    signals: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        signals.update(vars(each).get("_signals", {}))
    return signals
