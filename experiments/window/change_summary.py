"""What one event of the clock changed, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agents.phases import Phase
from experiments.window.event_text import describe_events
from experiments.window.number_format import format_count, pluralize
from sim.reporters import USES

if TYPE_CHECKING:
    from sim.world import World

MAX_TOLD = 3
"""Events of the ledger that a sentence tells."""

_ENTERED = {
    Phase.QUEUE: "asked for GPUs",
    Phase.RUN: "began an experiment",
    Phase.WRITE: "began to write up",
    Phase.THINK: "began to think",
    Phase.PAUSED: "stopped for want of inference GPUs",
}


class WorldFingerprint(NamedTuple):
    """Whatever a frame shows of a world, as numbers that cost nothing to compare."""

    facts: int
    jobs_over: int
    phases: tuple[int, ...]
    gpus: tuple[int, ...]


def fingerprint(world: World) -> WorldFingerprint:
    """Return the moment on which a world stands."""
    datacenter = world.datacenter
    return WorldFingerprint(
        len(world.ledger),
        len(datacenter.records),
        tuple(world.census.count[phase] for phase in Phase),
        tuple(datacenter.gpus_in_use(use) for use in USES),
    )


def changed(world: World, before: WorldFingerprint) -> str:
    """Return what happened in a world since a moment; empty if nothing did that can be seen."""
    after = fingerprint(world)
    if after == before:
        return ""
    events = world.ledger[before.facts :]
    field = world.scenario.literature.open_questions
    told = [describe_events(event, field).sentence for event in events[:MAX_TOLD]]
    if len(events) > MAX_TOLD:
        told.append(f"And {len(events) - MAX_TOLD} more.")
    return " ".join(told or [_quietly(world, before, after)])


def _quietly(world: World, before: WorldFingerprint, after: WorldFingerprint) -> str:
    """What happened that no event of the ledger tells."""
    parts = [*_moves(before, after), *_jobs(world, before, after)]
    sentence = "; ".join(parts) or "jobs moved between GPUs"
    return f"{sentence[0].upper()}{sentence[1:]}."


def _moves(before: WorldFingerprint, after: WorldFingerprint) -> list[str]:
    more = {phase: new - old for phase, old, new in zip(Phase, before.phases, after.phases, strict=True)}
    back = more[Phase.QUEUE] > 0 > more[Phase.RUN]  # after a failure, or pushed out
    words = _ENTERED | ({Phase.QUEUE: "lost the GPUs of an experiment, which waits again"} if back else {})
    return [f"{_researchers(more[phase])} {did}" for phase, did in words.items() if more[phase] > 0]


def _researchers(number: int) -> str:
    return "a researcher" if number == 1 else f"{number:,} researchers"


def _jobs(world: World, before: WorldFingerprint, after: WorldFingerprint) -> list[str]:
    parts = []
    records = world.datacenter.records[before.jobs_over :]
    if records:
        last = records[-1]
        what = "a training run" if last.use == "training" else f"a job for {last.use}"
        took = f" after {pluralize(last.ended - last.started, 'day')}" if last.started is not None else ""
        parts.append(f"{what} on {pluralize(last.gpus, 'GPU')} is over{took}")
    for use, old, new in zip(USES, before.gpus, after.gpus, strict=True):
        if new != old:
            parts.append(
                f"{use} has {pluralize(new, 'GPU')}, {format_count(abs(new - old))} {'more' if new > old else 'fewer'}"
            )
    return parts
