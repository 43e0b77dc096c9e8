"""What uv and pip say when they fail, as one sentence that tells what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Beginnings of reasons by what is looked for in the output; the first that fits is told.
_REASONS = (
    (r"No space left|os error 28|os error 112", "the disk is full: free some space and press Repair"),
    (r"os error 206|name too long", "a path is too long for this system: ask for long paths to be switched on"),
    (
        r"\b407\b|Proxy Authentication",
        "the proxy wants a name and password: set HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT and start Slicer anew",
    ),
    (r"tunnel error|ProxyError|Cannot connect to proxy", "the proxy does not let this through: ask its administrator"),
    (
        r"certificate|UnknownIssuer|CERTIFICATE_VERIFY_FAILED",
        "the certificate of {host} is not trusted here: have your organisation's certificate installed in this system",
    ),
    (
        r"No interpreter found|No Python|python-build-standalone",
        "no Python from 3.10 to 3.13 was found and none could be fetched: install one, or install from a folder",
    ),
    (
        r"dns error|error sending request|Connection refused|timed out|Network is unreachable|from versions: none",
        "{host} cannot be reached: check the network, name a proxy in HTTPS_PROXY, or install from a folder",
    ),
    (r"\b(40[134]|5\d\d)\b.*(http|for url)", "{host} refuses: try again later, or install from a folder"),
    (r"Permission denied|Access is denied|os error 13\b|os error 5\b", "a file cannot be written or is in use: {last}"),
    (r"No solution found|No matching distribution", "not every package exists for this computer: {last}"),
)
_LONGEST = 240


def explain(lines: Iterable[str]) -> str:
    """The reason of a failure from the lines that were printed, most important first."""
    words = [line.strip() for line in lines if line.strip()]
    text = "\n".join(words)
    host = re.search(r"https?://(?:[^@/\s]*@)?([^/\s:]+)", text)
    last = next((re.sub(r"^(error|cause|ERROR):\s*", "", line) for line in words if "error" in line.lower()), "")
    fitting = (told for pattern, told in _REASONS if re.search(pattern, text, re.IGNORECASE))
    sentence = next(fitting, "{last}")
    said = sentence.format(host=host[1] if host else "the package index", last=last or (words or ["no reason"])[-1])
    return said[:_LONGEST]
