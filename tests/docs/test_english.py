"""The pages are in plain English: no banned words, no long sentences (tests/support/english.py has the rules)."""

import pytest

from experiments.docs_build.cli_reference import PAGES as GENERATED
from tests.support.doc_pages import NOTEBOOK_PAGES, PAGES, text_of
from tests.support.english import MAX_WORDS, MAX_WORDS_WITH_CODE, problems_in, prose_of_page, sentences

WRITTEN = [
    page for page in PAGES if not page.startswith(NOTEBOOK_PAGES) and page.removeprefix("docs/") not in GENERATED
]
"""Pages that are written by hand; the text of the others is in the source and in the notebooks."""


@pytest.mark.parametrize("page", WRITTEN)
def test_page_is_in_plain_english(page):
    assert problems_in(prose_of_page(text_of(page))) == []


# --- the rules themselves -------------------------------------------------------------------------------------------


def words(count: int, *, last: str = "end") -> str:
    return " ".join(["word"] * (count - 1) + [last]) + "."


def test_sentence_of_the_maximum_length_is_accepted_and_one_word_more_is_not():
    assert problems_in(words(MAX_WORDS)) == []
    (problem,) = problems_in(words(MAX_WORDS + 1))
    assert problem.startswith("26 words, allowed: 25. Split: word word")


@pytest.mark.parametrize("last", ["`a.b.c`", "[text](page.md)", "x = y", "[1, 2]"])
def test_sentence_with_code_link_equation_or_interval_may_be_longer(last):
    assert problems_in(words(MAX_WORDS_WITH_CODE - 2, last=last)) == []
    assert len(problems_in(words(MAX_WORDS_WITH_CODE + 3, last=last))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Somebody waits.",
        "This is what becomes of the jobs.",
        "Use all that runs.",
        "So\nmany doublings.",
        "The toes exponent.",
        "Twice the same luck.",
        "A stint on the shelf.",
        "Foreign source runs here.",
    ],
)
def test_banned_word_is_found_in_any_case_and_across_lines(text):
    assert problems_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "The parallelization penalty is also called stepping on toes.",
        '`luck="row"` and `nobody` are code.',
        "A plucky overall thatched lot.",
        "Write to the file, e.g. the log.",
    ],
)
def test_problems_in_good_text_are_none(text):
    assert problems_in(text) == []


def test_sentences_end_at_full_stops_questions_colons_items_and_paragraphs():
    text = "One is 1.5 long. Is `a.b` two?  Three: Four.\n\nFive\n- six, e.g. Seven\n- eight (nine.) Ten et al. Eleven"
    assert sentences(text) == [
        "One is 1.5 long.",
        "Is § two?",
        "Three:",
        "Four.",
        "Five",
        "- six, eg Seven",
        "- eight (nine.)",
        "Ten et al Eleven",
    ]


def test_prose_of_a_page_has_headings_text_and_cells_but_no_blocks():
    page = """# Head

Text
of two lines.

    asara nobody

- item

| a | b |
|---|---|
| cell one | cell `two` |

```console
$ asara whoever
```
<!-- hidden -->
"""
    found = sentences(prose_of_page(page))
    assert found == ["Head", "Text of two lines.", "- item", "a", "b", "cell one", "cell §"]
