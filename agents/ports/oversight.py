"""Define how a regulator measures labs and gives orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from agents.governance_policy import Order, Reading


class RegulatorSettings(Protocol):
    """Parameters of a regulator."""

    @property
    def reading_days(self) -> float:
        """Time between two readings [days]."""

    @property
    def order_days(self) -> float:
        """Time from a decision to the day on which it takes effect [days]."""


class Oversight(Protocol):
    """What a regulator can do to labs."""

    @property
    def settings(self) -> RegulatorSettings:
        """Present parameters of the regulator."""

    @property
    def labs(self) -> Sequence[str]:
        """Names of all labs; of the only lab the empty name."""

    def request_settlement(self) -> None:
        """Let the World settle this instant, and the regulator with it."""

    def measure(self) -> Mapping[str, Reading]:
        """Return a reading of each lab that has begun and not ended; ``known_on`` is the day on which it arrives."""

    def carry_out(self, orders: Sequence[Order]) -> bool:
        """Put exactly these orders into force; return whether a restriction of a lab changed."""
