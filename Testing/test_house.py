"""The house: imports point downwards only, no circles, and no room knows what is not its business."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[1] / "MetaSegment"

#: Rooms and modules of the package, top to bottom: each may import what stands on a lower line.
FLOORS = """
    __main__
    cli
    cohort benchmark training
    service demo episodes
    segmenter
    agreement
    report
    strategies client pictures diagnosis
    transfer prompts wire export
    network
    anatomy manifest registration
    io
    measures task_labels
    learner knowledge installation
    annotation regrid task memory
    oblique progress structure grid
    volume segmentation fields objects
    layers relations
    errors
"""
#: Data and what Slicer's process loads of the package: numpy and the standard library alone at file scope.
PLAIN = (
    "client",
    "wire",
    "learner",
    "annotation",
    "volume",
    "structure",
    "objects",
    "task",
    "segmentation",
    "layers",
    "relations",
    "progress",
    "errors",
    "regrid",
    "installation",
)
#: The rooms of the Slicer side, top to bottom.
SLICER_FLOORS = ("panel", "work", "learner", "scene")
#: What Slicer's Python has from the start.
SLICERS_OWN = {"slicer", "qt", "ctk", "vtk", "vtkmodules", "numpy", "metasegment", "SampleData"}


def modules_of(package: str) -> dict[str, Path]:
    """Files of a package by the dotted name of the module."""
    found = {}
    for path in sorted((SOURCES / package).rglob("*.py")):
        parts = path.relative_to(SOURCES).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    assert found
    return found


def imports_of(module: str, path: Path, known: dict[str, Path], everywhere: bool = True) -> Iterator[str]:
    """Full names of what a module imports, in functions too unless only file scope is asked for."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    nodes = ast.walk(tree) if everywhere else iter(_at_file_scope(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{origin}.{alias.name}" if f"{origin}.{alias.name}" in known else origin


def _at_file_scope(tree: ast.Module) -> list[ast.stmt]:
    def is_for_types(node: ast.stmt) -> bool:
        return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)

    return [node for node in tree.body if not is_for_types(node)]


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_imports_of_the_package_point_downwards() -> None:
    floor = {name: level for level, line in enumerate(FLOORS.split("\n")) for name in line.split()}
    known, arrows = modules_of("metasegment"), 0
    for module, path in known.items():
        for target in imports_of(module, path, known):
            here, there = room_of(module), room_of(target)
            if target.split(".")[0] == "metasegment" and there and here and here != there:
                assert floor[there] > floor[here], f"{module} imports {target}, which stands above or beside it"
                arrows += 1
    assert arrows > 300


@pytest.mark.parametrize("package", ["metasegment", "MetaSegmentLib"])
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    known = modules_of(package)
    graph = {
        m: {t for t in imports_of(m, p, known, everywhere=False) if t in known and t != m} for m, p in known.items()
    }
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, f"a circle: {' -> '.join((*way[way.index(module) :], module))}"
        if module not in done:
            for target in graph[module]:
                visit(target, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())
    assert len(done) == len(known)


def test_rooms_of_the_slicer_side_import_downwards() -> None:
    known, arrows = modules_of("MetaSegmentLib"), 0
    for module, path in known.items():
        for target in imports_of(module, path, known):
            if target.startswith("MetaSegmentLib.") and room_of(target) != room_of(module):
                here, there = SLICER_FLOORS.index(room_of(module)), SLICER_FLOORS.index(room_of(target))
                assert there > here, f"{module} imports {target}, which stands above it"
                arrows += 1
    assert arrows > 50


def test_the_slicer_side_imports_no_learner_and_no_third_party_at_file_scope() -> None:
    known = modules_of("MetaSegmentLib")
    for module, path in known.items():
        roots = {name.split(".")[0] for name in imports_of(module, path, known)}
        assert not roots & {"torch", "monai"}, module
        at_scope = {name.split(".")[0] for name in imports_of(module, path, known, everywhere=False)}
        assert at_scope <= {*sys.stdlib_module_names, *SLICERS_OWN, "MetaSegmentLib"}, (module, at_scope)


@pytest.mark.parametrize("room", PLAIN)
def test_data_and_client_need_numpy_alone(room: str) -> None:
    known = modules_of("metasegment")
    mine = {m: p for m, p in known.items() if room_of(m) == room}
    assert mine
    for module, path in mine.items():
        at_scope = {name.split(".")[0] for name in imports_of(module, path, known, everywhere=False)}
        assert at_scope <= {*sys.stdlib_module_names, "numpy", "metasegment"}, (module, at_scope)


def test_only_the_network_room_knows_monais_networks() -> None:
    known = modules_of("metasegment")
    knowing = {room_of(m) for m, p in known.items() for name in imports_of(m, p, known) if "monai.networks" in name}
    assert knowing <= {"network", "benchmark"}  # the benchmark trains a plain U-Net of MONAI's as a peer
    assert "network" in knowing
