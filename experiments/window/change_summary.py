"""Describe in one sentence what an event of the simulation clock changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agents.phases import Phase
from experiments.text.number_format import format_count, pluralize
from experiments.window.event_text import describe_event
from hardware.uses import Use

if TYPE_CHECKING:
    from sim.world import World

MAX_DESCRIBED_EVENTS = 3
"""Maximum number of events of the ledger in a sentence."""

_USE_NAMES = {"experiment": "experiments"}
_PHASE_ENTERED = {
    Phase.QUEUE: "requested GPUs",
    Phase.RUN: "began an experiment",
    Phase.WRITE: "began to write",
    Phase.THINK: "began to think",
    Phase.PAUSED: "paused because no inference GPU is available",
}


class WorldFingerprint(NamedTuple):
    """The visible state of a world as counts that are cheap to compare."""

    ledger_events: int
    jobs_over: int
    phases: tuple[int, ...]
    gpus: tuple[int, ...]


def fingerprint(world: World) -> WorldFingerprint:
    """Return the fingerprint of a world."""
    datacenter = world.lab.compute.datacenter
    return WorldFingerprint(
        len(world.ledger),
        len(datacenter.records),
        tuple(world.lab.workforce.census.count[phase] for phase in Phase),
        tuple(datacenter.gpus_in_use(use) for use in Use),
    )


def describe_changes(world: World, before: WorldFingerprint) -> str:
    """Describe the visible changes in a world since a fingerprint; empty if there are none."""
    after = fingerprint(world)
    if after == before:
        return ""
    events = world.ledger[before.ledger_events :]
    field = world.scenario.literature.open_questions
    sentences = [describe_event(event, field).sentence for event in events[:MAX_DESCRIBED_EVENTS]]
    if len(events) > MAX_DESCRIBED_EVENTS:
        sentences.append(f"And {pluralize(len(events) - MAX_DESCRIBED_EVENTS, 'more event')}.")
    return " ".join(sentences or [_unlogged_changes(world, before, after)])


def _unlogged_changes(world: World, before: WorldFingerprint, after: WorldFingerprint) -> str:
    """Describe changes that the ledger does not record."""
    parts = [*_phase_changes(before, after), *_job_changes(world, before, after)]
    sentence = "; ".join(parts) or "jobs moved between GPUs"
    return f"{sentence[0].upper()}{sentence[1:]}."


def _phase_changes(before: WorldFingerprint, after: WorldFingerprint) -> list[str]:
    more = {phase: new - old for phase, old, new in zip(Phase, before.phases, after.phases, strict=True)}
    back = more[Phase.QUEUE] > 0 > more[Phase.RUN]  # after a failure or a preemption
    words = _PHASE_ENTERED | ({Phase.QUEUE: "lost the GPUs of an experiment, which waits again"} if back else {})
    return [f"{_format_researchers(more[phase])} {did}" for phase, did in words.items() if more[phase] > 0]


def _format_researchers(number: int) -> str:
    return "a researcher" if number == 1 else f"{number:,} researchers"


def _job_changes(world: World, before: WorldFingerprint, after: WorldFingerprint) -> list[str]:
    parts = []
    records = world.lab.compute.datacenter.records[before.jobs_over :]
    if records:
        last = records[-1]
        what = "a training run" if last.use == "training" else f"a job for {_USE_NAMES.get(last.use, last.use)}"
        took = f" after {pluralize(last.ended - last.started, 'day')}" if last.started is not None else ""
        parts.append(f"{what} on {pluralize(last.gpus, 'GPU')} has ended{took}")
    for use, old, new in zip(Use, before.gpus, after.gpus, strict=True):
        if new != old:
            parts.append(f"GPUs for {_USE_NAMES.get(use, use)}: {format_count(new)} ({new - old:+,})")
    return parts
