"""Find what a word means: among the parameters, by name, symbol and meaning, and in the glossary."""

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
"""Letters that stand for a parameter in equations and sentences."""
MAX_NEAR: Final = 3
_NEAR: Final = 0.6


class Term(NamedTuple):
    """An entry of the glossary."""

    name: str
    meaning: str


class Meanings(NamedTuple):
    """What a word can mean."""

    terms: list[Term]
    parameters: list[Parameter]
    """Those that the word names."""
    mentioned: list[Parameter]
    """Other parameters whose meaning has the word."""


def find_meanings(word: str) -> Meanings:
    """Return what a word means: a parameter, a symbol, a term of the glossary, or the beginning of a word in these.

    Raises InputError with the nearest names if nothing fits.
    """
    asked = " ".join(word.replace("`", "").split())
    known = parameters()
    if asked in known:
        return Meanings([], [known[asked]], [])
    terms = glossary()
    own = [each for each in terms if asked.casefold() in _names(each)]
    named = [each for each in known.values() if each.name == asked]
    if symbol := SYMBOLS.get(asked):
        named = [known[symbol]]
    if named:
        return Meanings(own, named, [])
    if not asked:
        raise InputError("an empty word has no meaning; allowed: a parameter or a word. `asara explain` lists them.")
    return _by_beginning(asked, own, terms)


def _by_beginning(asked: str, own: list[Term], terms: list[Term]) -> Meanings:
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
            f"no parameter and no word of the glossary is named '{asked}'{_near(asked, terms)} `asara explain` lists "
            "the parameters"
        )
    return Meanings(called, named, mentioned)


def _near(asked: str, terms: Iterable[Term]) -> str:
    names = dict.fromkeys(name for each in parameters().values() for name in (each.flat_name, each.name))
    words = dict.fromkeys(name for each in terms for name in _names(each))
    found = difflib.get_close_matches(asked, [*names, *words], n=MAX_NEAR, cutoff=_NEAR)
    if not found:
        return "."
    *others, last = [f"'{name}'" for name in found]
    return f"; did you mean {', '.join(others)}{' or ' if others else ''}{last}?"


def _names(term: Term) -> list[str]:
    """The words that a term goes by: "parallelization penalty, stepping on toes (p)" has three."""
    outside, *symbols = re.split(r"[()]", term.name.casefold())
    return [name for each in (*outside.split(","), *symbols) if (name := each.strip())]


@cache
def glossary() -> list[Term]:
    """Return the terms of the glossary, in its order; none where the documentation is not installed."""
    path = next((each for each in _places() if each.is_file()), None)
    if path is None:
        return []
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [Term(_plain(name), _plain(meaning)) for name, meaning in rows if name != "word"]


def _places() -> tuple[Path, ...]:
    """Where the glossary lies: in a checkout, or where an installed asara has it."""
    installed = Path(sysconfig.get_path("data")) / "share" / "asara" / GLOSSARY
    return Path(__file__).parents[2] / "docs" / "reference" / GLOSSARY, installed


def _plain(text: str) -> str:
    """Text without the marks of links and code."""
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text).replace("`", "").strip()
