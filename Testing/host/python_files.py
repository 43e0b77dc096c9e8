"""Where `slicer.ScriptedLoadableModule` and its siblings come from: Slicer's own files if given, else the host's.

Slicer's own lie in Base/Python/slicer of its sources; name that folder in METASEGMENT_SLICER_PYTHON.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import slicer

_INSTALLED = list(slicer.__path__)  # slicer-core's own folder
_HOSTS = Path(__file__).parent / "slicer_python" / "slicer"
_NAMES = ("i18n", "packaging", "parameterNodeWrapper", "ScriptedLoadableModule")
_MODULES = str(Path(__file__).parent / "slicer_python" / "modules")  # scripted modules that others import


def put_on_path(slicers_own: Path | None) -> None:
    """Makes `import slicer.…` find the files anew: slicer-core's, then Slicer's own where given, then the host's."""
    folders = [slicers_own, _HOSTS] if slicers_own else [_HOSTS]
    slicer.__path__ = [*_INSTALLED, *map(str, folders)]
    for loaded in [name for name in sys.modules if name.startswith(tuple(f"slicer.{each}" for each in _NAMES))]:
        del sys.modules[loaded]
    if _MODULES not in sys.path:
        sys.path.append(_MODULES)
    for name in _NAMES:
        importlib.import_module(f"slicer.{name}")
