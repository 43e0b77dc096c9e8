"""Smooth surfaces of the structures to STL, OBJ and PLY: for printers, planning and 3D programs.

Coordinates are LPS mm, as Slicer writes and reads these formats since version 4.11; the header says so in its words.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..io.files import written_beside
from .mesh import smooth_surface
from .structures import Structures, file_names

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

# vtkMRMLModelStorageNode looks for "SPACE=LPS" in the comment of a file.
_HEADER = "MetaSegment. SPACE=LPS"


def write_surfaces(structures: Structures, path: Path) -> tuple[Path, ...]:
    """One file a structure with voxels, its name added to that of `path`: `out.stl` to `out_Liver.stl`.

    Raises InputError where VTK is not installed, nothing is segmented or a file cannot be written.
    """
    drawn = structures.drawn()
    files = {segment: path.with_name(f"{path.stem}_{name}{path.suffix}") for segment, name in file_names(drawn)}
    for segment, file in files.items():
        surface = smooth_surface(structures.mask(segment.label), structures.geometry.index_to_world)
        with written_beside(file) as draft:
            _write(surface, draft)
    return tuple(files.values())


def _write(surface: vtkPolyData, path: Path) -> None:
    from vtkmodules.vtkIOGeometry import vtkOBJWriter, vtkSTLWriter
    from vtkmodules.vtkIOPLY import vtkPLYWriter

    writer: vtkSTLWriter | vtkOBJWriter | vtkPLYWriter
    kind = path.suffix.lower()
    if kind == ".ply":
        writer = vtkPLYWriter()
        writer.AddComment(_HEADER)
    elif kind == ".stl":
        writer = vtkSTLWriter()
        writer.SetHeader(_HEADER)
        writer.SetFileTypeToBinary()
    else:
        writer = vtkOBJWriter()  # writes no comment; without one Slicer takes LPS
    writer.SetFileName(str(path))
    writer.SetInputData(surface)
    if not writer.Write() or not path.is_file():
        raise OSError("writing failed; is the disk full?")
