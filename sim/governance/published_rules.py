"""Build the published rules on the pace of progress as detectors.

Each function takes the pace of software in the years that the rule refers to. The rules are about "progress" and do
not define its measurement; here progress is doublings of software.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from sim.governance.detectors import WindowRule
from sim.growth import DAYS_PER_MONTH

OPENAI_SUSTAINED_MONTHS: Final = 3.0
"""Our reading of "several months" in OpenAI's rule, which gives no number."""


def openai_critical(reference_pace: float, sustained_months: float = OPENAI_SUSTAINED_MONTHS) -> WindowRule:
    """Return OpenAI's threshold "Critical" for AI self-improvement: 5 times the pace of 2024, for several months.

    The window is 4 weeks, and every reading of ``sustained_months`` must be at 5 times or above. ``reference_pace`` is
    the pace of 2024 [doublings/day]. The rule also has a leading indicator, a superhuman research scientist, which is
    not modelled. Source: OpenAI, *Preparedness Framework*, version 2, April 2025. A generational improvement then comes
    "in 1/5th the wall-clock time of equivalent progress in 2024", such as 4 weeks, "sustainably for several months".
    "Several" is our choice, 3 months; a critic takes 6.
    """
    return WindowRule(reference_pace, 5, window_days=28, sustained_days=sustained_months * DAYS_PER_MONTH)


def anthropic_two_years_in_one(reference_pace: float) -> WindowRule:
    """Return Anthropic's threshold: two years of the progress of 2018 to 2024 within one year.

    ``reference_pace`` is the mean pace of 2018 to 2024 [doublings/day]. Source: Anthropic, *Responsible Scaling
    Policy*, AI R&D thresholds, since version 2.1, 2025.
    """
    return WindowRule(reference_pace, 2, window_days=365)


def davidson_three_years_in_eighteen_months(reference_pace: float) -> WindowRule:
    """Return Davidson's first warning sign: 3 years of progress in 18 months, measured every 2 months.

    ``reference_pace`` is the earlier pace of the lab [doublings/day]. Davidson's dangerous level is 3 times that pace;
    the warning comes at 2 times. Source: Davidson, *How Can AI Labs Incorporate Risks From AI Accelerating AI Progress
    Into Their Responsible Scaling Policies?*, Forethought, 24 March 2025.
    """
    return WindowRule(reference_pace, 2, window_days=18 * DAYS_PER_MONTH, check_interval_days=2 * DAYS_PER_MONTH)


def davidson_one_year_in_six_months(reference_pace: float) -> WindowRule:
    """Return Davidson's faster warning sign: 1 year of progress in 6 months, measured every 2 months.

    It holds if the acceleration is clearly due to AI, which the readings cannot show. ``reference_pace`` and source:
    as in `davidson_three_years_in_eighteen_months`.
    """
    return WindowRule(reference_pace, 2, window_days=6 * DAYS_PER_MONTH, check_interval_days=2 * DAYS_PER_MONTH)


PUBLISHED_RULES: Final[Mapping[str, Callable[[float], WindowRule]]] = MappingProxyType(
    {
        "openai-critical": openai_critical,
        "anthropic-two-years-in-one": anthropic_two_years_in_one,
        "davidson-three-years-in-eighteen-months": davidson_three_years_in_eighteen_months,
        "davidson-one-year-in-six-months": davidson_one_year_in_six_months,
    }
)
"""Published rules by name; each takes the reference pace [doublings/day]."""
