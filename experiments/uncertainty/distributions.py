"""Define distributions that are stated by their parameters or by an 80% interval. Pure.

All draws use :meth:`Distribution.ppf`. So the same uniform numbers, from a generator or the design of a sweep, give
comparable draws of every distribution.
"""
# ruff: noqa: D102 - Distribution documents the methods of all classes

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]

CI80_SCORE: Final = float(special.ndtri(0.9))
"""Standard normal quantile at 0.9, in standard deviations: half the width of an 80% interval."""


class PriorError(ValueError):
    """An invalid prior; the message names the place, the problem and the allowed values."""


@dataclass(frozen=True)
class Distribution(ABC):
    """Probability distribution of one number; its fields are its parameters."""

    name: ClassVar[str]
    ci80_allowed: ClassVar[bool] = False
    lists: ClassVar[tuple[str, ...]] = ()
    """Names of the parameters that are lists of numbers."""

    @abstractmethod
    def ppf(self, u: Array) -> Array:
        """Return the quantile at u in (0, 1), an array of any shape."""

    @abstractmethod
    def cdf(self, x: float) -> float:
        """Return the probability of a value up to x."""

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Lowest and highest possible value."""

    def validation_error(self) -> str:
        """Describe the problem of invalid parameters; return an empty text if they are valid."""
        return ""

    @classmethod
    def from_ci80(cls, low: float, high: float) -> Distribution:
        """Return the distribution with this 80% interval. Raises PriorError if two numbers do not determine it."""
        raise PriorError(
            f"a {cls.name} distribution cannot be stated by ci80; allowed: its parameters. State each of them."
        )


@dataclass(frozen=True)
class Constant(Distribution):
    """A constant: one value with probability 1."""

    name = "constant"
    value: float

    def ppf(self, u: Array) -> Array:
        return np.full(np.shape(u), self.value)

    def cdf(self, x: float) -> float:
        return float(x >= self.value)

    @property
    def support(self) -> tuple[float, float]:
        return self.value, self.value


@dataclass(frozen=True)
class Uniform(Distribution):
    """Uniform distribution from low to high."""

    name = "uniform"
    ci80_allowed = True
    low: float
    high: float

    def ppf(self, u: Array) -> Array:
        return self.low + u * (self.high - self.low)

    def cdf(self, x: float) -> float:
        return min(1.0, max(0.0, (x - self.low) / (self.high - self.low)))

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    def validation_error(self) -> str:
        return _order_error(self.low, self.high)

    @classmethod
    def from_ci80(cls, low: float, high: float) -> Uniform:
        beyond = (high - low) / 8
        return cls(low - beyond, high + beyond)


@dataclass(frozen=True)
class LogUniform(Distribution):
    """Log-uniform distribution from low to high: the logarithm is uniform."""

    name = "log-uniform"
    ci80_allowed = True
    low: float
    high: float

    def ppf(self, u: Array) -> Array:
        return self.low * np.exp(u * math.log(self.high / self.low))

    def cdf(self, x: float) -> float:
        if x <= self.low:
            return 0.0
        return min(1.0, math.log(x / self.low) / math.log(self.high / self.low))

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    def validation_error(self) -> str:
        return _sign_error("low", self.low) or _order_error(self.low, self.high)

    @classmethod
    def from_ci80(cls, low: float, high: float) -> LogUniform:
        if wrong := _sign_error("ci80", low):
            raise PriorError(wrong)
        beyond = (high / low) ** (1 / 8)
        return cls(low / beyond, high * beyond)


@dataclass(frozen=True)
class Normal(Distribution):
    """Normal distribution with a mean and a standard deviation."""

    name = "normal"
    ci80_allowed = True
    mean: float
    sd: float

    def ppf(self, u: Array) -> Array:
        return self.mean + self.sd * special.ndtri(u)

    def cdf(self, x: float) -> float:
        return float(special.ndtr((x - self.mean) / self.sd))

    @property
    def support(self) -> tuple[float, float]:
        return -math.inf, math.inf

    def validation_error(self) -> str:
        return _sign_error("sd", self.sd)

    @classmethod
    def from_ci80(cls, low: float, high: float) -> Normal:
        return cls((low + high) / 2, (high - low) / (2 * CI80_SCORE))


@dataclass(frozen=True)
class LogNormal(Distribution):
    """Lognormal distribution with a median and the standard deviation of the natural logarithm."""

    name = "lognormal"
    ci80_allowed = True
    median: float
    sigma: float

    def ppf(self, u: Array) -> Array:
        return self.median * np.exp(self.sigma * special.ndtri(u))

    def cdf(self, x: float) -> float:
        return float(special.ndtr(math.log(x / self.median) / self.sigma)) if x > 0 else 0.0

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, math.inf

    def validation_error(self) -> str:
        return _sign_error("median", self.median) or _sign_error("sigma", self.sigma)

    @classmethod
    def from_ci80(cls, low: float, high: float) -> LogNormal:
        if wrong := _sign_error("ci80", low):
            raise PriorError(wrong)
        return cls(math.sqrt(low * high), math.log(high / low) / (2 * CI80_SCORE))


@dataclass(frozen=True)
class Beta(Distribution):
    """Beta distribution with shape parameters a and b, scaled to the range from low to high."""

    name = "beta"
    a: float
    b: float
    low: float = 0.0
    high: float = 1.0

    def ppf(self, u: Array) -> Array:
        return np.asarray(self.low + (self.high - self.low) * special.betaincinv(self.a, self.b, u))

    def cdf(self, x: float) -> float:
        share = min(1.0, max(0.0, (x - self.low) / (self.high - self.low)))
        return float(special.betainc(self.a, self.b, share))

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    def validation_error(self) -> str:
        return _sign_error("a", self.a) or _sign_error("b", self.b) or _order_error(self.low, self.high)


@dataclass(frozen=True)
class Triangular(Distribution):
    """Triangular distribution from low to high with its peak at mode."""

    name = "triangular"
    low: float
    mode: float
    high: float

    def ppf(self, u: Array) -> Array:
        width, rise, fall = self.high - self.low, self.mode - self.low, self.high - self.mode
        below = self.low + np.sqrt(u * width * rise)
        return np.where(u * width < rise, below, self.high - np.sqrt((1 - u) * width * fall))

    def cdf(self, x: float) -> float:
        width = self.high - self.low
        if x <= self.low:
            return 0.0
        if x < self.mode:
            return (x - self.low) ** 2 / (width * (self.mode - self.low))
        return 1 - (self.high - x) ** 2 / (width * (self.high - self.mode)) if x < self.high else 1.0

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    def validation_error(self) -> str:
        if self.low <= self.mode <= self.high:
            return _order_error(self.low, self.high)
        return (
            f"mode = {self.mode:g} is out of bounds; allowed: from low = {self.low:g} to high = {self.high:g}. "
            "Change one."
        )


@dataclass(frozen=True)
class Quantiles(Distribution):
    """Distribution with linear interpolation between quantiles: ``values[i]`` is the quantile at ``shares[i]``.

    ``shares``: strictly ascending from 0 to 1. ``values``: strictly ascending, of the same number; the first and the
    last are the lowest and the highest possible value.
    """

    name = "quantiles"
    lists = ("shares", "values")
    shares: tuple[float, ...]
    values: tuple[float, ...]

    def ppf(self, u: Array) -> Array:
        return np.asarray(np.interp(u, self.shares, self.values))

    def cdf(self, x: float) -> float:
        return float(np.interp(x, self.values, self.shares))

    @property
    def support(self) -> tuple[float, float]:
        return self.values[0], self.values[-1]

    def validation_error(self) -> str:
        if len(self.shares) < 2 or len(self.shares) != len(self.values):
            return (
                f"shares has {len(self.shares)} numbers and values has {len(self.values)}; allowed: equally many, 2 or "
                "more. State one value for each share"
            )
        for name, listed in (("shares", self.shares), ("values", self.values)):
            for one, other in pairwise(listed):
                if one >= other:
                    return f"{name} goes from {one:g} to {other:g}; allowed: ascending. Sort it, leave out repeats"
        if self.shares[0] != 0 or self.shares[-1] != 1:
            return (
                f"shares goes from {self.shares[0]:g} to {self.shares[-1]:g}; allowed: from 0 to 1. State the "
                "lowest and the highest value with the shares 0 and 1"
            )
        return ""


@dataclass(frozen=True)
class Truncated(Distribution):
    """Another distribution, truncated to the range from ``low`` to ``high``."""

    name = "truncated"
    inner: Distribution
    low: float
    high: float

    def ppf(self, u: Array) -> Array:
        below, above = self.inner.cdf(self.low), self.inner.cdf(self.high)
        # Clipped as well, because rounding may put a draw slightly beyond a bound.
        return np.clip(self.inner.ppf(below + u * (above - below)), self.low, self.high)

    def cdf(self, x: float) -> float:
        below, above = self.inner.cdf(self.low), self.inner.cdf(self.high)
        return min(1.0, max(0.0, (self.inner.cdf(x) - below) / (above - below)))

    @property
    def support(self) -> tuple[float, float]:
        low, high = self.inner.support
        return max(low, self.low), min(high, self.high)

    def validation_error(self) -> str:
        if self.low >= self.high:
            return f"min = {self.low:g} is not below max = {self.high:g}; allowed: min below max. Change one."
        low, high = self.inner.support
        if self.inner.cdf(self.high) - self.inner.cdf(self.low) > 0:
            return ""
        return (
            f"min = {self.low:g} and max = {self.high:g} leave nothing of it; allowed: a range that overlaps with "
            "its own, "
            f"from {low:g} to {high:g}. Change min or max."
        )


DISTRIBUTIONS: Final[Mapping[str, type[Distribution]]] = {
    kind.name: kind for kind in (Uniform, LogUniform, Normal, LogNormal, Beta, Triangular, Quantiles, Constant)
}
"""Distributions by the name that a file gives them."""


def _order_error(low: float, high: float) -> str:
    return "" if low < high else f"low = {low:g} is not below high = {high:g}; allowed: low below high. Change one."


def _sign_error(name: str, value: float) -> str:
    return "" if value > 0 else f"{name} = {value:g} is out of bounds; allowed: above 0. Name another value."
