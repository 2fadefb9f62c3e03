"""Hypothesis profiles of the test suite, and the number of examples of a property."""

import os

from hypothesis import HealthCheck, settings

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci")
NIGHTLY_FACTOR = 10
"""Number of nightly examples for each example of `ci`."""


def load_profile() -> None:
    """Load the profile that HYPOTHESIS_PROFILE names: `ci` (fixed examples, the default) or `nightly` (random)."""
    slow = [HealthCheck.too_slow]
    settings.register_profile("ci", derandomize=True, database=None, deadline=None, suppress_health_check=slow)
    settings.register_profile(
        "nightly",
        max_examples=100 * NIGHTLY_FACTOR,
        deadline=None,
        print_blob=True,
        suppress_health_check=slow,
    )
    settings.load_profile(PROFILE)


def examples(number: int, *suppressed: HealthCheck) -> settings:
    """Return settings with this number of examples under `ci`, and ten times as many under `nightly`.

    ``suppressed``: health checks that the property cannot pass, in addition to those of the profile.
    """
    factor = NIGHTLY_FACTOR if PROFILE == "nightly" else 1
    return settings(max_examples=number * factor, suppress_health_check=[HealthCheck.too_slow, *suppressed])
