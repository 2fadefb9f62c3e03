"""Declare the values of a scenario, and list every parameter with its bounds, unit, meaning and source.

A parameter has the same name everywhere: ``block__name``. It is ``name = ...`` under ``[block]`` in a TOML file, an
option of the command line and a column of a results table.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from annotated_types import Interval
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from agents.params import KernelParams, LiteratureParams, PolicyParams, ResearcherParams, TrainingParams
from hardware.cluster.params import ClusterParams
from sim.growth import GrowthParams

DEFAULT = "lab"
"""Name of the default scenario."""


class RunParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Set when a run stops, and how finely it is recorded and simulated."""

    horizon_days: Annotated[float, Interval(gt=0, le=1e6), "days"] = 730.0
    """Day on which the run stops at the latest. Source: our choice, two years; the report's figures show one."""
    sample_days: Annotated[float, Interval(ge=1e-4, le=1e6), "days"] = 1.0
    """Time between two rows of the recorded series. It does not change what happens in the run. Source: our
    choice."""
    max_doublings: Annotated[int, Interval(ge=1, le=300), "doublings"] = 9
    """Number of doublings of discovered software after which the run stops. Source: our choice."""
    stop_at_researchers: Annotated[float, Interval(ge=0, le=1e15), "researchers"] = 0.0
    """Number of active researchers at which the run stops; 0 disables this stop. Source: our choice."""
    max_individuals: Annotated[int, Interval(ge=0, le=1_000_000), "researchers"] = 1000
    """Largest team that is simulated as individual agents. A larger team becomes a cohort and remains one. A cohort
    counts the researchers in each phase and uses the same clock and cluster. Source: our choice; the law is the same,
    and the cost of a simulated day no longer grows with the number of researchers."""
    leap_tolerance: Annotated[float, Interval(ge=0, le=0.5), "share"] = 0.02
    """Relative error that a cohort may make in a rate. Up to this share of the researchers who think or write finish
    together. Several experiments run as one job if that takes no longer than this share of a paper's work. 0: one by
    one. With full GPUs, large leaps leave some GPUs idle, so that progress is slower. Example: doubling 7 of
    `lab-frontier-experiments`, over 5 seeds. It comes on day 347 with 0 and with 0.02 (both ± 2), on day 354 with 0.1
    (2% later) and on day 379 with 0.5 (9% later). Use 0.02 for results, and 0.1 or more for a quick look only.
    Source: our choice, so that doubling times of the bundled labs are within 1% of those of individual researchers.
    Where GPUs are 80% busy, up to 2% fewer papers are published; half of the value halves that. Leaps of this kind
    usually take 0.03 (Cao, Gillespie and Petzold, J. Chem. Phys. 124, 044109, 2006)."""


class ScenarioValues(BaseModel, frozen=True, extra="forbid"):
    """Hold the name, description, source and blocks of parameters of a scenario."""

    name: str = DEFAULT
    description: str = ""
    source: str = ""
    growth: GrowthParams = GrowthParams()
    researcher: ResearcherParams = ResearcherParams()
    literature: LiteratureParams = LiteratureParams()
    cluster: ClusterParams = ClusterParams()
    training: TrainingParams = TrainingParams()
    kernels: KernelParams = KernelParams()
    policy: PolicyParams = PolicyParams()
    run: RunParams = RunParams()


class Parameter(NamedTuple):
    """Describe one parameter, as its declaration does."""

    flat_name: str
    """Block and name: ``block__name``."""
    block: str
    name: str
    annotation: Any
    """Type of the value."""
    default: Any
    unit: str
    """Unit of a number, or the kind of a text."""
    low: float | None
    """Lower bound; None if there is none."""
    high: float | None
    """Upper bound, included; None if there is none."""
    low_excluded: bool
    """Whether the value must be above the lower bound."""
    choices: tuple[str, ...]
    """Allowed texts, if only some are."""
    meaning: str
    source: str

    @property
    def allowed(self) -> str:
        """Allowed values, as a phrase."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.annotation is str:
            return f"text: {self.unit}"
        if self.low is None and self.high is None:
            return "true or false"
        start = f"above {_format_bound(self.low)}, up to"
        if not self.low_excluded:
            start = f"from {_format_bound(self.low)} to"
        return f"{start} {_format_bound(self.high)} {self.unit}"


@cache
def parameters() -> dict[str, Parameter]:
    """Return every parameter of a scenario by its flat name."""
    found = {}
    for block, field in ScenarioValues.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for name, inner in kind.model_fields.items():
                found[f"{block}__{name}"] = _parameter_from_field(block, name, inner)
    return found


_BOUNDS = ("ge", "gt", "le")


def _parameter_from_field(block: str, name: str, field: FieldInfo) -> Parameter:
    unit = next((m for m in field.metadata if isinstance(m, str)), "")
    bounds = {key: getattr(m, key) for m in field.metadata for key in _BOUNDS if getattr(m, key, None) is not None}
    meaning, _, source = " ".join((field.description or "").split()).partition(" Source: ")
    return Parameter(
        flat_name=f"{block}__{name}",
        block=block,
        name=name,
        annotation=field.annotation,
        default=field.default,
        unit=unit,
        low=bounds.get("ge", bounds.get("gt")),
        high=bounds.get("le"),
        low_excluded="gt" in bounds,
        choices=get_args(field.annotation) if get_origin(field.annotation) is Literal else (),
        meaning=meaning,
        source=source,
    )


def _format_bound(value: float | None) -> str:
    return f"{value:,.10g}"
