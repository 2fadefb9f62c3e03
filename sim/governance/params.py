"""Declare the parameters of a regulator, and of what a lab lets it know."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from annotated_types import Interval
from pydantic import BaseModel

POLICY: Final = "regulator__policy"
"""Parameter that names the governance policy."""
NO_POLICY: Final = "none"
"""Value of `regulator__policy` without a regulator."""


class RegulatorParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of the regulator of all labs. Without a policy there is none, and no other parameter is read."""

    policy: Annotated[str, "name of a governance policy, or path of a file"] = NO_POLICY
    """Governance policy that the regulator follows: one that ships, or a TOML file. `none`: there is no regulator.
    Source: our choice."""
    reading_days: Annotated[float, Interval(ge=0.1, le=3650), "days"] = 30.0
    """Time between two readings of the software of all labs. Source: our choice; Davidson (Forethought, 2025) proposes
    every two months."""
    lag_days: Annotated[float, Interval(ge=0, le=3650), "days"] = 0.0
    """Time from a reading to the day on which the regulator has it. Source: our choice, 0."""
    noise_doublings: Annotated[float, Interval(ge=0, le=100), "doublings"] = 0.0
    """Standard deviation of the error of a reading. Errors are normal and independent. Source: our choice, 0."""
    measured: Annotated[Literal["published", "deployed", "discovered"], "name"] = "deployed"
    """Software that is measured. `deployed`: that of the AIs in use. `discovered`: all of it. `published`: what is
    published. Source: our choice; outsiders can test what is deployed."""
    saturation_doublings: Annotated[float, Interval(ge=0, le=300), "doublings"] = 0.0
    """Highest reading of the benchmark, to which readings rise as b (1 - exp(-x/b)). 0: the benchmark does not
    saturate. Source: our choice."""
    reported_by: Annotated[Literal["third party", "labs"], "name"] = "third party"
    """Source of the readings. `labs`: their own reports, which `disclosure__delay_days` and `disclosure__hidden_share`
    change. Source: our choice."""
    order_days: Annotated[float, Interval(ge=0, le=3650), "days"] = 0.0
    """Time from a decision to the day on which its order takes effect. Source: our choice, 0."""
    rules_off: Annotated[str, "names of rules, separated by commas"] = ""
    """Rules of the policy that are switched off. Empty: none. Source: our choice."""
    times: Annotated[float, Interval(ge=0, le=1000), "times"] = 0.0
    """Pace, relative to the recent one, that replaces that of each pace rule of the policy. 0: the policy's own.
    Source: our choice."""

    @property
    def off(self) -> tuple[str, ...]:
        """Names of the rules that are switched off."""
        return tuple(name for each in self.rules_off.split(",") if (name := each.strip()))


class DisclosureParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of what a lab reports, and whether it follows orders. Without a regulator they are not read."""

    complies: bool = True
    """Whether the lab follows orders. If not, it works on in secret from the first order on, until it is found.
    Source: our choice."""
    covert_workers: Annotated[float, Interval(ge=0, le=1e9), "people"] = 1000.0
    """People who know of secret work. The more there are, the sooner it is found; then orders are enforced. 0: it is
    never found; otherwise at least 2. Source: our choice; the time to discovery is fitted to 6.95 years for 100 people
    and 3.42 for 1,000."""
    delay_days: Annotated[float, Interval(ge=0, le=3650), "days"] = 0.0
    """Time by which the lab delays its own reports. Source: our choice, 0."""
    hidden_share: Annotated[float, Interval(ge=0, le=0.99), "share"] = 0.0
    """Share of its software, in doublings since day 0, that the lab leaves out of its own reports. Source: our choice,
    0."""
