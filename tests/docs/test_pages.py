"""What the pages say runs: their Python, their files, their commands; what they point at is there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.cli.app import main
from experiments.docs_build.cli_reference import PAGES as GENERATED
from hardware.cluster.queues import QUEUES
from tests.support.doc_pages import (
    PAGES,
    ROOT,
    SHOWN,
    blocks,
    command_lines,
    followed,
    is_synopsis,
    keep,
    links,
    parse,
    run,
    text_of,
)
from tests.support.sweep_tables import drawn, manifest, write

OURS = [page for page in PAGES if not page.startswith(SHOWN)]
WITH_CODE = [page for page in OURS if any(block.language in ("python", "console") for block in blocks(text_of(page)))]
CHEAP = (
    r"asara scenarios", r"asara explain( [a-z_]+)?", r"asara kernels report", r"asara fit --published",
    r"asara run toy-\S+( --(set|seed|out) [\w.=/-]+)*( --json)?", r"asara run \S+ --engine fluid",
)  # fmt: skip
"""Commands that answer within a second or two, and so are run as they stand."""


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Somebody who follows a page in a folder of their own, in which there is a sweep already."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    names = dict(QUEUES)
    levels = {"training__needed": [False, True]}
    table = drawn(16, levers=levels)
    write(tmp_path / "out" / "quick", table, manifest(table.num_rows, points=16, levers=list(levels), base={}))
    yield tmp_path
    QUEUES.clear()
    QUEUES.update(names)


@pytest.mark.parametrize("page", WITH_CODE)
def test_what_a_page_shows_is_what_happens(page, reader):
    text = text_of(page)
    assert followed(page, text, reader) == text, "look at what has changed, then run `python -m tests.docs.renew`"


@pytest.mark.parametrize("page", [page for page in PAGES if command_lines(text_of(page))])
def test_every_command_of_a_page_can_be_typed(page):
    for line in command_lines(text_of(page)):
        parse(line)


def cheap(page: str) -> list[str]:
    return [line for line in command_lines(text_of(page)) if any(re.fullmatch(each, line) for each in CHEAP)]


@pytest.mark.parametrize("page", [page for page in OURS if cheap(page)])
def test_what_answers_at_once_is_run_as_it_stands(page, reader, capsys):
    for block in blocks(text_of(page)):
        keep(block, reader)
    for line in cheap(page):
        assert main(shlex.split(line)[1:]) == 0, f"{line}: {capsys.readouterr().err}"


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_points_at_is_there(page):
    missing = [target for target in links(text_of(page)) if not _there(page, target)]
    assert missing == []


def _there(page: str, target: str) -> bool:
    file, _, heading = target.partition("#")
    path = (ROOT / page).parent / file if file else ROOT / page
    if not path.exists():
        return False
    return not heading or heading in {_anchor(line) for line in path.read_text(encoding="utf-8").splitlines()}


def _anchor(line: str) -> str:
    """What a heading is called in a link."""
    return re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") if line.startswith("#") else ""


@pytest.mark.parametrize("name", GENERATED)
def test_pages_made_from_the_code_are_what_the_code_says(name):
    assert text_of(f"docs/{name}") == GENERATED[name](), "run `make docs`"


INDEXES = ["docs/README.md", "docs/explanation/decisions/README.md"]


def test_every_page_is_linked_from_an_index():
    linked = {
        ((ROOT / index).parent / target.partition("#")[0]).resolve()
        for index in INDEXES
        for target in links(text_of(index))
    }
    assert [page for page in PAGES if page != "docs/README.md" and (ROOT / page).resolve() not in linked] == []


# --- that the tests above can fail ----------------------------------------------------------------------------------

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


def test_commands_and_blocks_are_found():
    assert command_lines(PAGE) == [
        "asara run tight.toml --set cluster__gpus=64", 'asara results DIR --sql "select 1 | 2"', "asara kernels report",
        "asara sweep DESIGN [--workers N | --fresh]",
    ]  # fmt: skip
    assert [is_synopsis(line) for line in command_lines(PAGE)] == [False, False, False, True]
    assert [(block.language, block.file, block.line) for block in blocks(PAGE)] == [
        ("toml", "tight.toml", 10), ("python", "", 14),
    ]  # fmt: skip
    for line in command_lines(PAGE):
        parse(line)


@pytest.mark.parametrize(
    "line",
    ["asara rum lab", "asara run lab --sed 3", "asara run lab --seed three", "asara analyse", "asara kernels turn",
     "asara sweep [--worker N]", "asara results DIR extra"],
)  # fmt: skip
def test_a_command_that_does_not_exist_is_noticed(line):
    with pytest.raises(Exception, match=r"\w"):
        parse(line)


def test_a_block_that_fails_names_the_line_of_its_page():
    block = blocks("one\n\n```python\nx = 1\nx / 0\n```\n")[0]
    with pytest.raises(ZeroDivisionError) as caught:
        run(block, "README.md", {})
    assert caught.traceback[-1].lineno + 1 == 5


SAYS = """
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
    "asara: no parameter and no word of the glossary is named 'horizon_dayz'; did you mean 'horizon_days' or "
    "'run__horizon_days'? `asara explain` lists the parameters"
)


def test_what_a_page_shows_is_put_right(reader):
    right = SAYS.format(printed=42, answer=ANSWER)
    assert followed("README.md", SAYS.format(printed=41, answer="nothing"), reader) == right
    assert followed("README.md", right, reader) == right
