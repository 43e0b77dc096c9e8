"""Why a child process did not start or did not last, in words; repairs nothing."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

#: The oldest Python that MetaSegment runs on.
_OLDEST = (3, 10)
#: What the child imports beside the standard library.
_PACKAGES = ("numpy", "SimpleITK", "torch", "monai", "safetensors", "fastapi", "uvicorn")
#: For any Python from 3.4: its version, and which of the packages it cannot find.
_PROBE = """
import sys
from importlib.util import find_spec
print("%d %d" % sys.version_info[:2])
print(*[name for name in sys.argv[1:] if find_spec(name) is None])
"""
_PROBE_SECONDS = 30.0
#: Characters of the last words that are shown.
_SHOWN = 200


def why_not_started(python: str, environment: Mapping[str, str], code: int, words: Iterable[bytes]) -> str:
    """Tells why a child with this exit code and these lines on standard error did not start, and what to do."""
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        version, missing = _probe(python, environment)
        if version < _OLDEST:
            found, needed = (".".join(map(str, v)) for v in (version, _OLDEST))
            return f"it is Python {found} and MetaSegment needs {needed} or newer; choose another Python"
        if missing:
            return f"it lacks {', '.join(missing)}; install MetaSegment's packages for this Python"
    return end_in_words(code, words)


def end_in_words(code: int, words: Iterable[bytes]) -> str:
    """Tells how a process ended: its last words, or the signal that ended it."""
    if code == -getattr(signal, "SIGKILL", 9):
        return "the system ended it, most often for want of memory"
    if code < 0:
        return f"it crashed with signal {-code}"
    lines = [line.decode("utf-8", "replace").strip() for line in words]
    last = next((line for line in reversed(lines) if line), "")
    home = str(Path.home())  # holds the user's name
    return f"exit code {code}: {last.replace(home, '~')[:_SHOWN]}" if last else f"exit code {code}"


def _probe(python: str, environment: Mapping[str, str]) -> tuple[tuple[int, ...], list[str]]:
    done = subprocess.run(
        [python, "-c", _PROBE, *_PACKAGES],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",  # whatever the locale that Slicer's process has
        errors="replace",
        timeout=_PROBE_SECONDS,
        check=True,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    version, missing = done.stdout.splitlines()[-2:]
    return tuple(map(int, version.split())), missing.split()
