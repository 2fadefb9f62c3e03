"""Test that random streams depend on seed, decision and agent only."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from sim.random_streams import RandomStreams

NAMES = st.tuples(st.sampled_from(["thinking", "writing", "experiment cost"]), st.integers(0, 5))


def first_draws(streams: RandomStreams, keys: list[tuple[str, int]]) -> dict[tuple[str, int], float]:
    return {key: streams.get(*key).random() for key in keys}


@given(st.lists(NAMES, unique=True), st.randoms())
def test_random_streams_do_not_depend_on_the_order_of_creation(names, luck):
    shuffled = luck.sample(names, len(names))
    assert first_draws(RandomStreams(7), names) == first_draws(RandomStreams(7), shuffled)


def test_random_streams_other_decision_seed_or_agent_gives_other_draws():
    keys = [("thinking", 1), ("thinking", 2), ("writing", 1), ("thinking", 11)]
    draws = list(first_draws(RandomStreams(1), keys).values()) + list(first_draws(RandomStreams(2), keys).values())
    assert len(set(draws)) == len(draws)


def test_random_streams_get_twice_continues_the_same_generator():
    streams = RandomStreams(3)
    first = streams.get("thinking", 1).random()
    assert streams.get("thinking", 1).random() != first


def test_random_streams_in_another_process_draw_the_same():
    code = "from sim.random_streams import RandomStreams; print(RandomStreams(5).get('thinking', 9).random())"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "12345")
    }
    assert outputs == {f"{RandomStreams(5).get('thinking', 9).random()}\n"}
