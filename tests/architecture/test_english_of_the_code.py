"""Docstrings, comments and messages of the packages and tests keep the rules of tests/support/english.py."""

from pathlib import Path

import pytest

from tests.support.english import problems_in, texts_of_module

ROOT = Path(__file__).parents[2]
FOLDERS = ("sim", "agents", "hardware", "experiments", "benchmarks", "notebooks", "tests")
RECORDED = {ROOT / "hardware" / "kernels" / "proposers" / "prompt.py"}
"""Modules whose texts are part of recorded exchanges with language models."""
RULES = {
    ROOT / "tests" / "architecture" / "test_english_of_the_code.py",
    ROOT / "tests" / "docs" / "test_english.py",
    ROOT / "tests" / "support" / "english.py",
}
"""Modules that contain the banned words, as rules or as samples."""
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if path not in RECORDED | RULES]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_is_in_plain_english(path: Path) -> None:
    found = [
        f"line {line}: {problem}"
        for line, text in texts_of_module(path.read_text(encoding="utf-8"))
        for problem in problems_in(text)
    ]
    assert found == []


SAMPLE = '''
"""Whoever reads this."""
LIMIT = 3
"""What becomes of it."""
# a comment about luck
# that goes on
raise ValueError(f"{LIMIT} jobs are held against the others of this queue")
short = "no luck"
code = """
nobody = 1
print("the script prints what becomes of the jobs in this queue")
"""
'''


def test_texts_of_module_returns_docstrings_comments_and_messages() -> None:
    assert [line for line, text in texts_of_module(SAMPLE) if problems_in(text)] == [2, 4, 5, 7]
