"""What is published is whole, and by whom and what it is published is fixed; Testing/measure/publication.py does it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parents[2]
_PACKAGE = _REPOSITORY / "MetaSegment" / "metasegment"
_WORKFLOWS = sorted((_REPOSITORY / ".github" / "workflows").glob("*.yml"))


def test_every_data_file_of_the_package_is_in_the_wheel():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 has it")
    project = tomllib.loads((_REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["metasegment"]
    packed = {path for pattern in patterns for path in _PACKAGE.glob(pattern)}
    others = {path for path in _PACKAGE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert len(others) > 10
    assert sorted(map(str, others - packed - {_PACKAGE / "service" / "README.md"})) == []


@pytest.mark.parametrize("workflow", _WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_may_only_read_unless_a_job_says_more(workflow: Path):
    text = workflow.read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)", text)
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", each)] == []
    assert re.search(r"^permissions:\n  contents: read\n", text, re.MULTILINE)
    assert "write-all" not in text


def test_the_release_is_what_the_tag_says_and_was_tried_before():
    text = (_REPOSITORY / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    build = text[: text.index("  registry:")]
    assert "metasegment.__version__" in build
    assert "Testing/measure/publication.py" in build
    assert "Testing/measure/resolution.py" in build
    assert text.count("write") == 2  # a token for the registry, and the release itself
