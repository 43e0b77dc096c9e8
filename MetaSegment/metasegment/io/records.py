"""JSON text <-> frozen dataclasses, by their type hints; whatever does not fit is refused in one sentence.

Knows no message. Keys that a dataclass lacks are skipped, so that either end may learn new ones first.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from functools import cache
from operator import methodcaller
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

_T = TypeVar("_T")
_IN_WORDS = {str: "text", int: "a whole number", bool: "true or false"}


class FormatError(ValueError):
    """What arrived is not what the protocol says. The message is one sentence, with no text that came."""


def require(condition: object, sentence: str) -> None:
    """Raises FormatError with the sentence unless the condition holds."""
    if not condition:
        raise FormatError(sentence)


def to_json(record: Any, without: Collection[str] = ()) -> str:
    """Returns a dataclass instance as canonical JSON: keys sorted, no spaces, ASCII; equal texts mean equal records.

    The fields `without` are left out: those that have their default.

    Raises FormatError for NaN and infinity, which JSON has not.
    """
    try:
        # numpy's numbers become Python's.
        plain = methodcaller("item")
        told = {name: value for name, value in asdict(record).items() if name not in without}
        return json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False, default=plain)
    except ValueError:
        raise FormatError(f"{type(record).__name__} holds a number that is NaN or infinite") from None


def from_json(kind: type[_T], text: bytes | bytearray | str) -> _T:
    """Builds the dataclass `kind` from JSON (UTF-8); the caller bounds the length of the text.

    Raises FormatError where the text is not JSON, names a key twice, nests too deep, or a value has another type than
    its field or is out of range.
    """
    record: _T = fitted(parsed(text), kind, kind.__name__)
    return record


def parsed(text: bytes | bytearray | str) -> Any:
    """JSON as plain Python values; raises FormatError for what is not strict JSON in UTF-8 with each key once."""
    try:
        text = text if isinstance(text, str) else str(text, "utf-8")
        return json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, FormatError) else FormatError("the text is not JSON in UTF-8") from None


def fitted(value: Any, hint: Any, where: str) -> Any:
    """Plain values as a type hint wants them; raises FormatError, with the name `where`, for what does not fit."""
    origin, inner = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return _as_record(value, hint, where)
    if origin in (Union, types.UnionType):
        return None if value is None else fitted(value, inner[0], where)  # of unions, only `X | None` is in use
    if origin is Literal:
        require(isinstance(value, str) and value in inner, f"{where} must be one of {', '.join(inner)}")
        return value
    if origin is tuple:
        return _as_tuple(value, inner, where)
    if origin is dict:
        require(isinstance(value, dict), f"{where} must be an object")
        return {fitted(key, str, where): fitted(item, inner[1], f"{where}[...]") for key, item in value.items()}
    if hint is float:
        return _as_float(value, where)
    require(type(value) is hint, f"{where} must be {_IN_WORDS[hint]}")
    require(hint is not str or _is_unicode(value), f"{where} holds half a character")
    return value


def _as_record(value: Any, kind: Any, where: str) -> Any:
    require(isinstance(value, dict), f"{where} must be an object")
    hints = _hints(kind)
    arguments = {}
    for field in fields(kind):
        if field.name in value:
            arguments[field.name] = fitted(value[field.name], hints[field.name], f"{where}.{field.name}")
        else:
            optional = field.default is not MISSING or field.default_factory is not MISSING
            require(optional, f"{where}.{field.name} is missing")
    return kind(**arguments)


def _as_tuple(value: Any, inner: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    require(isinstance(value, list), f"{where} must be a list")
    if inner[1:] == (...,):
        inner = (inner[0],) * len(value)
    require(len(value) == len(inner), f"{where} must have {len(inner)} entries")
    return tuple(fitted(item, hint, f"{where}[{n}]") for n, (item, hint) in enumerate(zip(value, inner, strict=True)))


def _as_float(value: Any, where: str) -> float:
    require(type(value) in (int, float), f"{where} must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    require(math.isfinite(number), f"{where} must be finite")
    return number


def _is_unicode(text: str) -> bool:
    """Lone surrogates pass JSON as escapes, but can be neither printed nor sent on."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    require(len(table) == len(pairs), "a key appears twice in one JSON object")
    return table


def _no_constant(name: str) -> NoReturn:
    raise FormatError(f"{name} is not JSON")


@cache
def _hints(kind: Callable[..., Any]) -> Mapping[str, Any]:
    return get_type_hints(kind)
