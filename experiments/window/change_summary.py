"""Describe in one sentence what an event of the simulation clock changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agents.phases import Phase
from experiments.text.number_format import format_count, pluralize
from experiments.window.event_text import describe_event, label_sentence, papers_before_start
from hardware.uses import Use

if TYPE_CHECKING:
    from sim.lab import Lab
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


class LabFingerprint(NamedTuple):
    """The visible state of a lab as counts that are cheap to compare."""

    jobs_over: int
    phases: tuple[int, ...]
    gpus: tuple[int, ...]


class WorldFingerprint(NamedTuple):
    """The visible state of a world as counts that are cheap to compare."""

    ledger_events: int
    labs: tuple[LabFingerprint, ...]


def fingerprint(world: World) -> WorldFingerprint:
    """Return the fingerprint of a world."""
    return WorldFingerprint(len(world.ledger), tuple(_fingerprint_of(lab) for lab in world.labs.values()))


def _fingerprint_of(lab: Lab) -> LabFingerprint:
    datacenter = lab.compute.datacenter
    return LabFingerprint(
        len(datacenter.records),
        tuple(lab.workforce.census.count[phase] for phase in Phase),
        tuple(datacenter.gpus_in_use(use) for use in Use),
    )


def describe_changes(world: World, before: WorldFingerprint) -> str:
    """Describe the visible changes in a world since a fingerprint; empty if there are none."""
    after = fingerprint(world)
    if after == before:
        return ""
    events = world.ledger[before.ledger_events :]
    before_start = papers_before_start(world)
    sentences = [describe_event(event, before_start).labelled for event in events[:MAX_DESCRIBED_EVENTS]]
    if len(events) > MAX_DESCRIBED_EVENTS:
        sentences.append(f"And {pluralize(len(events) - MAX_DESCRIBED_EVENTS, 'more event')}.")
    changed = [
        _unlogged_changes(lab, old, new)
        for lab, old, new in zip(world.labs.values(), before.labs, after.labs, strict=True)
        if new != old
    ]
    return " ".join(sentences or changed)


def _unlogged_changes(lab: Lab, before: LabFingerprint, after: LabFingerprint) -> str:
    """Describe changes of a lab that the ledger does not record."""
    parts = [*_phase_changes(before, after), *_job_changes(lab, before, after)]
    sentence = "; ".join(parts) or "jobs moved between GPUs"
    return label_sentence(lab.name, f"{sentence[0].upper()}{sentence[1:]}.")


def _phase_changes(before: LabFingerprint, after: LabFingerprint) -> list[str]:
    more = {phase: new - old for phase, old, new in zip(Phase, before.phases, after.phases, strict=True)}
    back = more[Phase.QUEUE] > 0 > more[Phase.RUN]  # after a failure or a preemption
    words = _PHASE_ENTERED | ({Phase.QUEUE: "lost the GPUs of an experiment, which waits again"} if back else {})
    return [f"{_format_researchers(more[phase])} {did}" for phase, did in words.items() if more[phase] > 0]


def _format_researchers(number: int) -> str:
    return "a researcher" if number == 1 else f"{number:,} researchers"


def _job_changes(lab: Lab, before: LabFingerprint, after: LabFingerprint) -> list[str]:
    parts = []
    records = lab.compute.datacenter.records[before.jobs_over :]
    if records:
        last = records[-1]
        what = "a training run" if last.use == "training" else f"a job for {_USE_NAMES.get(last.use, last.use)}"
        took = f" after {pluralize(last.ended - last.started, 'day')}" if last.started is not None else ""
        parts.append(f"{what} on {pluralize(last.gpus, 'GPU')} has ended{took}")
    for use, old, new in zip(Use, before.gpus, after.gpus, strict=True):
        if new != old:
            parts.append(f"GPUs for {_USE_NAMES.get(use, use)}: {format_count(new)} ({new - old:+,})")
    return parts
