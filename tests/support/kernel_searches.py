"""Objects that tests of search and proposers share: a template with a known table of outcomes, and its sessions."""

import json
import sys
from collections.abc import Mapping
from hashlib import sha256
from math import exp
from pathlib import Path
from typing import Any

from hardware.kernels.candidate import Candidate, ParameterSpace, Value
from hardware.kernels.machine import Machine, Roofline
from hardware.kernels.problem import workload
from hardware.kernels.proposers.base import History, history_of
from hardware.kernels.proposers.endpoint import Endpoint, Request
from hardware.kernels.proposers.llm import LanguageModelProposer
from hardware.kernels.proposers.registry import proposer
from hardware.kernels.proposers.search_space import SearchSpace
from hardware.kernels.search import SearchProgress, search
from hardware.kernels.trace import MeasurementSession, SearchEnd, Timing, Trace, Trial, TrialOutcome

CAUSAL = workload("causal")
MACHINE = Machine(
    processor="A processor",
    architecture="x86_64",
    cores=2,
    memory_gib=8,
    caches_kib={"L1": 32, "L2": 1024},
    instructions=("avx2", "fma"),
    compiler="g++ 13",
    accelerator="",
    versions={"torch": "2.13"},
    roofline=Roofline(gflops={"fp32": 189.0, "bf16": 1280.0}, copy_gbs=16.5),
)


def _fits(values: Mapping[str, Value]) -> bool:
    return int(values["rows"]) * int(values["columns"]) <= 4096


TILES = ParameterSpace(
    {
        "rows": (8, 16, 32, 64, 128),
        "columns": (16, 32, 64, 128, 256),
        "unroll": (1, 2, 4),
        "order": ("keys", "queries"),
        "rescale": ("always", "changed", "never"),
        "degree": (3, 4, 5),
    },
    {"rows": 8, "columns": 16, "unroll": 1, "order": "keys", "rescale": "always", "degree": 5},
    _fits,
)
SPACES = {"tiles": TILES}


def session(
    name: str = "here", proposer: str = "random", seed: int = 0, budget: int = 20, **more: Any
) -> MeasurementSession:
    """A session over the causal workload."""
    return MeasurementSession(
        session=name,
        date="2025-01-01T00:00:00Z",
        workload=CAUSAL.name,
        problem=CAUSAL.problem,
        tuned=CAUSAL.tuned,
        held_out=CAUSAL.held_out,
        machine=MACHINE.model_dump(mode="json"),
        isolation="none",
        proposer=proposer,
        seed=seed,
        budget=budget,
        **more,
    )


def timed(speedup: float, held_out: bool = False) -> tuple[Timing, ...]:
    """Return every tuned (or held-out) shape with the same speed-up."""
    shapes = CAUSAL.held_out if held_out else CAUSAL.tuned
    return tuple(Timing(shape=shape, held_out=held_out, calls=1, pairs=((100.0, 100 * speedup),)) for shape in shapes)


def speed(values: Mapping[str, Value]) -> float:
    """A smooth hill with one peak inside: the tile's area matters, and the rest adds up."""
    at = {name: choices.index(values[name]) for name, choices in TILES.choices.items()}
    log = 0.7
    log -= (
        0.08 * (at["rows"] - 2.3) ** 2
        + 0.06 * (at["columns"] - 2.4) ** 2
        + 0.05 * (at["rows"] + at["columns"] - 5) ** 2
    )
    log -= 0.06 * (at["unroll"] - 1) ** 2 + 0.05 * at["order"] + 0.05 * (at["rescale"] - 1) ** 2 + 0.03 * at["degree"]
    return exp(log)


def is_wrong(candidate: Candidate) -> bool:
    """Return whether a candidate is wrong: two fifths of the template, some of them by a rule."""
    values = candidate.values
    coarse = values["degree"] == 3 and values["rescale"] == "never"
    return coarse or sha256(f"{candidate.digest} luck".encode()).digest()[0] < 88


class Surface:
    """An evaluator that returns known outcomes at once, and counts its calls."""

    def __init__(self) -> None:
        self.asked: list[Candidate] = []

    def evaluate(self, candidate: Candidate) -> TrialOutcome:
        """Return the same outcome for the same candidate."""
        self.asked.append(candidate)
        if candidate.source:
            return TrialOutcome("failed to build", "kernel.cpp:1: error: no such thing", cpu_s=0.5)
        if is_wrong(candidate):
            return TrialOutcome("wrong", "far off on a length that is a secret", "ragged length", cpu_s=0.25)
        return TrialOutcome("passed", timed=timed(speed(candidate.values)), cpu_s=1.0)


def main(path: str, name: str, seed: str, budget: str) -> None:
    """A search in a separate process that prints the number of each trial."""

    def watch(trial: Trial, progress: SearchProgress) -> None:
        print(trial.number, flush=True)

    here = session(proposer=name, seed=int(seed), budget=int(budget))
    search(Trace(Path(path)), here, proposer(name), Surface(), SPACES, watch)


if __name__ == "__main__":
    main(*sys.argv[1:])


POOL = SearchSpace(SPACES)
QUESTION = Request("You tune kernels.", "Trial 1.")
SOURCE = 'extern "C" int attention(const Attention* a) { return 0; }'


def history(**more: Any) -> History:
    """At the beginning of a search by a language model."""
    return history_of(session(proposer="llm", budget=9), POOL)._replace(**more)


def template(why: str = "larger tiles", expects: float = 1.2, **parameters: object) -> str:
    """Return the answer of a model that proposes these parameters."""
    return json.dumps({"family": "tiles", "parameters": parameters, "expects": expects, "why": why})


def searched(
    path: Path, endpoint: Endpoint, budget: int = 9, foreign: bool = False
) -> tuple[list[Trial], SearchEnd | None]:
    """Return the trials and the end of a search with the answers of an endpoint."""
    trace = Trace(path)
    here = session(proposer="llm", budget=budget)
    end = search(trace, here, LanguageModelProposer(endpoint), Surface(), SPACES, source_allowed=foreign)
    return trace.trials("here"), end
