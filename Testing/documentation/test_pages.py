"""The pages for users, held to the code: their commands run, in order, and what they name is there.

Blocks marked `sh` are run as they stand, each page in a folder of its own, with the released weights. What needs a GPU
host, root or the user's own data is marked `console`; of that, and of the READMEs, the options are checked.
"""

from __future__ import annotations

import ast
import csv
import importlib
import re
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from helpers.lessons import short_lessons

from metasegment.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = REPOSITORY / "MetaSegment"
USERS = REPOSITORY / "Resources" / "Documentation"
README = REPOSITORY / "README.md"
PAGES = sorted(USERS.glob("*.md"))
ALL = [README, SOURCES / "metasegment" / "service" / "README.md", *PAGES]
#: Of a block: run; options checked; checked otherwise or not at all.
LANGUAGES = ("sh", "console", "ini", "python", "text")
#: Files that commands write; of source code; a suffix alone names a format.
RESULT = re.compile(r"\w[\w/.-]*\.(?:seg\.nrrd|nrrd|nii\.gz|csv|html|stl|metasegment)")
CODE = re.compile(r"\w[\w/.-]*\.(?:py|toml|md)")
#: Pages on which nothing is typed.
WITHOUT_COMMANDS = ("radiologist.md", "glossary.md", "changes.md", "method.md")
#: Commands that spend time on adapting; here they get none.
ADAPTING = ("segment", "apply")


def named(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def blocks_of(page: Path) -> list[tuple[str, str]]:
    """Language and text of the fenced blocks."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def prose_of(page: Path) -> str:
    return re.sub(r"^```\w*\n.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def lines_of(block: str) -> list[list[str]]:
    """The words of each command, without comments."""
    return [words for line in block.replace("\\\n", " ").splitlines() if (words := shlex.split(line, comments=True))]


@dataclass(frozen=True)
class Followed:
    """What a reader has who did what a page says."""

    page: Path
    folder: Path
    printed: str


@pytest.fixture(scope="module", params=[page for page in PAGES if "```sh" in page.read_text()], ids=named)
def followed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Followed:
    folder = tmp_path_factory.mktemp(request.param.stem)
    commands = [words for language, text in blocks_of(request.param) if language == "sh" for words in lines_of(text)]
    with pytest.MonkeyPatch.context() as patch, short_lessons(), redirect_stdout(StringIO()) as out:
        patch.chdir(folder)
        for words in commands:
            run(words)
    return Followed(request.param, folder, out.getvalue())


def run(words: list[str]) -> None:
    """One command of a page; a package that is not installed here skips the page."""
    program, command, *rest = words
    assert program == "metasegment", f"{' '.join(words)}: only metasegment's own commands are run"
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with redirect_stderr(StringIO()) as err:
        code = main([command, *rest, *(["--seconds", "0"] if command in ADAPTING else [])])
    for number, handler in before.items():  # a command takes them over
        signal.signal(number, handler)
    if "pip install" in err.getvalue():
        pytest.skip(err.getvalue().strip())
    assert code == 0, f"{' '.join(words)}: {err.getvalue()}"


def test_the_commands_leave_the_files_that_the_page_names(followed: Followed) -> None:
    names = [code for code in codes_of(followed.page) if RESULT.fullmatch(code)]
    assert names
    for name in names:
        assert list(followed.folder.rglob(name)), name


def test_the_page_explains_what_is_printed_and_each_column_of_the_report(followed: Followed) -> None:
    words = prose_of(followed.page).lower()
    for said in ("estimated dice", "familiarity"):
        assert said in followed.printed.lower()
        assert said in words
    with (followed.folder / "results" / "report.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["case"] for row in rows} == {"patient-1", "patient-2", "patient-3"}
    assert not any(row["failure"] for row in rows)
    assert set(rows[0]) <= set(codes_of(followed.page))


def codes_of(page: Path) -> list[str]:
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose_of(page))]


# What is written without being run


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_readme_leads_to_the_page_and_every_block_says_what_it_is(page: Path) -> None:
    assert f"]({named(page)}" in README.read_text(encoding="utf-8")
    assert {language for language, _ in blocks_of(page)} <= set(LANGUAGES)


@pytest.mark.parametrize("page", ALL, ids=named)
def test_every_option_exists(page: Path, help_of: Callable[[str], set[str]]) -> None:
    shown = [(command, rest) for text in commands_in(page) for command, rest in calls_in(text)]
    assert shown or page.name in WITHOUT_COMMANDS
    for command, rest in shown:
        assert set(re.findall(r"--[a-z][a-z-]*", rest)) <= help_of(command), f"metasegment {command} {rest}"


def commands_in(page: Path) -> Iterator[str]:
    """Lines of blocks, what continues a line beside it, and code in the prose."""
    for language, text in blocks_of(page):
        if language not in ("python", "text"):
            yield from re.sub(r"\\?\n[ \t]+", " ", text).splitlines()
    yield from codes_of(page)


def calls_in(line: str) -> Iterator[tuple[str, str]]:
    """Command and options of each `metasegment` in a line."""
    for part in re.split(r"&&|;|#", line):
        if found := re.search(r"(?:^|[ /=])metasegment ([a-z]+)\b(.*)", part):
            yield found[1], found[2]


@pytest.fixture(scope="module")
def help_of() -> Callable[[str], set[str]]:
    """The options of a command, by its own help."""

    def ask(command: str) -> set[str]:
        with redirect_stdout(StringIO()) as out, pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0, f"metasegment {command} is no command"
        return set(re.findall(r"--[a-z][a-z-]*", out.getvalue()))

    return ask


@pytest.mark.parametrize("page", ALL, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if target.startswith("https://"):
            continue
        path, _, heading = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), target
        if heading:
            assert heading in map(anchor_of, re.findall(r"^#+ (.+)$", prose_of(place), re.MULTILINE)), target


def anchor_of(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", ALL, ids=named)
def test_every_source_file_that_is_named_exists(page: Path) -> None:
    for name in (code for code in codes_of(page) if CODE.fullmatch(code)):
        assert (REPOSITORY / name).is_file() or list(SOURCES.rglob(name)), name


@pytest.mark.parametrize("page", ALL, ids=named)
def test_python_on_the_page_parses_and_its_imports_exist(page: Path) -> None:
    for text in (text for language, text in blocks_of(page) if language == "python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names)


def test_every_button_that_the_radiologist_is_told_of_is_in_the_panel() -> None:
    panel = ElementTree.parse(SOURCES / "Resources" / "UI" / "MetaSegment.ui")
    texts = {plain(element.text or "") for element in panel.iter("string")}
    library = "".join(path.read_text(encoding="utf-8") for path in (SOURCES / "MetaSegmentLib").rglob("*.py"))
    texts |= {plain(text) for text in re.findall(r'\b_\("([^"]+)"\)', library)}
    told = re.findall(r"\*\*([^*]+)\*\*", (USERS / "radiologist.md").read_text(encoding="utf-8"))
    assert len(told) > 15
    assert {plain(text) for text in told} <= texts


def plain(text: str) -> str:
    """A label on one line, without its shortcut's mark and its dots."""
    return " ".join(text.replace("&", "").rstrip("…").lower().split())
