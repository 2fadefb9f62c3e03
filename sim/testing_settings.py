"""How the batteries of sim.testing draw: always the same examples, kept nowhere, one failure."""

from hypothesis import Phase, settings


def battery(examples: int, shortest: bool = True) -> settings:
    """Return Hypothesis's settings for so many examples; a failure is told at its shortest, or as it was found."""
    phases = (Phase.generate, Phase.shrink) if shortest else (Phase.generate,)
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, print_blob=False,
        report_multiple_bugs=False, phases=phases,
    )  # fmt: skip
