"""How the batteries of sim.testing.invariants draw and tell: always the same examples, none of them kept, one failure
in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, UnsatisfiedAssumption

Example = TypeVar("Example")


def run_properties(
    drawn: st.SearchStrategy[Example],
    hold: Callable[[Example], None],
    tell: Callable[[Example], str],
    examples: int,
    shortest: bool = True,
) -> None:
    """Hold so many examples against what ``hold`` asserts; one that fails is told at its shortest, or as it was found.

    Raises AssertionError with what does not hold, an error of any kind included, and what ``tell`` says of the example;
    also for an example that fails and then does not. Raises ValueError if there are to be no examples.
    """
    if examples < 1:
        raise ValueError(f"examples = {examples}: there must be at least 1")
    latest = ""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink) if shortest else (Phase.generate,),
    )
    @given(drawn)
    def hold_one(example: Example) -> None:
        nonlocal latest
        latest = tell(example)
        try:
            hold(example)
        except UnsatisfiedAssumption:
            raise
        except Exception as error:
            raise AssertionError(f"{_in_words(error)}\n{latest}") from error

    try:
        hold_one()
    except Flaky:
        raise AssertionError(
            "the same example came out otherwise when it was run again: something hangs on more than what it was "
            f"given, such as the order of a set, a clock, or chance of its own\n{latest}"
        ) from None
    except AssertionError as error:  # told once more without what Hypothesis notes on it
        raise AssertionError(*error.args) from error.__cause__


def _in_words(error: Exception) -> str:
    """What went wrong, in one line."""
    said = next(iter(str(error).splitlines()), "")
    if isinstance(error, AssertionError) and said:
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
