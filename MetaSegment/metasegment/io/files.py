"""Writing a file so that nothing half-written is ever seen: beside its place first, renamed when complete.

Knows nothing of what is written.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError

#: The beginning of the names of hidden folders with drafts.
DRAFTS = ".metasegment-"
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """Yield a draft path with the same file name; it takes the place of `path` when the block ends well.

    The draft lies in a hidden folder next to `path` (a rename across disks would not be atomic), which is
    removed in any case. Raises InputError where the folder is absent or not writable, or the disk is full.
    """
    path = Path(path)
    try:
        if not path.parent.is_dir():
            raise InputError(f"cannot write {path}: the folder {path.parent} does not exist; create it first")
        if path.is_dir():
            raise InputError(f"cannot write {path}: it is a folder; give a file name")
        target = path.resolve() if path.is_symlink() else path  # a link stays one
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=DRAFTS) as hidden:
            draft = Path(hidden) / path.name
            yield draft
            _flush(draft)
            draft.replace(target)
    except OSError as error:
        raise InputError(f"cannot write {path}: {_reason(error, path.parent)}") from error


def _flush(draft: Path) -> None:
    """A disk that fills up late reports it here, before the rename."""
    with draft.open("rb+") as file:
        os.fsync(file.fileno())


def _reason(error: OSError, folder: Path) -> str:
    if error.errno in _OUT_OF_SPACE:
        return f"no space left on the disk of {folder}; free some or choose another folder"
    if error.errno in _FORBIDDEN:
        return f"no permission to write in {folder}; choose another folder"
    return error.strerror or str(error)
