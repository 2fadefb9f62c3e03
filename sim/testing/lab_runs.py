"""Run small random labs twice, with and without queries between their events, and compare the runs."""

from collections.abc import Callable

from hypothesis import reject
from hypothesis import strategies as st

from sim.lab_factory import LabFactory
from sim.scenario.model import Scenario, ScenarioError
from sim.testing.invariants import check_invariants, describe_example, small_scenarios
from sim.testing.runner import run_properties
from sim.world import World


def check_lab_runs(make: LabFactory, check: Callable[[World], None], examples: int, part: str, **fixed: object) -> None:
    """Check a part of a lab in small labs, which run to their ends.

    ``check`` asserts the properties of a World after each frame. A second run without these queries, which is saved
    and restored midway, must have the same events and jobs.

    Arguments
    ---------
    make
        Classes of the lab, with the part that is checked.
    check
        Function that raises AssertionError for a World that violates a property; it must not change the World.
    examples
        Number of labs, at least 1.
    part
        Name of the part, for the message.
    fixed
        Parameters that all labs have, by flat name.

    Raises AssertionError with the violated property, the seed and the scenario, also if the part itself raises an
    error. Raises ValueError if ``examples`` is below 1.
    """

    def check_example(example: tuple[Scenario, int]) -> None:
        try:
            worlds = [World(*example, make=make) for _ in range(2)]
        except ScenarioError:
            reject()
            raise
        with worlds[0] as queried, worlds[1] as unqueried:
            _compare_runs(queried, unqueried, check, part)

    drawn = st.tuples(small_scenarios(**fixed), st.integers(0, 2**32))
    run_properties(drawn, check_example, describe_example, examples, shortest=False)


def _compare_runs(queried: World, unqueried: World, check: Callable[[World], None], part: str) -> None:
    """Run a world with queries after every frame, and the same world without queries, saved and restored midway."""
    frames = 0
    while queried.running:
        check(queried)
        check_invariants(queried)
        queried.step()
        frames += 1
    check(queried)
    check_invariants(queried)
    for _ in range(frames // 2):
        unqueried.step()
    with World.restore(unqueried.snapshot()) as restored:
        while restored.running:
            restored.step()
        assert restored.digest() == queried.digest(), (
            f"a run that was not queried, and was restored on day {unqueried.now:g}, had other events. "
            f"Either a query changed the {part}, or its actions depend on more than its state"
        )
