"""Look up a word among the parameters (by name, symbol and meaning) and in the glossary."""

from __future__ import annotations

import difflib
import re
import sysconfig
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from experiments.errors import InputError
from sim.scenario.model import Parameter, parameters

GLOSSARY: Final = "glossary.md"
SYMBOLS: Final[Mapping[str, str]] = {
    "p": "growth__parallel_penalty",
    "r": "growth__r",
    "s": "researcher__experiment_scaling",
    "phi": "training__speedup_exponent",
    "φ": "training__speedup_exponent",
}
"""Symbols of parameters in equations and sentences."""
MAX_SUGGESTIONS: Final = 3
_MIN_SIMILARITY: Final = 0.6
"""Similarity of a suggested name [1], as in `difflib.get_close_matches`."""


class Term(NamedTuple):
    """An entry of the glossary."""

    name: str
    meaning: str


class Meanings(NamedTuple):
    """Meanings of a word."""

    terms: list[Term]
    parameters: list[Parameter]
    """Parameters that the word names."""
    mentioned: list[Parameter]
    """Other parameters whose meaning contains the word."""


def find_meanings(word: str) -> Meanings:
    """Find the meanings of a word: a parameter, a symbol, a term of the glossary, or the beginning of a word in these.

    Raises InputError with the nearest names if there is none.
    """
    asked = " ".join(word.replace("`", "").split())
    known = parameters()
    if asked in known:
        return Meanings([], [known[asked]], [])
    terms = glossary()
    own = [each for each in terms if asked.casefold() in _term_names(each)]
    named = [each for each in known.values() if each.name == asked]
    if symbol := SYMBOLS.get(asked):
        named = [known[symbol]]
    if named:
        return Meanings(own, named, [])
    if not asked:
        raise InputError(
            "WORD is empty; allowed: a parameter or a word of the glossary. `asara explain` lists the parameters."
        )
    return _find_by_beginning(asked, own, terms)


def _find_by_beginning(asked: str, own: list[Term], terms: list[Term]) -> Meanings:
    begins = re.compile(rf"(?<![\w]){re.escape(asked)}", re.IGNORECASE)
    known = parameters().values()
    called = own + [each for each in terms if each not in own and begins.search(each.name)]
    named = [each for each in known if begins.search(each.flat_name.replace("_", " ")) or each.flat_name == asked]
    named += [each for each in known if each not in named and "_" in asked and asked in each.flat_name]
    mentioned = [each for each in known if each not in named and begins.search(each.meaning)]
    if not (called or named or mentioned):
        called = [each for each in terms if begins.search(each.meaning)]
    if not (called or named or mentioned):
        raise InputError(
            f"no parameter and no word of the glossary is named '{asked}'{_suggest_names(asked, terms)} `asara "
            "explain` "
            "lists the parameters."
        )
    return Meanings(called, named, mentioned)


def _suggest_names(asked: str, terms: Iterable[Term]) -> str:
    names = dict.fromkeys(name for each in parameters().values() for name in (each.flat_name, each.name))
    words = dict.fromkeys(name for each in terms for name in _term_names(each))
    found = difflib.get_close_matches(asked, [*names, *words], n=MAX_SUGGESTIONS, cutoff=_MIN_SIMILARITY)
    if not found:
        return "."
    *others, last = [f"'{name}'" for name in found]
    return f"; did you mean {', '.join(others)}{' or ' if others else ''}{last}?"


def _term_names(term: Term) -> list[str]:
    """Return the names of a term: "parallelization penalty, stepping on toes (p)" has three."""
    outside, *symbols = re.split(r"[()]", term.name.casefold())
    return [name for each in (*outside.split(","), *symbols) if (name := each.strip())]


@cache
def glossary() -> list[Term]:
    """Return the terms of the glossary, in its order; none if the documentation is not installed."""
    path = next((each for each in _glossary_paths() if each.is_file()), None)
    if path is None:
        return []
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [Term(_strip_markdown(name), _strip_markdown(meaning)) for name, meaning in rows if name != "word"]


def _glossary_paths() -> tuple[Path, ...]:
    """Return the possible paths of the glossary: in a checkout, and in an installed asara."""
    installed = Path(sysconfig.get_path("data")) / "share" / "asara" / GLOSSARY
    return Path(__file__).parents[2] / "docs" / "reference" / GLOSSARY, installed


def _strip_markdown(text: str) -> str:
    """Remove the Markdown of links and code."""
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text).replace("`", "").strip()
