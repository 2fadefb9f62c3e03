"""Read and write links to a frame: scenario, changes, seed, frame and branches as the query of an address.

Links are untrusted input. The first timeline is A, and each branch is the next letter. A branch is written as
FRAME-LAST@PARENT with its changes: it leaves its parent at FRAME and is known up to LAST. The default parent is the
previous timeline, and the default LAST is the frame of the link.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from experiments.errors import InputError
from experiments.text.number_format import toml_value
from experiments.window.form_fields import differences, fields, page_scenarios, parse_value, scenario_from_form
from experiments.window.player import MAX_FRAMES, MAX_TIMELINES, RunPlayer, SeekResult
from experiments.window.timeline import TimelineView
from sim.interventions import FIXED_AT_START
from sim.scenario.labs import split_name
from sim.scenario.model import DEFAULT, Scenario, did_you_mean

MAX_QUERY_LENGTH = 6000
"""Maximum length of a query [characters]."""
MAX_PAIRS = 100
MAX_SEED = 2**63 - 1
LETTERS = "ABCD"
"""Names of the timelines of a link, in order."""
_KEYS = ("scenario", "seed", "lab", "frame", "branch", "last", "chosen")
_BRANCH = re.compile(r"([^-@]*)(?:-([^-@]*))?(?:@([^-@]*))?", re.ASCII)


class BranchPoint(NamedTuple):
    """A branch: other parameters hold from this frame on."""

    frame: int
    changes: dict[str, Any]
    parent: int | None = None
    """Position of the parent timeline, 0 for the first; None for the previous one."""
    last: int = 0
    """Latest known frame; 0 for no more than is needed."""


class Link(NamedTuple):
    """A link to a frame."""

    name: str = DEFAULT
    """Name of the scenario without changes."""
    scenario: Scenario = Scenario()
    """Scenario on day 0, with the changes."""
    seed: int = 0
    frame: int = 0
    branches: tuple[BranchPoint, ...] = ()
    """Branches, each after its parent."""
    last: int = 0
    """Latest known frame of the first timeline; 0 for no more than is needed."""
    chosen: int | None = None
    """Position of the chosen timeline, 0 for the first; None for the last."""
    lab: str = ""
    """Name of the shown lab; empty for the first."""


def shipped_scenario(name: str) -> Scenario:
    """Return a shipped scenario; a name is never read as a file. Raises InputError for an unknown name."""
    if name not in page_scenarios():
        raise InputError(f"there is no scenario '{_printable(name)}' here{did_you_mean(name[:100], page_scenarios())}")
    return Scenario.load(name)


def link_of(
    name: str, scenario: Scenario, seed: int, frame: int, timelines: Sequence[TimelineView] = (), lab: str = ""
) -> Link:
    """Return the link to a frame of the chosen timeline, with all timelines that it is compared with.

    ``scenario`` is the scenario at the start of the first timeline, and ``lab`` the name of the shown lab.
    """
    lab = "" if lab in scenario.labs[:1] else lab
    if len(timelines) < 2:
        return Link(name, scenario, seed, frame, lab=lab)
    places = {timeline.index: place for place, timeline in enumerate(timelines)}
    chosen = next(place for place, timeline in enumerate(timelines) if timeline.is_chosen)
    lasts = [
        0 if timeline.is_chosen and timeline.last_frame == frame else timeline.last_frame for timeline in timelines
    ]
    branches = tuple(
        BranchPoint(timeline.from_frame, dict(timeline.changes), _parent(places, timeline, place), lasts[place])
        for place, timeline in enumerate(timelines)
        if place
    )
    return Link(name, scenario, seed, frame, branches, lasts[0], chosen if chosen < len(branches) else None, lab)


def _parent(places: Mapping[int, int], timeline: TimelineView, place: int) -> int | None:
    parent = places[timeline.parent or 0]
    return parent if parent != place - 1 else None


def encode(link: Link, find: Callable[[str], Scenario] = shipped_scenario) -> str:
    """Return a link as the query of an address, without a question mark and without defaults.

    ``find`` returns the scenario of a name, as for :func:`decode`.
    """
    pairs = [("scenario", link.name), ("seed", str(link.seed))]
    pairs += [(name, _encode_value(value)) for name, value in differences(find(link.name), link.scenario).items()]
    pairs += [("lab", link.lab)] if link.lab else []
    pairs += [("last", str(link.last))] if link.last else []
    pairs += [("branch", _encode_branch(branch)) for branch in link.branches]
    pairs += [("chosen", LETTERS[link.chosen])] if link.chosen is not None else []
    return urlencode([*pairs, ("frame", str(link.frame))], safe="/,=@")


def decode(query: str, find: Callable[[str], Scenario] = shipped_scenario) -> Link:
    """Return the link of a query; missing values are the defaults.

    Raises InputError, in one sentence, for values that are unknown or not allowed.
    """
    words, changes, texts = _classify_pairs(_parse_pairs(query))
    name = words.get("scenario", DEFAULT)
    scenario = _scenario_with(find(name), changes)
    seed = _parse_number("seed", words.get("seed", "0"), MAX_SEED)
    frame = _parse_number("frame", words.get("frame", "0"), MAX_FRAMES)
    last = _parse_number("last", words.get("last", "0"), MAX_FRAMES)
    branches, known = list[BranchPoint](), [scenario]
    for text in texts:
        branch, now = _parse_branch(text, known)
        parent = len(branches) if branch.parent is None else branch.parent
        if parent and branch.frame < branches[parent - 1].frame:
            raise InputError(
                f"the link branches from frame {branch.frame:,} after frame {branches[parent - 1].frame:,}; "
                "a branch cannot leave its parent before the parent starts"
            )
        branches.append(branch)
        known.append(now)
    chosen = _parse_letter("chosen", words["chosen"], len(known)) if "chosen" in words else None
    return Link(name, scenario, seed, frame, tuple(branches), last, chosen, _parse_lab(words.get("lab", ""), scenario))


def restore(link: Link, player: RunPlayer) -> SeekResult:
    """Move a player from day 0 of the link's scenario and seed to the frame of the link, branch by branch.

    Raises ScenarioError for a branch that is not possible.
    """
    if link.lab and not (shown := player.show_lab(link.lab)).done:
        return shown
    timelines = [player.chosen_index]
    moves = [player.seek(link.last)] if link.last else []
    for branch in link.branches:
        if moves and not moves[-1].done:
            return moves[-1]
        player.choose(timelines[-1 if branch.parent is None else branch.parent])
        moves.append(player.seek(branch.frame))
        if moves[-1].done:
            moves.append(player.branch(branch.frame, branch.changes))
            timelines.append(player.chosen_index)
        if moves[-1].done and branch.last:
            moves.append(player.seek(branch.last))
    if moves and not moves[-1].done:
        return moves[-1]
    if link.branches:
        player.choose(timelines[-1 if link.chosen is None else link.chosen])
    return player.seek(link.frame)


def _parse_pairs(query: str) -> list[tuple[str, str]]:
    if len(query) > MAX_QUERY_LENGTH:
        raise InputError(f"the link has {len(query):,} characters; allowed: at most {MAX_QUERY_LENGTH:,}")
    try:
        return parse_qsl(
            query.removeprefix("?"),
            keep_blank_values=True,
            strict_parsing=bool(query.strip("?")),
            errors="strict",
            max_num_fields=MAX_PAIRS,
        )
    except (ValueError, UnicodeError):
        raise InputError(
            f"the link cannot be read; allowed: at most {MAX_PAIRS} pairs NAME=VALUE, separated by &"
        ) from None


def _classify_pairs(pairs: Sequence[tuple[str, str]]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Split the pairs of a query into keys of the link, changes of the scenario, and branches."""
    words, changes, branches = dict[str, str](), dict[str, str](), list[str]()
    for key, text in pairs:
        if key == "branch":
            branches.append(text)
        elif key in words or key in changes:
            raise InputError(f"the link contains '{_printable(key)}' twice")
        elif key in _KEYS:
            words[key] = text
        elif split_name(key)[1] in fields():
            changes[key] = text
        else:
            raise InputError(
                f"the link contains '{_printable(key)}', which is not a parameter{did_you_mean(key[:100], fields())}"
            )
    if len(branches) >= MAX_TIMELINES:
        raise InputError(f"the link has {len(branches)} branches; allowed: at most {MAX_TIMELINES - 1}")
    return words, changes, branches


def _scenario_with(base: Scenario, changes: Mapping[str, str]) -> Scenario:
    filled = scenario_from_form(base, changes)
    if filled.scenario is None:
        raise InputError("; ".join(filled.errors.values()))
    return filled.scenario


def _parse_number(word: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and int(text) <= most):
        raise InputError(f"{word} = '{_printable(text)}' is invalid; allowed: a whole number from 0 to {most:,}")
    return int(text)


def _parse_letter(word: str, text: str, there: int) -> int:
    """Return the position of an existing timeline by its letter."""
    letters = LETTERS[:there]
    if len(text) != 1 or text not in letters:
        raise InputError(f"{word} = '{_printable(text)}' is not a branch of the link; allowed: {', '.join(letters)}")
    return letters.index(text)


def _parse_lab(name: str, scenario: Scenario) -> str:
    """Return the name of a lab of a scenario, which may be empty."""
    if name and (name not in scenario.labs or len(scenario.labs) == 1):
        allowed = ", ".join(scenario.labs) if len(scenario.labs) > 1 else "no lab, because this scenario has only one"
        raise InputError(f"lab = '{_printable(name)}' is not a lab of the link; allowed: {allowed}. Choose another lab")
    return name


def _encode_branch(branch: BranchPoint) -> str:
    last = f"-{branch.last}" if branch.last else ""
    parent = f"@{LETTERS[branch.parent]}" if branch.parent is not None else ""
    changes = [f"{name}={_encode_value(value)}" for name, value in branch.changes.items()]
    return ",".join([f"{branch.frame}{last}{parent}", *changes])


def _parse_branch(text: str, known: Sequence[Scenario]) -> tuple[BranchPoint, Scenario]:
    """Return a branch and its scenario; ``known`` gives the scenarios of the timelines before it."""
    first, *rest = text.split(",")
    found = _BRANCH.fullmatch(first)
    frame = _parse_number("branch", found[1] if found else first, MAX_FRAMES)
    last = _parse_number("branch", found[2], MAX_FRAMES) if found and found[2] is not None else 0
    parent = _parse_letter("branch", found[3], len(known)) if found and found[3] is not None else None
    typed, changes = dict[str, str](), dict[str, Any]()
    for each in rest:
        name, equals, value = each.partition("=")
        if not equals:
            raise InputError(f"the link changes '{_printable(each)}' in a branch; write NAME=VALUE")
        typed[name], changes[name] = value, parse_value(name, value)
        if split_name(name)[1] in FIXED_AT_START:
            raise InputError(f"{name} cannot change within a run, and a branch of the link changes it")
    return BranchPoint(frame, changes, parent, last), _scenario_with(known[-1 if parent is None else parent], typed)


def _encode_value(value: Any) -> str:
    return value if isinstance(value, str) else toml_value(value)


def _printable(text: str) -> str:
    """Return the first characters of a text, with a question mark for each that cannot be printed."""
    return "".join(character if character.isprintable() else "?" for character in text[:60])
