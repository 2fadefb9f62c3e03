"""A link to a moment: scenario, changes, seed, frame and branches as the query of an address, read as hostile input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from experiments.console import toml
from experiments.errors import InputError
from experiments.window.fields import differences, fields, fill, parse
from experiments.window.future import FutureView
from experiments.window.journey import MOST_FRAMES, MOST_FUTURES, Journey, Moved
from sim.branch import FIXED_AT_START
from sim.scenario import DEFAULT, Scenario, nearest, shipped_scenarios

LONGEST = 6000
"""Characters of a query."""
MOST_PAIRS = 100
MOST_SEED = 2**63 - 1
_WORDS = ("scenario", "seed", "frame", "branch")


class Turn(NamedTuple):
    """A branch: from this frame on other parameters hold."""

    frame: int
    changes: dict[str, Any]


class Link(NamedTuple):
    """A moment of a journey."""

    name: str = DEFAULT
    """Of the scenario without changes."""
    scenario: Scenario = Scenario()
    """With them: that of day 0."""
    seed: int = 0
    frame: int = 0
    branches: tuple[Turn, ...] = ()
    """From which the future of the moment comes, the first one first."""


def shipped(name: str) -> Scenario:
    """Return a scenario that comes with asara; no name is read as that of a file. Raises InputError for others."""
    if name not in shipped_scenarios():
        raise InputError(f"there is no scenario '{_shown(name)}' here{nearest(name[:100], shipped_scenarios())}")
    return Scenario.load(name)


def link_of(name: str, scenario: Scenario, seed: int, frame: int, futures: Sequence[FutureView] = ()) -> Link:
    """Return the link to a frame of the chosen one of some futures; ``scenario``: with which the journey began."""
    by_number = {future.index: future for future in futures}
    turns: list[Turn] = []
    at = next((future for future in futures if future.chosen), None)
    while at is not None and at.parent is not None:
        turns.append(Turn(at.from_frame, dict(at.changes)))
        at = by_number.get(at.parent)
    return Link(name, scenario, seed, frame, tuple(reversed(turns)))


def encode(link: Link, find: Callable[[str], Scenario] = shipped) -> str:
    """Return a link as the query of an address, without its question mark; defaults are left out.

    ``find``: the scenario of a name, as for :func:`decode`.
    """
    pairs = [("scenario", link.name), ("seed", str(link.seed))]
    pairs += [(name, _text(value)) for name, value in differences(find(link.name), link.scenario).items()]
    pairs += [("branch", _branch(turn)) for turn in link.branches]
    return urlencode([*pairs, ("frame", str(link.frame))], safe="/,=")


def decode(query: str, find: Callable[[str], Scenario] = shipped) -> Link:
    """Return the link that a query says; whatever it does not say is the default.

    Raises InputError, in one sentence, for anything that the window does not know or does not allow.
    """
    words, changes, branches = _sorted(_pairs(query))
    name = words.get("scenario", DEFAULT)
    scenario = _filled(find(name), changes)
    seed = _number("seed", words.get("seed", "0"), MOST_SEED)
    frame = _number("frame", words.get("frame", "0"), MOST_FRAMES)
    turns, now = list[Turn](), scenario
    for text in branches:
        turn, now = _turn(text, now)
        if turns and turn.frame < turns[-1].frame:
            raise InputError(f"the link branches from frame {turn.frame:,} after frame {turns[-1].frame:,}")
        turns.append(turn)
    return Link(name, scenario, seed, frame, tuple(turns))


def travel(link: Link, journey: Journey) -> Moved:
    """Bring a journey that stands on day 0 of the link's scenario and seed to its moment, branch by branch.

    Raises ScenarioError for a branch that cannot be made.
    """
    for turn in link.branches:
        moved = journey.go_to(turn.frame)
        if moved.done:
            moved = journey.branch(turn.frame, turn.changes)
        if not moved.done:
            return moved
    return journey.go_to(link.frame)


def _pairs(query: str) -> list[tuple[str, str]]:
    if len(query) > LONGEST:
        raise InputError(f"the link has {len(query):,} characters: at most {LONGEST:,} are read")
    try:
        return parse_qsl(
            query.removeprefix("?"), keep_blank_values=True, strict_parsing=bool(query.strip("?")),
            errors="strict", max_num_fields=MOST_PAIRS,
        )  # fmt: skip
    except (ValueError, UnicodeError):
        raise InputError(f"the link cannot be read: it is no list of at most {MOST_PAIRS} NAME=VALUE") from None


def _sorted(pairs: Sequence[tuple[str, str]]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """The words of a link, the changes of its scenario, and its branches."""
    words, changes, branches = dict[str, str](), dict[str, str](), list[str]()
    for key, text in pairs:
        if key == "branch":
            branches.append(text)
        elif key in words or key in changes:
            raise InputError(f"the link says '{_shown(key)}' twice")
        elif key in _WORDS:
            words[key] = text
        elif key in fields():
            changes[key] = text
        else:
            raise InputError(f"the link says '{_shown(key)}', which is no parameter{nearest(key[:100], fields())}")
    if len(branches) >= MOST_FUTURES:
        raise InputError(f"the link has {len(branches)} branches: at most {MOST_FUTURES - 1} are kept")
    return words, changes, branches


def _filled(base: Scenario, changes: Mapping[str, str]) -> Scenario:
    filled = fill(base, changes)
    if filled.scenario is None:
        raise InputError("; ".join(filled.wrong.values()))
    return filled.scenario


def _number(word: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and int(text) <= most):
        raise InputError(f"{word} = '{_shown(text)}' is not allowed: a whole number from 0 to {most:,}")
    return int(text)


def _branch(turn: Turn) -> str:
    return ",".join([str(turn.frame), *(f"{name}={_text(value)}" for name, value in turn.changes.items())])


def _turn(text: str, before: Scenario) -> tuple[Turn, Scenario]:
    """A branch, and the scenario that holds from it on."""
    first, *rest = text.split(",")
    frame = _number("branch", first, MOST_FRAMES)
    typed, changes = dict[str, str](), dict[str, Any]()
    for each in rest:
        name, equals, value = each.partition("=")
        if not equals:
            raise InputError(f"the link changes '{_shown(each)}' in a branch: write NAME=VALUE")
        typed[name], changes[name] = value, parse(name, value)
        if name in FIXED_AT_START:
            raise InputError(f"{name} cannot change within a run, and a branch of the link changes it")
    return Turn(frame, changes), _filled(before, typed)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else toml(value)


def _shown(text: str) -> str:
    """The beginning of a text, without what cannot be printed."""
    return "".join(character if character.isprintable() else "?" for character in text[:60])
