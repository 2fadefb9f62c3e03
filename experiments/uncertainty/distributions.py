"""Named distributions, by their parameters or by an 80% interval. Pure.

Draws go through :meth:`Distribution.ppf`, so that the same uniform numbers, from a generator or from a design of a
sweep, give comparable draws of every distribution.
"""
# ruff: noqa: D102 - what the methods do is said once, in Distribution

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
"""Standard deviations of a normal distribution from its middle to where one in ten lies beyond."""


class PriorError(ValueError):
    """Priors that cannot be drawn from; the message says what is wrong, where, and what is allowed."""


@dataclass(frozen=True)
class Distribution(ABC):
    """How likely the values of one number are. Its fields are the parameters by which it is stated."""

    name: ClassVar[str]
    ci80_allowed: ClassVar[bool] = False
    lists: ClassVar[tuple[str, ...]] = ()
    """The parameters that are lists of numbers."""

    @abstractmethod
    def ppf(self, u: Array) -> Array:
        """Return the value below which a share u of the draws lies; u in (0, 1), of any shape."""

    @abstractmethod
    def cdf(self, x: float) -> float:
        """Return the share of the draws below x."""

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """The lowest and the highest value that can be drawn."""

    def problem(self) -> str:
        """Return what is wrong with the parameters, or nothing."""
        return ""

    @classmethod
    def from_ci80(cls, low: float, high: float) -> Distribution:
        """Return the distribution with this 80% interval. Raises PriorError where two numbers do not fix it."""
        raise PriorError(f"a {cls.name} distribution cannot be stated by ci80")


@dataclass(frozen=True)
class Constant(Distribution):
    """Always the same value."""

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
    """Every value from low to high alike."""

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

    def problem(self) -> str:
        return _ordered(self.low, self.high)

    @classmethod
    def from_ci80(cls, low: float, high: float) -> Uniform:
        beyond = (high - low) / 8
        return cls(low - beyond, high + beyond)


@dataclass(frozen=True)
class LogUniform(Distribution):
    """Every ratio alike: the logarithm is uniform."""

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

    def problem(self) -> str:
        return _positive("low", self.low) or _ordered(self.low, self.high)

    @classmethod
    def from_ci80(cls, low: float, high: float) -> LogUniform:
        if wrong := _positive("ci80", low):
            raise PriorError(wrong)
        beyond = (high / low) ** (1 / 8)
        return cls(low / beyond, high * beyond)


@dataclass(frozen=True)
class Normal(Distribution):
    """The bell curve, by its mean and standard deviation."""

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

    def problem(self) -> str:
        return _positive("sd", self.sd)

    @classmethod
    def from_ci80(cls, low: float, high: float) -> Normal:
        return cls((low + high) / 2, (high - low) / (2 * CI80_SCORE))


@dataclass(frozen=True)
class LogNormal(Distribution):
    """The logarithm is normal: by the median, and the standard deviation of the natural logarithm."""

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

    def problem(self) -> str:
        return _positive("median", self.median) or _positive("sigma", self.sigma)

    @classmethod
    def from_ci80(cls, low: float, high: float) -> LogNormal:
        if wrong := _positive("ci80", low):
            raise PriorError(wrong)
        return cls(math.sqrt(low * high), math.log(high / low) / (2 * CI80_SCORE))


@dataclass(frozen=True)
class Beta(Distribution):
    """The beta distribution with exponents a and b, stretched from low to high."""

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

    def problem(self) -> str:
        return _positive("a", self.a) or _positive("b", self.b) or _ordered(self.low, self.high)


@dataclass(frozen=True)
class Triangular(Distribution):
    """Rising in a straight line from low to mode, falling from there to high."""

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

    def problem(self) -> str:
        if self.low <= self.mode <= self.high:
            return _ordered(self.low, self.high)
        return f"mode = {self.mode:g} does not lie between low = {self.low:g} and high = {self.high:g}"


@dataclass(frozen=True)
class Quantiles(Distribution):
    """Stated quantiles, with straight lines between them: a share ``shares[i]`` of the draws is below ``values[i]``.

    ``shares``: strictly ascending from 0 to 1. ``values``: strictly ascending, as many; the first and the last are the
    lowest and the highest draw.
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

    def problem(self) -> str:
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
    """Another distribution without what lies below ``low`` or above ``high``."""

    name = "truncated"
    inner: Distribution
    low: float
    high: float

    def ppf(self, u: Array) -> Array:
        below, above = self.inner.cdf(self.low), self.inner.cdf(self.high)
        # Clipped as well, because rounding may put the last draw a hair beyond the bound.
        return np.clip(self.inner.ppf(below + u * (above - below)), self.low, self.high)

    def cdf(self, x: float) -> float:
        below, above = self.inner.cdf(self.low), self.inner.cdf(self.high)
        return min(1.0, max(0.0, (self.inner.cdf(x) - below) / (above - below)))

    @property
    def support(self) -> tuple[float, float]:
        low, high = self.inner.support
        return max(low, self.low), min(high, self.high)

    def problem(self) -> str:
        if self.low >= self.high:
            return f"min = {self.low:g} is not below max = {self.high:g}"
        low, high = self.inner.support
        if self.inner.cdf(self.high) - self.inner.cdf(self.low) > 0:
            return ""
        return (
            f"nothing of it lies between min = {self.low:g} and max = {self.high:g}: it goes from {low:g} to {high:g}"
        )


DISTRIBUTIONS: Final[Mapping[str, type[Distribution]]] = {
    kind.name: kind for kind in (Uniform, LogUniform, Normal, LogNormal, Beta, Triangular, Quantiles, Constant)
}
"""Every distribution that a file may name."""


def _ordered(low: float, high: float) -> str:
    return "" if low < high else f"low = {low:g} is not below high = {high:g}"


def _positive(name: str, value: float) -> str:
    return "" if value > 0 else f"{name} = {value:g} must be above 0"
