"""Whether a Python can run the learner: tries every import in it. Trusts no list of what is installed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .requirements import module_of, package_of, requirements

#: Seconds in which everything is imported: a minute from a cold network drive, more on a machine that is busy.
_PATIENCE = 600
#: Run by the Python that is checked; tells in its last line the versions, and by package what is wrong.
_PROBE = """
import importlib, importlib.metadata, json, sys
versions, broken = {"Python": "%d.%d.%d" % sys.version_info[:3]}, {}
for text, package, module in json.loads(sys.argv[1]):
    try:
        if importlib.import_module(module).__file__ is None:  # a folder without its files passes for a package
            raise ImportError("its files are missing")
        versions[package] = importlib.metadata.version(package)
        from packaging.requirements import Requirement
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate():
            if not wanted.specifier.contains(versions[package], prereleases=True):
                broken[package] = "it is %s, needed is %s" % (versions[package], wanted.specifier)
    except ImportError as error:
        broken[package] = str(error) or type(error).__name__
    except BaseException as error:
        broken[package] = "%s: %s" % (type(error).__name__, error)
print(json.dumps([versions, broken]))
"""


@dataclass(frozen=True)
class Findings:
    """Versions by package of what loads, that of Python among them; and what is wrong by package, in a few words."""

    versions: dict[str, str]
    broken: dict[str, str]

    @property
    def is_well(self) -> bool:
        """Whether the learner would start."""
        return not self.broken

    @property
    def sentence(self) -> str:
        """What is wrong, with the first reason; nothing where all is well."""
        if self.is_well:
            return ""
        package, reason = next(iter(self.broken.items()))
        others = f" and {len(self.broken) - 1} more" if len(self.broken) > 1 else ""
        return f"{package}{others} cannot be used ({' '.join(reason.split())[:200]})"


def check(python: str | Path, variables: Mapping[str, str], wanted: Sequence[str] = requirements()) -> Findings:
    """Tries the imports of what is wanted in a Python, under these environment variables; takes seconds."""
    asked = [(text, package_of(text), module_of(package_of(text))) for text in wanted]
    try:
        done = subprocess.run(
            [str(python), "-c", _PROBE, json.dumps(asked)],
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # PythonSlicer.exe would open a console
        )
    except FileNotFoundError:
        return Findings({}, {"Python": "it is not there"})
    except subprocess.TimeoutExpired:
        return Findings({}, {"Python": f"it has not answered within {_PATIENCE} seconds"})
    except OSError as error:
        return Findings({}, {"Python": error.strerror or str(error)})
    try:
        versions, broken = json.loads((done.stdout.splitlines() or [""])[-1])
    except ValueError:  # it crashed, or is no Python of today
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return Findings({}, {"Python": last})
    return Findings(versions, broken)
