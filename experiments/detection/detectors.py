"""Build detectors by name, with a threshold or with the one that they usually have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from experiments.errors import InputError
from sim.governance.detectors import (
    BayesianChangePoint,
    Cusum,
    Detector,
    PaceChange,
    ShiryaevRoberts,
    Sprt,
    WindowRule,
)
from sim.governance.published_rules import PUBLISHED_RULES
from sim.scenario.messages import did_you_mean

DAYS_BETWEEN_CHANGES: Final = 3650.0
"""Prior mean time between two changes of pace for `change-point` [days]. Source: our choice."""
WINDOW_RULE: Final = "pace"
"""Detector that is the threshold of the report."""
_MAX_TIMES: Final = 1000.0
_MAX_WINDOW: Final = 36_500.0
_UNREACHED_RATIO: Final = 1e6
_UNREACHED_SUM: Final = 1e300
_UNREACHED_PROBABILITY: Final = 1 - 1e-12
_RARE: Final = 1e-300


MIN_NOISE: Final = 0.1
"""Smallest noise that is assumed for a detector if none is given [doublings]. Source: our choice."""


class DetectorSettings(NamedTuple):
    """What detectors are set to."""

    times: float = 5.0
    """Pace to detect, relative to the reference."""
    window_days: float = 182.5
    """Window of the rule `pace` [days]."""
    reference_doubling_days: float = 182.5
    """Doubling time of the reference [days]."""
    noise_doublings: float = MIN_NOISE
    """Standard deviation of the progress from one reading to the next, in the model of a detector [doublings]."""

    @property
    def reference_pace(self) -> float:
        """Pace of the reference [doublings/day]."""
        return 1 / self.reference_doubling_days

    @property
    def change(self) -> PaceChange:
        """Change of pace that detectors look for."""
        return PaceChange(self.reference_pace, self.times * self.reference_pace, self.noise_doublings)


class _Kind(NamedTuple):
    """How a detector with a threshold is built, and which thresholds it can have."""

    build: Callable[[DetectorSettings, float], Detector]
    default: Callable[[DetectorSettings], float]
    low: float
    high: float
    limits: str
    unreached: float
    """Threshold that no statistic reaches."""


_WITH_THRESHOLD: Final[Mapping[str, _Kind]] = MappingProxyType(
    {
        WINDOW_RULE: _Kind(
            lambda settings, threshold: WindowRule(settings.reference_pace, threshold, settings.window_days),
            lambda settings: settings.times,
            1.0,
            _MAX_TIMES,
            "1 to 1000 times the reference",
            _MAX_TIMES,
        ),
        "cusum": _Kind(
            lambda settings, threshold: Cusum(settings.change, threshold),
            lambda _: 5.0,
            1e-9,
            _UNREACHED_RATIO,
            "above 0, up to 1e6",
            _UNREACHED_RATIO,
        ),
        "shiryaev-roberts": _Kind(
            lambda settings, threshold: ShiryaevRoberts(settings.change, threshold),
            lambda _: 100.0,
            1e-9,
            _UNREACHED_SUM,
            "above 0, up to 1e300",
            _UNREACHED_SUM,
        ),
        "change-point": _Kind(
            lambda settings, threshold: BayesianChangePoint(settings.change, DAYS_BETWEEN_CHANGES, threshold),
            lambda _: 0.5,
            1e-9,
            _UNREACHED_PROBABILITY,
            "a probability above 0, below 1",
            _UNREACHED_PROBABILITY,
        ),
    }
)
NAMES: Final = (*_WITH_THRESHOLD, "sprt", *PUBLISHED_RULES)
"""Names of all detectors."""
DEFAULT: Final = (WINDOW_RULE, f"{WINDOW_RULE}=5@30", "cusum", *PUBLISHED_RULES)
"""Detectors that are judged if none is named. The rule of the report has two windows: half a year, and a month."""


class NamedDetector(NamedTuple):
    """A detector with its name."""

    name: str
    """Name, with the threshold and the window if they were given: `pace=3@90`."""
    kind: str
    """Name without a threshold."""
    threshold: float
    """Value of the statistic that raises an alarm."""
    settings: DetectorSettings

    def build(self) -> Detector:
        """Return a new detector."""
        return _build(self.kind, self.threshold, self.settings)

    def build_unreached(self) -> Detector:
        """Return a new detector whose statistic never starts afresh, because it does not reach its threshold.

        The statistic of a published rule does not depend on the threshold, and the rule is returned as it is.
        """
        if self.kind == "sprt":
            return Sprt(self.settings.change, false_alarm=_RARE)
        threshold = _WITH_THRESHOLD[self.kind].unreached if self.kind in _WITH_THRESHOLD else self.threshold
        return _build(self.kind, threshold, self.settings)


def _build(kind: str, threshold: float, settings: DetectorSettings) -> Detector:
    if kind in PUBLISHED_RULES:
        return PUBLISHED_RULES[kind](settings.reference_pace)
    if kind == "sprt":
        return Sprt(settings.change)
    return _WITH_THRESHOLD[kind].build(settings, threshold)


def named_detectors(texts: Sequence[str], settings: DetectorSettings) -> tuple[NamedDetector, ...]:
    """Return the detectors of texts such as `cusum` and `pace=3`, each once; by default those of `DEFAULT`.

    Raises InputError for an unknown name or a threshold that is not allowed.
    """
    return tuple(_named(text, settings) for text in dict.fromkeys(texts or DEFAULT))


def _named(text: str, settings: DetectorSettings) -> NamedDetector:
    kind, equals, numbers = (part.strip() for part in text.partition("="))
    if kind not in NAMES:
        raise InputError(
            f"--detector {text} is not a detector{did_you_mean(kind, NAMES) or '.'} Allowed: {', '.join(NAMES)}. Write "
            "one of them."
        )
    if kind not in _WITH_THRESHOLD:
        if equals:
            raise InputError(
                f"--detector {text} changes the threshold of a fixed rule; allowed: thresholds of "
                f"{', '.join(_WITH_THRESHOLD)}. Write --detector {kind}."
            )
        return NamedDetector(kind, kind, _build(kind, 0.0, settings).threshold, settings)
    number, at, window = (part.strip() for part in numbers.partition("@"))
    if at:
        settings = settings._replace(window_days=_window(text, kind, window))
    rule = _WITH_THRESHOLD[kind]
    threshold = _parse(number) if equals else rule.default(settings)
    if not rule.low <= threshold <= rule.high:
        raise InputError(
            f"--detector {text} is not a threshold of '{kind}'; allowed: {rule.limits}. Write --detector "
            f"{kind}={rule.default(settings):g}."
        )
    return NamedDetector(f"{kind}={numbers}" if equals else kind, kind, threshold, settings)


def _window(text: str, kind: str, window: str) -> float:
    """Return the window of a text such as `pace=5@30`."""
    days = _parse(window)
    if kind != WINDOW_RULE or not 0 < days <= _MAX_WINDOW:
        raise InputError(
            f"--detector {text} is not a rule with a window; allowed: {WINDOW_RULE}=THRESHOLD@DAYS with days above 0, "
            f"up to {_MAX_WINDOW:g}. Write --detector {WINDOW_RULE}=5@30."
        )
    return days


def _parse(number: str) -> float:
    """Return a number; `nan` if the text is none, which no limit allows."""
    try:
        return float(number)
    except ValueError:
        return math.nan
