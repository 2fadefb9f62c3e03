"""Declare the parameters of a lab among others: its entry and exit, what it gains from them, and its new GPUs."""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal

from annotated_types import Interval
from pydantic import BaseModel

from agents.params import DAYS_PER_YEAR

PUBLICATION_STEP: Final = 0.02
"""Longest step of software between two publications of pooled work that other labs read [doublings]."""


class CommonsParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of what a lab gains from the others."""

    publication_share: Annotated[float, Interval(ge=0, le=1), "share"] = 0.0
    """Share of the effective papers of every other lab that count for this lab too, once they are published. Source:
    our choice, 0: labs share nothing."""
    lag_days: Annotated[float, Interval(ge=0, le=36_500), "days"] = 0.0
    """Time from the publication of a paper to its use in this lab. Source: our choice; open models follow the best
    closed ones by about 4 months, and those of China by 7 (Epoch AI, 2025)."""
    diffusion_per_year: Annotated[float, Interval(ge=0, le=1000), "per year"] = 0.0
    """Rate at which the gap to the best software that this lab can know closes: after 1/rate years, 37% of it are left.
    Source: our choice, 0."""
    diffusion_of: Annotated[Literal["published", "deployed", "discovered"], "name"] = "published"
    """Software of others that diffuses. `published`: what they have published. `deployed`: what their AIs run on, so
    that products can be imitated or stolen. `discovered`: all of it, as with a leak from inside. Source: our choice."""


class SupplyParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of the GPUs that a lab receives after day 0. Without growth it orders none, and reads no other."""

    growth_per_year: Annotated[float, Interval(ge=1, le=1000), "times per year"] = 1.0
    """Factor by which the GPUs of the lab grow in 365 days, by orders in proportion to its shares of uses. Source: 1 is
    the report's fixed stock; Epoch AI has 3.3 for the largest sites and 2.9 to 4.8 for the stock of Nvidia chips (2023
    to 2025)."""
    lot_days: Annotated[float, Interval(ge=0.1, le=3650), "days"] = 30.0
    """Time between two orders. Source: our choice; GPUs arrive in sites, not smoothly."""
    delay_days: Annotated[float, Interval(ge=0, le=3650), "days"] = 0.0
    """Time from an order to its work. Source: our choice, 0; Epoch AI counts about a quarter."""
    most_gpus: Annotated[int, Interval(ge=1, le=1_000_000), "GPUs"] = 1_000_000
    """Number of GPUs beyond which the lab orders none. Source: our choice, the largest cluster that asara simulates."""
    speed_growth_per_year: Annotated[float, Interval(ge=1, le=1000), "times per year"] = 1.0
    """Factor by which the speed of new nodes grows in 365 days without research by AIs. Source: our choice, 1."""
    most_speed: Annotated[float, Interval(ge=1, le=1e9), "times"] = 1e6
    """Speed of new nodes, relative to those of day 0, beyond which they get no faster. Source: our choice; it keeps an
    explosion of hardware within the numbers that asara can simulate."""
    success_share: Annotated[float, Interval(ge=0, le=1), "share"] = 0.0
    """Share of the orders of the lab that goes to a pot. All labs with a share divide it by their deployed software,
    which stands for revenue. Source: our choice, 0; the tabletop exercise of the Good Ancestors Project takes 0.4."""
    automated_share: Annotated[float, Interval(ge=0, le=1), "share"] = 0.0
    """Share of research on hardware that AIs do, f. Source: 0 is the report's fixed hardware; Davidson et al. ask
    whether 0.1 to 0.2 is enough for an explosion."""
    returns: Annotated[float, Interval(ge=0, le=100), "exponent"] = 5.0
    """Returns to research on hardware, r. Source: Davidson et al. (NBER w35155), 5."""
    fabrication_days: Annotated[float, Interval(ge=0, le=3650), "days"] = 365.0
    """Time from research on hardware to faster nodes. Source: our choice, a year."""

    @property
    def delivers(self) -> bool:
        """Whether the lab orders GPUs."""
        return self.growth_per_year > 1

    def largest_number(self, gpus: int, days: float) -> float:
        """Return the largest number of GPUs to which ``gpus`` can grow in a time by orders [days]."""
        if not self.delivers:
            return float(gpus)
        most = max(float(self.most_gpus), float(gpus))
        if self.success_share > 0:
            return most
        log2_gpus = math.log2(gpus) + math.log2(self.growth_per_year) * days / DAYS_PER_YEAR
        return float(2.0 ** min(math.log2(most), log2_gpus))

    def largest_speed(self, days: float) -> float:
        """Return the largest speed of new nodes in a time [days], relative to those of day 0."""
        if not self.delivers:
            return 1.0
        if self.automated_share > 0:
            return self.most_speed
        log2_speed = math.log2(self.speed_growth_per_year) * days / DAYS_PER_YEAR
        return float(2.0 ** min(math.log2(self.most_speed), log2_speed))


class EntryParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of the day and the software with which a lab begins."""

    day: Annotated[float, Interval(ge=0, le=36_500), "days"] = 0.0
    """Day on which the lab begins its research. Before it, the lab reads what others publish. Source: our choice, 0."""
    software_doublings: Annotated[float, Interval(ge=0, le=300), "doublings"] = 0.0
    """Software with which the lab begins, discovered and deployed, beyond that of day 0. Its GPUs run as many more
    researchers. Source: our choice, 0; a lead of one month of the report's toy model is one doubling."""
    gpu_share: Annotated[float, Interval(ge=0, le=1), "share"] = 0.0
    """Share of `cluster__gpus` that the lab has, in whole nodes. 0: not stated. If other labs state theirs, the lab has
    an equal part of the rest; otherwise it has all of `cluster__gpus`. Source: our choice, 0; Epoch AI has 0.284,
    0.258, 0.194, 0.162 and 0.103 for the five largest labs at the end of 2025."""


class StaysParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Let the lab stay to the end of the run."""

    kind: Annotated[Literal["stays"], "name"] = "stays"
    """What ends the lab before the others. `stays`: nothing. `closes`: its research ends, and its GPUs stand still.
    `merges`: its GPUs and its software go to another lab. Source: our choice, `stays`."""


class ClosesParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of a lab that closes."""

    kind: Annotated[Literal["closes"], "name"] = "closes"
    day: Annotated[float, Interval(ge=0, le=36_500), "days"] = 0.0
    """First day on which the lab can close or merge. Source: our choice."""
    behind_doublings: Annotated[float, Interval(ge=0, le=300), "doublings"] = 0.0
    """Gap to the best deployed software of the others at which the lab closes or merges, from that day on. 0: it does
    so on that day, whatever its software. Source: our choice."""


class MergesParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of a lab that merges with another one."""

    kind: Annotated[Literal["merges"], "name"] = "merges"
    day: Annotated[float, Interval(ge=0, le=36_500), "days"] = 0.0
    behind_doublings: Annotated[float, Interval(ge=0, le=300), "doublings"] = 0.0
    into: Annotated[str, "name of a lab"] = ""
    """Lab that receives the GPUs, those on order included, and the better software of both. It receives the humans too,
    if it has humans of its own. If it has merged itself, that lab receives them. If it has ended in another way, no
    merger takes place. Work under way does not change the lab. Source: our choice."""


ExitParams = StaysParams | ClosesParams | MergesParams
"""Parameters of the exit of a lab; `kind` selects the class."""
