"""A link to a moment: scenario, changes, seed, frame and branches as the query of an address, read as hostile input.

Of the futures of a journey the first is A, and each branch the next letter. A branch is written FRAME-LAST@PARENT and
its changes: it leaves its parent at a frame and is known up to the last one. Left out, the parent is the future before
it, and the last frame is the one to which the link leads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from experiments.errors import InputError
from experiments.text.number_format import toml_value
from experiments.window.form_fields import differences, fields, parse, scenario_from_form
from experiments.window.player import MAX_FRAMES, MAX_FUTURES, RunPlayer, SeekResult
from experiments.window.timeline import TimelineView
from sim.interventions import FIXED_AT_START
from sim.scenario.model import DEFAULT, Scenario, did_you_mean, shipped_scenarios

LONGEST = 6000
"""Characters of a query."""
MAX_PAIRS = 100
MAX_SEED = 2**63 - 1
LETTERS = "ABCD"
"""Of the futures of a link, in order."""
_WORDS = ("scenario", "seed", "frame", "branch", "last", "chosen")
_BRANCH = re.compile(r"([^-@]*)(?:-([^-@]*))?(?:@([^-@]*))?", re.ASCII)


class BranchPoint(NamedTuple):
    """A branch: from this frame on other parameters hold."""

    frame: int
    changes: dict[str, Any]
    parent: int | None = None
    """Place of the future that it leaves, 0 for the first; None: the future before it."""
    last: int = 0
    """The latest frame that is known; 0: no more than is needed."""


class Link(NamedTuple):
    """A moment of a journey."""

    name: str = DEFAULT
    """Of the scenario without changes."""
    scenario: Scenario = Scenario()
    """With them: that of day 0."""
    seed: int = 0
    frame: int = 0
    branches: tuple[BranchPoint, ...] = ()
    """All futures beside the first, each after the one that it leaves."""
    last: int = 0
    """The latest frame of the first future that is known; 0: no more than is needed."""
    chosen: int | None = None
    """Place of the future of the moment, 0 for the first; None: the last."""


def shipped(name: str) -> Scenario:
    """Return a scenario that comes with asara; no name is read as that of a file. Raises InputError for others."""
    if name not in shipped_scenarios():
        raise InputError(f"there is no scenario '{_shown(name)}' here{did_you_mean(name[:100], shipped_scenarios())}")
    return Scenario.load(name)


def link_of(name: str, scenario: Scenario, seed: int, frame: int, futures: Sequence[TimelineView] = ()) -> Link:
    """Return the link to a frame of the chosen one of some futures, with all that it is compared with.

    ``scenario``: with which the journey began.
    """
    if len(futures) < 2:
        return Link(name, scenario, seed, frame)
    places = {future.index: place for place, future in enumerate(futures)}
    chosen = next(place for place, future in enumerate(futures) if future.chosen)
    lasts = [0 if future.chosen and future.frames == frame else future.frames for future in futures]
    turns = tuple(
        BranchPoint(future.from_frame, dict(future.changes), _parent(places, future, place), lasts[place])
        for place, future in enumerate(futures)
        if place
    )
    return Link(name, scenario, seed, frame, turns, lasts[0], chosen if chosen < len(turns) else None)


def _parent(places: Mapping[int, int], future: TimelineView, place: int) -> int | None:
    parent = places[future.parent or 0]
    return parent if parent != place - 1 else None


def encode(link: Link, find: Callable[[str], Scenario] = shipped) -> str:
    """Return a link as the query of an address, without its question mark; defaults are left out.

    ``find``: the scenario of a name, as for :func:`decode`.
    """
    pairs = [("scenario", link.name), ("seed", str(link.seed))]
    pairs += [(name, _text(value)) for name, value in differences(find(link.name), link.scenario).items()]
    pairs += [("last", str(link.last))] if link.last else []
    pairs += [("branch", _branch(turn)) for turn in link.branches]
    pairs += [("chosen", LETTERS[link.chosen])] if link.chosen is not None else []
    return urlencode([*pairs, ("frame", str(link.frame))], safe="/,=@")


def decode(query: str, find: Callable[[str], Scenario] = shipped) -> Link:
    """Return the link that a query says; whatever it does not say is the default.

    Raises InputError, in one sentence, for anything that the window does not know or does not allow.
    """
    words, changes, branches = _sorted(_pairs(query))
    name = words.get("scenario", DEFAULT)
    scenario = _filled(find(name), changes)
    seed = _number("seed", words.get("seed", "0"), MAX_SEED)
    frame = _number("frame", words.get("frame", "0"), MAX_FRAMES)
    last = _number("last", words.get("last", "0"), MAX_FRAMES)
    turns, known = list[BranchPoint](), [scenario]
    for text in branches:
        turn, now = _turn(text, known)
        parent = len(turns) if turn.parent is None else turn.parent
        if parent and turn.frame < turns[parent - 1].frame:
            raise InputError(f"the link branches from frame {turn.frame:,} after frame {turns[parent - 1].frame:,}")
        turns.append(turn)
        known.append(now)
    chosen = _place("chosen", words["chosen"], len(known)) if "chosen" in words else None
    return Link(name, scenario, seed, frame, tuple(turns), last, chosen)


def travel(link: Link, journey: RunPlayer) -> SeekResult:
    """Bring a journey that stands on day 0 of the link's scenario and seed to its moment, branch by branch.

    Raises ScenarioError for a branch that cannot be made.
    """
    futures = [journey.chosen]
    moves = [journey.go_to(link.last)] if link.last else []
    for turn in link.branches:
        if moves and not moves[-1].done:
            return moves[-1]
        journey.choose(futures[-1 if turn.parent is None else turn.parent])
        moves.append(journey.go_to(turn.frame))
        if moves[-1].done:
            moves.append(journey.branch(turn.frame, turn.changes))
            futures.append(journey.chosen)
        if moves[-1].done and turn.last:
            moves.append(journey.go_to(turn.last))
    if moves and not moves[-1].done:
        return moves[-1]
    if link.branches:
        journey.choose(futures[-1 if link.chosen is None else link.chosen])
    return journey.go_to(link.frame)


def _pairs(query: str) -> list[tuple[str, str]]:
    if len(query) > LONGEST:
        raise InputError(f"the link has {len(query):,} characters: at most {LONGEST:,} are read")
    try:
        return parse_qsl(
            query.removeprefix("?"),
            keep_blank_values=True,
            strict_parsing=bool(query.strip("?")),
            errors="strict",
            max_num_fields=MAX_PAIRS,
        )
    except (ValueError, UnicodeError):
        raise InputError(f"the link cannot be read: it is no list of at most {MAX_PAIRS} NAME=VALUE") from None


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
            raise InputError(f"the link says '{_shown(key)}', which is no parameter{did_you_mean(key[:100], fields())}")
    if len(branches) >= MAX_FUTURES:
        raise InputError(f"the link has {len(branches)} branches: at most {MAX_FUTURES - 1} are kept")
    return words, changes, branches


def _filled(base: Scenario, changes: Mapping[str, str]) -> Scenario:
    filled = scenario_from_form(base, changes)
    if filled.scenario is None:
        raise InputError("; ".join(filled.wrong.values()))
    return filled.scenario


def _number(word: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and int(text) <= most):
        raise InputError(f"{word} = '{_shown(text)}' is not allowed: a whole number from 0 to {most:,}")
    return int(text)


def _place(word: str, text: str, there: int) -> int:
    """The place of a future that is there, by its letter."""
    letters = LETTERS[:there]
    if len(text) != 1 or text not in letters:
        raise InputError(f"{word} = '{_shown(text)}' is no future of the link: they are {', '.join(letters)}")
    return letters.index(text)


def _branch(turn: BranchPoint) -> str:
    last = f"-{turn.last}" if turn.last else ""
    parent = f"@{LETTERS[turn.parent]}" if turn.parent is not None else ""
    changes = [f"{name}={_text(value)}" for name, value in turn.changes.items()]
    return ",".join([f"{turn.frame}{last}{parent}", *changes])


def _turn(text: str, known: Sequence[Scenario]) -> tuple[BranchPoint, Scenario]:
    """A branch, and the scenario that holds from it on; ``known``: those of the futures before it."""
    first, *rest = text.split(",")
    found = _BRANCH.fullmatch(first)
    frame = _number("branch", found[1] if found else first, MAX_FRAMES)
    last = _number("branch", found[2], MAX_FRAMES) if found and found[2] is not None else 0
    parent = _place("branch", found[3], len(known)) if found and found[3] is not None else None
    typed, changes = dict[str, str](), dict[str, Any]()
    for each in rest:
        name, equals, value = each.partition("=")
        if not equals:
            raise InputError(f"the link changes '{_shown(each)}' in a branch: write NAME=VALUE")
        typed[name], changes[name] = value, parse(name, value)
        if name in FIXED_AT_START:
            raise InputError(f"{name} cannot change within a run, and a branch of the link changes it")
    return BranchPoint(frame, changes, parent, last), _filled(known[-1 if parent is None else parent], typed)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else toml_value(value)


def _shown(text: str) -> str:
    """The beginning of a text, without what cannot be printed."""
    return "".join(character if character.isprintable() else "?" for character in text[:60])
