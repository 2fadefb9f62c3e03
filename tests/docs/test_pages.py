"""The Python, files and commands of the pages run and give the output shown, and links lead to pages that exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.cli.app import main
from experiments.docs_build.cli_reference import PAGES as GENERATED
from hardware.cluster.queues import QUEUES
from tests.support.doc_pages import (
    NOTEBOOK_PAGES,
    PAGES,
    ROOT,
    blocks,
    check_command,
    command_lines,
    execute_page,
    is_synopsis,
    link_targets,
    run_block,
    text_of,
    write_block,
)
from tests.support.sweep_tables import drawn, manifest, write

WRITTEN = [page for page in PAGES if not page.startswith(NOTEBOOK_PAGES)]
WITH_CODE = [
    page for page in WRITTEN if any(block.language in ("python", "console") for block in blocks(text_of(page)))
]
CHEAP = (
    r"asara scenarios",
    r"asara explain( [a-z_]+)?",
    r"asara kernels report",
    r"asara fit --published",
    r"asara run toy-\S+( --(set|seed|out) [\w.=/-]+)*( --json)?",
    r"asara run \S+ --engine fluid",
    r"asara policies toy-\S+( --policy \S+){2} --seeds 2",
)
"""Commands that take a second or two, and are therefore run."""


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder with a finished sweep in out/quick, as a reader of a page would."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    names = dict(QUEUES)
    levels = {"training__required": [False, True]}
    table = drawn(16, levers=levels)
    write(tmp_path / "out" / "quick", table, manifest(table.num_rows, points=16, levers=list(levels), base={}))
    yield tmp_path
    QUEUES.clear()
    QUEUES.update(names)


@pytest.mark.parametrize("page", WITH_CODE)
def test_page_code_executed_gives_the_shown_output(page, reader):
    text = text_of(page)
    assert execute_page(page, text, reader) == text, f"check the change, then run `python -m tests.docs.renew {page}`"


@pytest.mark.parametrize("page", [page for page in PAGES if command_lines(text_of(page))])
def test_page_command_has_existing_arguments(page):
    for line in command_lines(text_of(page)):
        check_command(line)


def cheap(page: str) -> list[str]:
    return [line for line in command_lines(text_of(page)) if any(re.fullmatch(each, line) for each in CHEAP)]


@pytest.mark.parametrize("page", [page for page in WRITTEN if cheap(page)])
def test_page_command_of_low_cost_succeeds(page, reader, capsys):
    for block in blocks(text_of(page)):
        write_block(block, reader)
    for line in cheap(page):
        assert main(shlex.split(line)[1:]) == 0, f"{line}: {capsys.readouterr().err}"


@pytest.mark.parametrize("page", PAGES)
def test_page_link_leads_to_an_existing_file_and_heading(page):
    missing = [target for target in link_targets(text_of(page)) if not _exists(page, target)]
    assert missing == []


def _exists(page: str, target: str) -> bool:
    file, _, heading = target.partition("#")
    path = (ROOT / page).parent / file if file else ROOT / page
    if not path.exists():
        return False
    return not heading or heading in {_anchor(line) for line in path.read_text(encoding="utf-8").splitlines()}


def _anchor(line: str) -> str:
    """Return the name of a heading in a link."""
    return re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") if line.startswith("#") else ""


@pytest.mark.parametrize("name", GENERATED)
def test_generated_page_is_up_to_date(name):
    assert text_of(f"docs/{name}") == GENERATED[name](), "run `make docs`"


INDEXES = ["docs/README.md", "docs/explanation/decisions/README.md"]


def test_every_page_is_linked_from_an_index():
    linked = {
        ((ROOT / index).parent / target.partition("#")[0]).resolve()
        for index in INDEXES
        for target in link_targets(text_of(index))
    }
    assert [page for page in PAGES if page != "docs/README.md" and (ROOT / page).resolve() not in linked] == []


# --- the tests above can fail ---------------------------------------------------------------------------------------

PAGE = """
Text, `asara nothing` in it.

    asara run tight.toml --set cluster__gpus=64   # a comment
    asara results DIR --sql "select 1 | 2" > table.csv
    asara kernels report      every table
    asara sweep DESIGN [--workers N | --fresh]

```toml
# tight.toml
description = "x"
```
```python
answer = 42
```
"""


def test_command_lines_and_blocks_of_a_page_are_parsed():
    assert command_lines(PAGE) == [
        "asara run tight.toml --set cluster__gpus=64",
        'asara results DIR --sql "select 1 | 2"',
        "asara kernels report",
        "asara sweep DESIGN [--workers N | --fresh]",
    ]
    assert [is_synopsis(line) for line in command_lines(PAGE)] == [False, False, False, True]
    assert [(block.language, block.file, block.line) for block in blocks(PAGE)] == [
        ("toml", "tight.toml", 10),
        ("python", "", 14),
    ]
    for line in command_lines(PAGE):
        check_command(line)


@pytest.mark.parametrize(
    "line",
    [
        "asara rum lab",
        "asara run lab --sed 3",
        "asara run lab --seed three",
        "asara analyse",
        "asara kernels turn",
        "asara sweep [--worker N]",
        "asara results DIR extra",
    ],
)
def test_check_command_of_a_wrong_line_raises(line):
    with pytest.raises(Exception, match=r"\w"):
        check_command(line)


def test_run_block_that_fails_reports_the_line_of_its_page():
    block = blocks("one\n\n```python\nx = 1\nx / 0\n```\n")[0]
    with pytest.raises(ZeroDivisionError) as caught:
        run_block(block, "README.md", {})
    assert caught.traceback[-1].lineno + 1 == 5


EXAMPLE = """
```python
print(6 * 7)
```

```text
{printed}
```

```console
$ asara explain horizon_dayz  # misspelt
{answer}
```
"""
ANSWER = (
    "asara: no parameter and no word of the glossary is named 'horizon_dayz'; did you mean 'horizon_days', "
    "'run__horizon_days' or 'horizon__law'? `asara explain` lists the parameters."
)


def test_execute_page_with_wrong_output_returns_the_right_output(reader):
    right = EXAMPLE.format(printed=42, answer=ANSWER)
    assert execute_page("README.md", EXAMPLE.format(printed=41, answer="nothing"), reader) == right
    assert execute_page("README.md", right, reader) == right
