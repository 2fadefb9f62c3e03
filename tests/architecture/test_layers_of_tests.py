"""Tests of a layer import no higher layer: such a test belongs to the tests of the higher layer."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def imported(source: str) -> set[str]:
    """Return the top-level packages that a source imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("folder", ["agents", "hardware", "sim"])
def test_tests_of_a_lower_layer_import_no_experiments(folder):
    files = sorted((TESTS / folder).rglob("*.py"))
    assert files
    assert [path.name for path in files if "experiments" in imported(path.read_text())] == []
