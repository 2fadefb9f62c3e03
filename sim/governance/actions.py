"""Define what a rule of a governance policy orders while its alarm is raised."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Interval
from pydantic import BaseModel

from agents.governance_policy import Order, OrderKind, Reading
from sim.governance.pace_brakes import PaceBrake, RelayBrake, SmoothBrake


class WarnAction(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Warn, and order nothing."""

    order: Annotated[Literal["warn"], "name"] = "warn"
    """What the rule orders while its alarm is raised. `warn`: nothing. `pause-research`, `pause-training`: no research
    by AIs, or no training runs. `cap-copies`, `cap-experiments`: at most this many AIs, or this share of the GPUs of
    experiments. `licence`: large training runs wait. `staged-release`: new software waits. `brake`: AIs that do
    research become fewer, so that the pace stays near a target."""

    def give(self, rule: str, reading: Reading) -> Order | None:
        """Return None: there is no order."""


class PauseAction(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Pause the research by AIs, or training runs."""

    order: Annotated[Literal["pause-research", "pause-training"], "name"] = "pause-research"

    def give(self, rule: str, reading: Reading) -> Order | None:
        """Return the order of a rule after a reading raised the alarm."""
        return Order(OrderKind(self.order), 0.0, rule)


class CopiesAction(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Cap the number of AIs that do research."""

    order: Annotated[Literal["cap-copies"], "name"] = "cap-copies"
    copies: Annotated[float, Interval(ge=0, le=1e15), "AIs"] = 0.0
    """Largest number of AIs that do research in a lab. 0: `copies_of_alarm` sets it."""
    copies_of_alarm: Annotated[float, Interval(ge=0, le=1000), "times"] = 1.0
    """Largest number of AIs that do research in a lab, relative to that of the lab when the alarm was raised."""

    def give(self, rule: str, reading: Reading) -> Order | None:
        """Return the order of a rule after a reading raised the alarm."""
        return Order(OrderKind.CAP_COPIES, self.copies or self.copies_of_alarm * reading.copies, rule)


class ExperimentsAction(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Cap the GPUs of experiments."""

    order: Annotated[Literal["cap-experiments"], "name"] = "cap-experiments"
    experiment_share: Annotated[float, Interval(ge=0, le=1), "share"] = 0.5
    """Share of the GPUs of experiments that they can use."""

    def give(self, rule: str, reading: Reading) -> Order | None:
        """Return the order of a rule after a reading raised the alarm."""
        return Order(OrderKind.CAP_EXPERIMENTS, self.experiment_share, rule)


class LicenceAction(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Let large training runs wait for a licence."""

    order: Annotated[Literal["licence"], "name"] = "licence"
    above_gpus: Annotated[float, Interval(ge=0, le=1e9), "GPUs"] = 0.0
    """GPUs above which a training run needs a licence."""
    permit_days: Annotated[float, Interval(ge=0, le=36_500), "days"] = 90.0
    """Time from the request of a training run to its licence."""

    def give(self, rule: str, reading: Reading) -> Order | None:
        """Return the order of a rule after a reading raised the alarm."""
        return Order(OrderKind.LICENCE, self.above_gpus, rule, permit_days=self.permit_days)


class ReleaseAction(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Let new software wait before it comes into use."""

    order: Annotated[Literal["staged-release"], "name"] = "staged-release"
    release_days: Annotated[float, Interval(ge=0, le=36_500), "days"] = 30.0
    """Time from the end of a training run to the use of its software."""

    def give(self, rule: str, reading: Reading) -> Order | None:
        """Return the order of a rule after a reading raised the alarm."""
        return Order(OrderKind.STAGED_RELEASE, self.release_days, rule)


class BrakeAction(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Divide the number of AIs that do research, so that the pace stays near a target."""

    order: Annotated[Literal["brake"], "name"] = "brake"
    control: Annotated[Literal["smooth", "relay"], "name"] = "smooth"
    """How the barrier reacts. `smooth`: it grows in proportion to the logarithm of pace over target. `relay`: it grows
    at full rate above the band, and falls at full rate below it."""
    target_doubling_days: Annotated[float, Interval(gt=0, le=36_500), "days"] = 30.0
    """Doubling time of the target."""
    reaction_per_day: Annotated[float, Interval(gt=0, le=100), "per day"] = 0.02
    """Rate of the reaction."""
    band: Annotated[float, Interval(ge=0, le=10), "ln of pace over target"] = 0.05
    """Half width of the band of a relay."""
    reaction_delay_days: Annotated[float, Interval(ge=0, le=36_500), "days"] = 0.0
    """Time from a reading to its effect on the barrier, beyond the delays of the regulator."""
    pace_days: Annotated[float, Interval(ge=0, le=36_500), "days"] = 0.0
    """Time over which the pace is measured. 0: since the reading before. Deployed software grows in steps, so that it
    needs a time over several of them."""

    def brake(self) -> PaceBrake:
        """Return a new controller of the barrier."""
        pace = 1 / self.target_doubling_days
        if self.control == "smooth":
            return SmoothBrake(pace, self.reaction_per_day, self.reaction_delay_days)
        return RelayBrake(pace, self.reaction_per_day, self.band, self.reaction_delay_days)

    def give(self, rule: str, reading: Reading) -> Order | None:
        """Return an order whose barrier is 1; a controller sets later ones."""
        return Order(OrderKind.BRAKE, 1.0, rule)


ActionParams = WarnAction | PauseAction | CopiesAction | ExperimentsAction | LicenceAction | ReleaseAction | BrakeAction
"""Parameters of an action; `order` selects the class."""
