"""Tests of proposers: allowed and new proposals, dependence on the history only, and speed of the search."""

from collections.abc import Iterator
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.kernels.candidate import Candidate, ParameterSpace, Value
from hardware.kernels.proposers.base import History, Proposal, TrialSummary, history_of, with_trial
from hardware.kernels.proposers.registry import PROPOSERS, UnknownProposerError, proposer
from hardware.kernels.proposers.search_space import SearchSpace
from hardware.kernels.proposers.surrogate import expected_speedup
from hardware.kernels.trace import Trial
from tests.support.kernel_searches import CAUSAL, SPACES, TILES, Surface, is_wrong, session, speed, timed
from tests.support.properties import examples

SHIPPED = ("naive", "random", "hill-climb", "evolve", "autotune", "llm")
TUNERS = ("random", "hill-climb", "evolve", "autotune")
POOL = SearchSpace(SPACES)
FASTEST = max(speed(each.values) for each in TILES.all("tiles") if not is_wrong(each))


def score(candidate: Candidate) -> float | None:
    return None if is_wrong(candidate) else speed(candidate.values)


def further(history: History, candidate: Candidate, found: float | None) -> History:
    tried = TrialSummary(history.number, candidate, "wrong" if found is None else "passed", found)
    return history._replace(number=history.number + 1, tried=(*history.tried, tried))


def walk(name: str, seed: int, trials: int, pool: SearchSpace = POOL) -> Iterator[tuple[History, Proposal]]:
    """Yield the proposals of a search over the known table, each with its history."""
    history, who = history_of(session(proposer=name, seed=seed, budget=trials), pool), proposer(name)
    for _ in range(trials):
        made = who.propose(history)
        if made is None:
            return
        yield history, made
        history = further(history, made.candidate, score(made.candidate))


def trials_needed(name: str, seed: int, most: int) -> int:
    """Return the number of trials up to 95% of the fastest."""
    for history, made in walk(name, seed, most):
        if (score(made.candidate) or 0.0) >= 0.95 * FASTEST:
            return history.number
    return most + 1


@pytest.mark.parametrize(("name", "most"), [("random", 200), ("hill-climb", 50), ("evolve", 60), ("autotune", 45)])
def test_median_search_finds_95_percent_of_the_best(name: str, most: int) -> None:
    assert median(trials_needed(name, seed, most) for seed in range(20)) <= most


def test_learning_proposers_need_less_than_half_the_trials_of_random() -> None:
    needed = {name: median(trials_needed(name, seed, 250) for seed in range(20)) for name in TUNERS}
    assert max(needed[name] for name in TUNERS[1:]) < needed["random"] / 2


@st.composite
def spaces(draw: st.DrawFn) -> dict[str, ParameterSpace]:
    """One to three small families; some combinations, perhaps including the default one, are not allowed."""
    made = {}
    for family in ("one", "two", "three")[: draw(st.integers(1, 3))]:
        sizes = draw(st.lists(st.integers(1, 4), max_size=3))
        choices: dict[str, tuple[Value, ...]] = {f"p{at}": tuple(range(size)) for at, size in enumerate(sizes)}
        modulus = draw(st.integers(2, 7))

        def is_allowed(values: object, modulus: int = modulus) -> bool:
            return sum(values.values()) % modulus != 1  # type: ignore[attr-defined]

        made[family] = ParameterSpace(choices, {name: options[-1] for name, options in choices.items()}, is_allowed)
    return made


@pytest.mark.parametrize("name", TUNERS)
@examples(30)
@given(spaces=spaces(), seed=st.integers(0, 2**32), luck=st.randoms(use_true_random=False))
def test_proposer_covers_any_space_without_repeats(
    name: str, spaces: dict[str, ParameterSpace], seed: int, luck
) -> None:
    pool = SearchSpace(spaces)
    history, who = history_of(session(proposer=name, seed=seed), pool), proposer(name)
    seen = []
    while (made := who.propose(history)) is not None:
        assert made.candidate in pool
        seen.append(made.candidate)
        history = further(history, made.candidate, luck.choice([None, 0.5, 1.0, 2.0]))
        assert len(seen) <= len(pool.enumerated)
    assert len(seen) == len(set(seen)) == len({each.digest for each in seen})
    assert set(seen) == {each for family, space in spaces.items() for each in space.all(family)}


@pytest.mark.parametrize("name", TUNERS)
def test_proposal_depends_only_on_seed_and_history(name: str) -> None:
    for history, made in walk(name, 3, 40):
        assert proposer(name).propose(history) == made  # by one that has seen nothing of what went before


@pytest.mark.parametrize("name", TUNERS)
def test_proposer_does_not_repeat_a_refused_candidate(name: str) -> None:
    *_, (history, made) = walk(name, 5, 30)
    refused = [made.candidate]
    for _ in range(5):
        again = proposer(name).propose(history._replace(refused=tuple(refused)))
        assert again is not None
        assert again.candidate not in refused
        refused.append(again.candidate)


@pytest.mark.parametrize("name", ["random", "hill-climb", "evolve"])
def test_proposals_differ_between_seeds(name: str) -> None:
    one, other = ([made.candidate for _, made in walk(name, seed, 15)] for seed in (1, 2))
    assert one != other


def test_naive_proposes_the_default_of_the_first_family_once() -> None:
    two = SearchSpace({"tiles": TILES, "other": ParameterSpace({}, {})})
    assert [made.candidate for _, made in walk("naive", 0, 5, two)] == [TILES.candidate("tiles", {})]


@pytest.mark.parametrize("name", ["hill-climb", "autotune"])
def test_tuners_start_with_the_default_candidate(name: str) -> None:
    assert next(walk(name, 7, 1))[1].candidate == TILES.candidate("tiles", {})


def test_hill_climb_starts_only_from_a_candidate_that_passed() -> None:
    history = history_of(session(proposer="hill-climb"), POOL)
    for _ in range(10):
        made = proposer("hill-climb").propose(history)
        assert made is not None
        assert "start" in made.why
        history = further(history, made.candidate, None)
    start = made.candidate
    history = history._replace(tried=(*history.tried[:-1], history.tried[-1]._replace(status="passed", score=1.0)))
    step = proposer("hill-climb").propose(history)
    assert step is not None
    assert step.candidate in TILES.neighbours(start)


def test_hill_climb_takes_improvements_and_restarts_at_a_peak() -> None:
    line = SearchSpace({"line": ParameterSpace({"x": tuple(range(9)), "y": (0, 1, 2)}, {"x": 0, "y": 0})})
    history, who, starts = history_of(session(proposer="hill-climb"), line), proposer("hill-climb"), []
    for _ in range(27):
        made = who.propose(history)
        assert made is not None
        if "start" in made.why:
            starts.append(history.number)
            passed = [each.score for each in history.tried]
            assert not passed or 12.0 in passed  # never before the peak of this one hill
        history = further(
            history, made.candidate, 10.0 + int(made.candidate.values["y"]) - abs(int(made.candidate.values["x"]) - 5)
        )
    assert len(starts) > 1


def test_autotune_varies_one_parameter_at_a_time() -> None:
    history, who = history_of(session(proposer="autotune"), POOL), proposer("autotune")
    for at in range(5):  # the naive one, then the first parameter over its five choices
        made = who.propose(history)
        assert made is not None
        assert made.candidate.values == dict(TILES.default) | {"rows": TILES.choices["rows"][at]}
        history = further(history, made.candidate, 1.0 + (at == 2))
    made = who.propose(history)
    assert made is not None
    assert made.candidate.values == dict(TILES.default) | {"rows": 32, "columns": 32}


def test_surrogate_predicts_an_additive_table() -> None:
    space = ParameterSpace({"a": (0, 1, 2), "b": (0, 1, 2)}, {"a": 0, "b": 0})
    history = history_of(session(), SearchSpace({"f": space}))
    assert expected_speedup(history, space.candidate("f", {})) is None
    everything = list(space.all("f"))
    for _ in range(30):  # so often that the shrinkage no longer counts
        for each in everything:
            history = further(history, each, 2.0 ** (int(each.values["a"]) - 0.5 * int(each.values["b"])))
    for each in everything:
        truth = 2.0 ** (int(each.values["a"]) - 0.5 * int(each.values["b"]))
        assert expected_speedup(history, each) == pytest.approx(truth, rel=0.05)


def test_surrogate_is_better_than_the_mean() -> None:
    """On the smooth surface the additive model halves the squared error of the mean of passed candidates."""
    model = mean = 0.0
    for seed in range(5):
        for history, made in walk("random", seed, 120):
            truth, passed = score(made.candidate), history.passed
            if truth is not None and len(passed) > 30:
                assert made.expects is not None
                model += (made.expects - truth) ** 2
                mean += (sum(value for _, value in passed) / len(passed) - truth) ** 2
    assert model < mean / 2


def test_history_has_only_the_allowed_fields() -> None:
    begun = history_of(session(seed=4, budget=9), POOL)
    assert begun._fields == (
        *("workload", "problem", "shapes", "machine", "search_space", "source_allowed", "budget", "seed"),
        *("number", "tried", "refused", "complaint"),
    )
    candidate = POOL.defaults[0]
    trial = Trial(
        session="here",
        number=1,
        family="tiles",
        parameters=candidate.values,
        digest=candidate.digest,
        status="wrong",
        reason="row 17 of the inputs of seed 12345",
        failed_on="offset",
        timed=(*timed(1.5), *timed(9.0, held_out=True)),
    )
    history = with_trial(begun, trial, {})
    assert history.tried == (
        TrialSummary(
            1, candidate, "wrong", None, tuple((shape, pytest.approx(1.5)) for shape in CAUSAL.tuned), "offset"
        ),
    )
    assert all(str(shape) not in repr(history) and repr(shape) not in repr(history) for shape in CAUSAL.held_out)
    assert "12345" not in repr(history)
    built = with_trial(begun, trial.model_copy(update={"status": "failed to build", "reason": "error: no"}), {})
    assert built.tried[0].complaint == "error: no"


def test_history_of_a_trial_without_proposal_has_no_candidate() -> None:
    begun = history_of(session(), POOL)
    trial = Trial(
        session="here",
        number=1,
        family="",
        parameters={},
        digest="",
        status="no proposal",
        reason="no JSON",
        failed_on="answer",
    )
    history = with_trial(begun, trial, {})
    assert (history.number, history.tried, history.complaint) == (2, (), "no JSON")
    assert with_trial(begun, trial.model_copy(update={"failed_on": "503"}), {}).complaint == ""


def test_search_space_draws_uniformly() -> None:
    pool = SearchSpace({"one": ParameterSpace({"x": (0, 1, 2)}, {"x": 0}), "two": ParameterSpace({}, {})})
    rng = history_of(session(), pool).rng
    drawn = [pool.draw(rng, ()) for _ in range(4000)]
    assert all(abs(drawn.count(each) - 1000) < 150 for each in pool.enumerated)
    assert pool.draw(rng, pool.enumerated) is None


def test_search_space_without_candidates_draws_none() -> None:
    for nothing in (SearchSpace({}), SearchSpace({"f": ParameterSpace({"x": (1, 2)}, {"x": 1}, lambda values: False)})):
        for name in PROPOSERS:
            if name != "llm":
                assert proposer(name).propose(history_of(session(), nothing)) is None


def test_search_space_nearest_orders_by_steps_and_family() -> None:
    pool = SearchSpace({"one": ParameterSpace({"x": (0, 1, 2, 3)}, {"x": 0}), "two": ParameterSpace({}, {})})
    at, seen = Candidate("one", (("x", 1),)), []
    while (found := pool.nearest(at, seen, history_of(session(), pool).rng)) is not None:
        seen.append(found)
    assert [each.values.get("x") for each in (seen[0], *seen[3:])] == [1, 3, None]


@pytest.mark.parametrize(
    "candidate",
    [
        Candidate("else"),
        Candidate("tiles"),
        Candidate("tiles", (("rows", 8),)),
        Candidate("tiles", POOL.defaults[0].parameters, "int main() {}"),
        Candidate("tiles", tuple(reversed(POOL.defaults[0].parameters))),
        Candidate("tiles", tuple((TILES.default | {"rows": 128, "columns": 256}).items())),
    ],
)
def test_search_space_excludes_other_candidates(candidate: Candidate) -> None:
    assert candidate not in POOL
    assert POOL.neighbours(candidate) == []


def test_evolve_and_hill_climb_skip_untrusted_sources() -> None:
    foreign = Candidate("foreign", (), "int attention();")
    for name in ("hill-climb", "evolve", "autotune"):
        history = history_of(session(proposer=name), POOL)
        for at in range(6):
            history = further(history, foreign._replace(source=f"// {at}"), 5.0 + at)
        for number in range(7, 17):
            made = proposer(name).propose(history._replace(number=number))
            assert made is not None
            assert made.candidate in POOL


def test_unknown_proposer_suggests_the_closest_name() -> None:
    with pytest.raises(UnknownProposerError, match=r"'hillclimb' is unknown; allowed: .*did you mean 'hill-climb'\?"):
        proposer("hillclimb")
    assert [name for name in PROPOSERS if name in SHIPPED] == list(SHIPPED)
    with pytest.raises(UnknownProposerError, match=f"allowed: {', '.join(PROPOSERS)}$"):
        proposer("xyz")


def test_proposer_names_equal_their_registered_names() -> None:
    for name, summary in PROPOSERS.items():
        if name != "llm":
            assert (proposer(name).name, proposer(name).summary) == (name, summary)


def test_surface_has_two_fifths_wrong_candidates() -> None:
    everything = list(TILES.all("tiles"))
    wrong = [each for each in everything if Surface().evaluate(each).status == "wrong"]
    assert 0.38 < len(wrong) / len(everything) < 0.44
