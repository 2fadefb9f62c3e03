"""How the batteries of sim.testing draw: always the same examples, kept nowhere, one failure."""

from collections.abc import Callable

from hypothesis import Phase, settings
from hypothesis.errors import Flaky


def battery(examples: int, shortest: bool = True) -> settings:
    """Return Hypothesis's settings for so many examples; a failure is told at its shortest, or as it was found."""
    phases = (Phase.generate, Phase.shrink) if shortest else (Phase.generate,)
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, print_blob=False,
        report_multiple_bugs=False, phases=phases,
    )  # fmt: skip


def hold_all(hold: Callable[[], None]) -> None:
    """Try all examples of a property; one that fails and then does not is told as just that, with an AssertionError."""
    try:
        hold()
    except Flaky:
        raise AssertionError(
            "the same example came out otherwise when it was run again: something hangs on more than what it was "
            "given, such as the order of a set, a clock, or chance of its own"
        ) from None
