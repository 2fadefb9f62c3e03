"""Test that every notebook runs, that its assertions hold, and that its page in the docs is up to date."""

import ast
import struct
from functools import cache

import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from experiments.docs_build.notebook_pages import ROOT, SOURCES, Page, execute, names, page, read

DOCS = ROOT / "docs"
CELL = """
from experiments.plotting.slides import label_line_end, slide, table
print("one")
with slide("A line", "and its note") as axes:
    axes.plot([0, 1], [0, 1])
    label_line_end(axes, 1, 1, "the end")
print("two")
table(("a", "b"), [(1, 2)])
"""

CELL_OUTPUT = """```text
one
```

![A line](../pictures/notebook-small-1.png)

```text
two
```

| a | b |
| --- | --- |
| 1 | 2 |
"""


@cache
def executed_page(name: str) -> Page:
    """Return the page of a notebook from a run."""
    return page(execute(read(SOURCES / f"{name}.py")), name)


def size(png: bytes) -> tuple[int, ...]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def test_notebooks_are_the_seven_of_the_docs():
    assert names() == ["1_report", "2_stalls", "3_kernels", "4_sweep", "5_road", "6_race", "7_alarms"]


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # of the libraries between us and the kernel
@pytest.mark.parametrize("name", names())
def test_notebook_output_equals_its_page(name):
    text = (DOCS / "notebooks" / f"{name}.md").read_text(encoding="utf-8")
    assert executed_page(name).text == text, "run `make notebooks`"


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
@pytest.mark.parametrize("name", names())
def test_notebook_pictures_are_in_the_docs_with_slide_size(name):
    found = executed_page(name).pictures
    there = {path.name: path.read_bytes() for path in (DOCS / "pictures").glob(f"notebook-{name}-*.png")}
    assert there.keys() == found.keys() and there
    for file, png in found.items():
        assert size(png) == size(there[file]) == (1440, 810)


@pytest.mark.parametrize("name", names())
def test_notebook_asserts_its_results_in_every_run(name):
    """Assertions outside of functions and branches are reached in every run; they are about results or commands."""
    reached = list(statements(ast.parse((SOURCES / f"{name}.py").read_text(encoding="utf-8"))))
    computed = {
        each.id
        for statement in reached
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.For)
        for target in getattr(statement, "targets", None) or [statement.target]
        for each in ast.walk(target)
        if isinstance(each, ast.Name)
    }
    asserted = [statement.test for statement in reached if isinstance(statement, ast.Assert)]
    assert asserted
    for test in asserted:
        names_there = {each.id for each in ast.walk(test) if isinstance(each, ast.Name)}
        runs_command = any(isinstance(each, ast.Call) and ast.unparse(each.func) == "main" for each in ast.walk(test))
        assert names_there & computed or runs_command, ast.unparse(test)


def statements(block):
    """Yield the statements of a block that every run reaches, without functions, classes and branches."""
    for statement in block.body:
        yield statement
        if isinstance(statement, ast.For | ast.With):
            yield from statements(statement)


# --- the machinery --------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_page_of_a_notebook_is_reproducible_and_omits_stderr():
    cells = [new_markdown_cell("# Title"), new_code_cell(CELL + "import sys; print('17 s left', file=sys.stderr)")]
    one, other = (page(execute(new_notebook(cells=cells)), "small") for _ in range(2))
    assert one == other
    assert list(one.pictures) == ["notebook-small-1.png"]
    assert one.text.startswith("# Title\n\n*This page is a notebook")
    assert one.text.endswith(CELL_OUTPUT) and "17 s left\n" not in one.text


def test_page_of_a_notebook_has_its_origin_below_the_title():
    found = page(
        new_notebook(cells=[new_markdown_cell("# Title\n\nA story.\n\n## Then"), new_markdown_cell("More.")]), "s"
    )
    title, origin, *rest = found.text.split("\n\n")
    assert title == "# Title"
    assert origin.startswith("*This page is a notebook. ") and "You can skip" in origin and "notebooks/s.py" in origin
    assert rest == ["A story.", "## Then", "More.\n"]


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_execute_with_a_failing_assertion_raises():
    with pytest.raises(CellExecutionError, match="assert 1 == 2"):
        execute(new_notebook(cells=[new_code_cell("assert 1 == 2")]))
