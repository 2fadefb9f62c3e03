"""Run property tests with reproducible examples, and report one failure as a plain message."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, UnsatisfiedAssumption

Example = TypeVar("Example")

_SEED = 0
"""Seed of the examples, so that they depend on neither the run nor the wording of this module."""


def run_properties(
    drawn: st.SearchStrategy[Example],
    check: Callable[[Example], None],
    describe: Callable[[Example], str],
    examples: int,
    shortest: bool = True,
) -> None:
    """Run ``check`` on ``examples`` values of a strategy, and report the first failure.

    Arguments
    ---------
    drawn
        Strategy for the examples.
    check
        Function that raises an error for an example that fails.
    describe
        Function that returns an example as text, for the message.
    examples
        Number of examples, at least 1.
    shortest
        Whether a failing example is reduced to the shortest that fails.

    Raises AssertionError with the error and the example, also if an example fails only once. Raises ValueError if
    ``examples`` is below 1.
    """
    if examples < 1:
        raise ValueError(f"examples = {examples}: there must be at least 1")
    latest = ""

    @seed(_SEED)
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a mistake of the checked class
        phases=(Phase.generate, Phase.shrink) if shortest else (Phase.generate,),
    )
    @given(drawn)
    def check_example(example: Example) -> None:
        nonlocal latest
        latest = describe(example)
        try:
            check(example)
        except UnsatisfiedAssumption:
            raise
        except Exception as error:
            raise AssertionError(f"{_format_error(error)}\n{latest}") from error

    try:
        check_example()
    except Flaky:
        raise AssertionError(
            "the same example gave another result when it was run again. The result depends on more than the example, "
            f"such as the order of a set, a clock or unnamed random numbers\n{latest}"
        ) from None
    except AssertionError as error:  # raised again without the notes of Hypothesis
        raise AssertionError(*error.args) from error.__cause__


def _format_error(error: Exception) -> str:
    """Return an error as one line, without its type if it is an assertion with a message."""
    line = next(iter(str(error).splitlines()), "")
    if isinstance(error, AssertionError) and line:
        return line
    return f"{type(error).__name__}: {line}" if line else type(error).__name__
