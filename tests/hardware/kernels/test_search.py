"""Tests of searches: their ends, traces, resumption after a kill, and replay from a table."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hardware.kernels.candidate import Candidate, ParameterSpace
from hardware.kernels.proposers.base import History, NoProposal, Proposal
from hardware.kernels.proposers.registry import proposer
from hardware.kernels.search import MAX_REPEATS, NotMeasuredError, ReplayEvaluator, SearchError, SearchProgress, search
from hardware.kernels.trace import MeasurementSession, SearchEnd, Trace, Trial, read
from tests.support.kernel_searches import SPACES, TILES, Surface, session

ROOT = Path(__file__).parents[3]
TUNERS = ("random", "hill-climb", "evolve", "autotune")


class FunctionProposer:
    """A proposer that returns the value of a function of the history."""

    name = "function"
    summary = ""

    def __init__(self, propose_from) -> None:
        self.propose_from = propose_from

    def propose(self, history: History) -> Proposal | None:
        return self.propose_from(history)


def run(path: Path, name: str = "random", budget: int = 20, seed: int = 0, **more) -> SearchEnd | None:
    return search(
        Trace(path), session(proposer=name, budget=budget, seed=seed), proposer(name), Surface(), SPACES, **more
    )


def next_candidate(history: History) -> Proposal:
    return Proposal(history.search_space.enumerated[history.number], 1.5, "The next one.")


@pytest.mark.parametrize("name", TUNERS)
def test_trace_contains_prediction_and_outcome_of_every_trial(tmp_path: Path, name: str) -> None:
    end = run(tmp_path / "trace.jsonl", name)
    first, *trials, last = read(tmp_path / "trace.jsonl")
    assert isinstance(first, MeasurementSession)
    assert end == last == SearchEnd(session="here", reason="the budget of 20 trials is spent", trials=20)
    assert [each.number for each in trials] == list(range(1, 21))
    assert len({each.digest for each in trials}) == 20
    assert {each.status for each in trials} == {"passed", "wrong"}
    assert all(each.why for each in trials)
    assert all(each.expects is not None for each in trials[-3:])
    for each in trials:
        assert TILES.candidate("tiles", each.parameters).digest == each.digest
        assert (each.score is not None) == (each.status == "passed")


def test_search_without_more_candidates_ends(tmp_path: Path) -> None:
    end = run(tmp_path / "trace.jsonl", "naive")
    assert end == SearchEnd(session="here", reason="the proposer has no more candidates", trials=1)


def test_search_with_a_zero_budget_ends_at_once(tmp_path: Path) -> None:
    assert run(tmp_path / "trace.jsonl", budget=0) == SearchEnd(
        session="here", reason="the budget of 0 trials is spent", trials=0
    )


def test_search_refuses_known_candidates(tmp_path: Path) -> None:
    surface, asked = Surface(), []

    def stubborn(history: History) -> Proposal:
        asked.append(len(history.refused))
        repeated = history.number > 1 and len(history.refused) < 3
        return Proposal(history.search_space.enumerated[1 if repeated else history.number], tokens=10)

    trace = Trace(tmp_path / "trace.jsonl")
    search(trace, session(proposer="function", budget=3), FunctionProposer(stubborn), surface, SPACES)
    assert asked == [0, 0, 1, 2, 3, 0, 1, 2, 3]
    assert len(surface.asked) == len(set(surface.asked)) == 3


def test_search_with_only_repeated_proposals_ends(tmp_path: Path) -> None:
    refusals: list[int] = []

    def same(history: History) -> Proposal:
        refusals.append(len(history.refused))
        return Proposal(history.search_space.enumerated[0])

    end = search(Trace(tmp_path / "t.jsonl"), session(proposer="function"), FunctionProposer(same), Surface(), SPACES)
    assert end == SearchEnd(session="here", reason="the proposer proposed known candidates 50 times in a row", trials=1)
    assert refusals == [0, *range(MAX_REPEATS)]


def test_search_counts_tokens_of_refused_proposals(tmp_path: Path) -> None:
    def twice(history: History) -> Proposal:
        return Proposal(history.search_space.enumerated[history.number if history.refused else 1], tokens=100)

    trace = Trace(tmp_path / "t.jsonl")
    search(trace, session(proposer="function", budget=3), FunctionProposer(twice), Surface(), SPACES)
    assert [each.tokens for each in trace.trials("here")] == [100, 200, 200]


def test_progress_agrees_with_the_trace(tmp_path: Path) -> None:
    seen: list[SearchProgress] = []
    trace = Trace(tmp_path / "t.jsonl")
    search(trace, session(budget=30), proposer("random"), Surface(), SPACES, lambda trial, now: seen.append(now))
    trials = trace.trials("here")
    assert [each.trials for each in seen] == list(range(1, 31))
    for at, now in enumerate(seen, start=1):
        scores = [each.score for each in trials[:at] if each.score is not None]
        assert now.score == max(scores, default=None)
        assert (now.best is None) == (not scores)
        assert sum(now.statuses.values()) == at
        assert now.cpu_s == sum(each.cpu_s for each in trials[:at])
    assert seen[-1].best == max(trials, key=lambda each: each.score or 0)


def test_search_after_no_proposal_counts_a_trial_and_continues(tmp_path: Path) -> None:
    def sometimes(history: History) -> Proposal:
        if history.number % 2:
            raise NoProposal("the line is dead", "connection", tokens=7)
        return next_candidate(history)

    trace = Trace(tmp_path / "t.jsonl")
    end = search(trace, session(proposer="function", budget=12), FunctionProposer(sometimes), Surface(), SPACES)
    assert end is not None
    assert end.trials == 12
    first = trace.trials("here")[0]
    assert (first.status, first.reason, first.failed_on) == ("no proposal", "the line is dead", "connection")
    assert (first.family, first.parameters, first.digest, first.score, first.tokens) == ("", {}, "", None, 7)


@pytest.mark.parametrize(("code", "trials"), [("401", 3), ("403", 3), ("503", 5), ("answer", 5)])
def test_search_with_repeated_missing_proposals_ends(tmp_path: Path, code: str, trials: int) -> None:
    def silent(history: History) -> Proposal:
        if history.number > 2:
            raise NoProposal("no", code)
        return next_candidate(history)

    path = tmp_path / "t.jsonl"
    end = search(Trace(path), session(proposer="function"), FunctionProposer(silent), Surface(), SPACES)
    assert end == SearchEnd(session="here", reason=f"no proposal {trials} times in a row: no", trials=trials + 2)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rstrip().rfind(b"\n") + 1])  # a kill before the end was written
    search(Trace(path), session(proposer="function"), FunctionProposer(silent), Surface(), SPACES)
    assert path.read_bytes() == whole


def test_trial_with_invalid_prediction_and_text_is_cleaned(tmp_path: Path) -> None:
    def odd(history: History) -> Proposal:
        return next_candidate(history)._replace(expects=float("nan"), why="half \ud800 of it")

    trace = Trace(tmp_path / "t.jsonl")
    search(trace, session(proposer="function", budget=2), FunctionProposer(odd), Surface(), SPACES)
    assert [(each.expects, each.why) for each in trace.trials("here")] == [(None, "half ? of it")] * 2
    assert read(trace.path) == trace.lines


def test_untrusted_source_is_stored_once_before_its_trial(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "t.jsonl")
    source = "int attention();"

    class ObservingEvaluator(Surface):
        def evaluate(self, candidate: Candidate):
            assert list(trace.sources().values()) == [source]
            return super().evaluate(candidate)

    def foreign(history: History) -> Proposal | None:
        return None if history.tried else Proposal(Candidate("foreign", (), source))

    for name in ("one", "two"):
        search(
            trace,
            session(name, proposer="function"),
            FunctionProposer(foreign),
            ObservingEvaluator(),
            SPACES,
            source_allowed=True,
        )
    assert [each.kind for each in trace.lines] == ["session", "source", "trial", "end", "session", "trial", "end"]
    trial = trace.trials("two")[0]
    assert trace.sources()[trial.source] == source
    assert trial.digest == Candidate("foreign", (), source).digest


@pytest.mark.parametrize("name", TUNERS)
@pytest.mark.parametrize("stop", [1, 7, 19])
def test_resumed_search_gives_the_same_trace(tmp_path: Path, name: str, stop: int) -> None:
    run(tmp_path / "whole.jsonl", name)
    assert run(tmp_path / "parts.jsonl", name, on_trial=lambda trial, progress: trial.number == stop) is None
    assert run(tmp_path / "parts.jsonl", name) is not None
    assert (tmp_path / "parts.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_resumed_search_repeats_a_trial_with_an_unfinished_line(tmp_path: Path) -> None:
    run(tmp_path / "whole.jsonl", "evolve", budget=6)
    whole = (tmp_path / "whole.jsonl").read_bytes()
    path = tmp_path / "torn.jsonl"
    for cut in range(1, len(whole), 97):
        path.write_bytes(whole[:cut])
        run(path, "evolve", budget=6)
        assert path.read_bytes() == whole


@pytest.mark.parametrize("name", ["hill-climb", "evolve"])
def test_search_killed_at_random_loses_and_repeats_no_trial(tmp_path: Path, name: str) -> None:
    run(tmp_path / "whole.jsonl", name, budget=60, seed=2)
    path, rng = tmp_path / "killed.jsonl", np.random.default_rng(8)
    command = [sys.executable, "-m", "tests.support.kernel_searches", str(path), name, "2", "60"]
    for _ in range(3):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(int(rng.integers(1, 20))):
                process.stdout.readline()
            process.kill()
        before = path.read_bytes()
    run(path, name, budget=60, seed=2)
    assert path.read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    assert path.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_complete_search_tries_no_more_candidates(tmp_path: Path) -> None:
    end = run(tmp_path / "t.jsonl")
    surface = Surface()
    assert search(Trace(tmp_path / "t.jsonl"), session(budget=20), proposer("random"), surface, SPACES) == end
    assert surface.asked == []


def test_searches_in_one_trace_are_independent(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "t.jsonl")
    for name in ("one", "two"):
        search(trace, session(name, budget=5), proposer("random"), Surface(), SPACES)
    one, two = ([each.digest for each in trace.trials(name)] for name in ("one", "two"))
    assert one == two  # the same seed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 5}, "was started with seed 0, not 5"),
        ({"budget": 50}, "was started with budget 20, not 50"),
        ({"proposer": "evolve"}, "was started with proposer 'random', not 'evolve'"),
        ({"machine": {"processor": "Another"}}, "was started on A processor"),
    ],
)
def test_search_with_the_name_of_another_raises(tmp_path: Path, change: dict[str, object], message: str) -> None:
    trace = Trace(tmp_path / "t.jsonl")
    search(trace, session(), proposer("random"), Surface(), SPACES)
    other = session().model_copy(update=change)
    with pytest.raises(SearchError, match=message):
        search(trace, other, proposer(other.proposer), Surface(), SPACES)


def test_search_with_another_proposer_raises(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="session here is for proposer 'random', not 'evolve'"):
        search(Trace(tmp_path / "t.jsonl"), session(), proposer("evolve"), Surface(), SPACES)


def test_search_after_an_evaluator_error_can_be_resumed(tmp_path: Path) -> None:
    class InterruptedEvaluator(Surface):
        def evaluate(self, candidate: Candidate):
            if len(self.asked) == 4:
                raise KeyboardInterrupt
            return super().evaluate(candidate)

    run(tmp_path / "whole.jsonl")
    path = tmp_path / "t.jsonl"
    with pytest.raises(KeyboardInterrupt):
        search(Trace(path), session(), proposer("random"), InterruptedEvaluator(), SPACES)
    assert len(Trace(path).trials("here")) == 4
    run(path)
    assert path.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def table(path: Path) -> list[Trial]:
    """A stored full table of a small corner of the template."""
    corner = TILES._replace(choices=TILES.choices | {"unroll": (1,), "order": ("keys",), "rescale": ("always",)})
    trace = Trace(path)
    search(trace, session(budget=500), proposer("random"), Surface(), {"tiles": corner})
    return trace.trials("here")


def test_table_evaluator_replays_a_search(tmp_path: Path) -> None:
    table(tmp_path / "table.jsonl")
    corner = TILES._replace(choices=TILES.choices | {"unroll": (1,), "order": ("keys",), "rescale": ("always",)})
    replayed, lived = (Trace(tmp_path / f"{name}.jsonl") for name in ("replayed", "lived"))
    stored = ReplayEvaluator(read(tmp_path / "table.jsonl"), "causal/fp32/forward")
    for trace, evaluator in ((replayed, stored), (lived, Surface())):
        search(trace, session(proposer="autotune", budget=30), proposer("autotune"), evaluator, {"tiles": corner})
    assert replayed.lines == lived.lines
    assert replayed.trials("here")[-1].number == 30


def test_table_evaluator_with_an_unknown_candidate_raises(tmp_path: Path) -> None:
    run(tmp_path / "t.jsonl", budget=2)
    stored = ReplayEvaluator(read(tmp_path / "t.jsonl"))
    unknown = Candidate("tiles", (("rows", 1),))
    with pytest.raises(NotMeasuredError) as caught:
        stored.evaluate(unknown)
    assert str(caught.value).startswith("tiles(rows=1) was not measured; available: tiles(rows=")
    assert len(stored.known) == 2
    with pytest.raises(NotMeasuredError, match="available: none"):
        ReplayEvaluator([]).evaluate(unknown)


def test_table_evaluator_needs_one_workload(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "t.jsonl")
    for workload in ("causal", "long"):
        search(
            trace,
            session(workload, budget=1).model_copy(update={"workload": workload}),
            proposer("random"),
            Surface(),
            SPACES,
        )
    with pytest.raises(SearchError, match="name one of: causal/fp32/forward, long/fp32/forward"):
        ReplayEvaluator(trace.lines)
    with pytest.raises(SearchError, match="no trial of short/fp32/forward; its workloads: causal"):
        ReplayEvaluator(trace.lines, "short/fp32/forward")
    assert len(ReplayEvaluator(trace.lines, "long/fp32/forward").known) == 1


def test_family_without_parameters_has_one_candidate(tmp_path: Path) -> None:
    class PassingEvaluator:
        def evaluate(self, candidate: Candidate):
            return Surface().evaluate(TILES.candidate("tiles", {}))

    end = search(
        Trace(tmp_path / "t.jsonl"), session(), proposer("random"), PassingEvaluator(), {"sdpa": ParameterSpace({}, {})}
    )
    assert end is not None
    assert end.trials == 1
