"""The address of a service as a user types it, checked before anything is sent to it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..wire.messages import PREFIX
from .errors import SchemeMissing, WrongAddress

_PORT_ALONE = re.compile(r":\d+/?")


@dataclass(frozen=True)
class Address:
    """`base` is what paths of the protocol are appended to; `loopback` says that it never leaves this computer."""

    base: str
    host: str
    loopback: bool

    def __str__(self) -> str:
        return self.base

    @property
    def encrypted(self) -> bool:
        return self.base.startswith("https:")


def parse_address(given: str) -> Address:
    """Reads http(s)://host[:port][/folder]; raises WrongAddress, or SchemeMissing where http:// was left out.

    `:8470` is that port of this computer, and the protocol's own `/v1` at the end is not part of the folder. A user
    name or password in it is dropped: the token says who asks.
    """
    given = given.strip()
    if _PORT_ALONE.fullmatch(given):
        given = f"http://localhost{given}"
    if given and "://" not in given:
        raise SchemeMissing(given=given)
    try:
        parts = urlsplit(given)
        host, _ = parts.hostname, parts.port  # the port is checked when it is read
    except ValueError:
        raise WrongAddress(given=given) from None
    if parts.scheme not in ("http", "https") or not host or any(c.isspace() for c in given):
        raise WrongAddress(given=given)
    place = parts.netloc.rpartition("@")[2]
    folder = parts.path.rstrip("/").removesuffix(PREFIX).rstrip("/")
    return Address(f"{parts.scheme}://{place}{folder}", host, _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
