"""Declare the values of a scenario, and list every parameter with its bounds, unit, meaning and source.

A parameter has the same name everywhere: ``block__name``. It is ``name = ...`` under ``[block]`` in a TOML file, an
option of the command line and a column of a results table.

A block is one class of parameters, or one of several classes: a union, whose *selector* is the parameter that chooses
between them. A parameter that the chosen class does not have is not read, and cannot be set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args, get_origin

from annotated_types import Interval
from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from agents.params import (
    FixedPolicyParams,
    HumansParams,
    KernelParams,
    LiteratureParams,
    MeasuredKernelParams,
    PolicyParams,
    ResearcherParams,
    TrainingParams,
)
from hardware.cluster.params import ClusterParams
from sim.governance.params import DisclosureParams, RegulatorParams
from sim.growth import GrowthParams, ReturnsLaw
from sim.lab_params import CommonsParams, EntryParams, ExitParams, StaysParams, SupplyParams
from sim.production import AutomationParams, SeriesTasks
from sim.start import AnyStartParams, ResearchersStart
from sim.time_horizon import HorizonParams, NoHorizon

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
    """Largest team that is simulated as individual agents; researchers and humans are separate teams. A larger team
    becomes a cohort and remains one. A cohort counts the researchers in each phase and uses the same clock and cluster.
    Humans of a cohort work on batches of papers, each of the share `leap_tolerance` of the humans. Source: our choice;
    the law is the same, and the cost of a simulated day no longer grows with the number of researchers."""
    leap_tolerance: Annotated[float, Interval(ge=0, le=0.5), "share"] = 0.02
    """Relative error that a cohort may make in a rate. Up to this share of the researchers who think or write finish
    together. Several experiments run as one job if that takes no longer than this share of a paper's work. 0: one by
    one. With full GPUs, large leaps leave some GPUs idle, so that progress is slower. Example: doubling 7 of
    `lab-frontier-experiments`, over 5 seeds. It comes on day 347 with 0 and with 0.02 (both ± 2), on day 354 with 0.1
    (2% later) and on day 379 with 0.5 (9% later). Use 0.02 for results, and 0.1 or more for a quick look only.
    Source: our choice, so that doubling times of the bundled labs are within 1% of those of individual researchers.
    Where GPUs are 80% busy, up to 2% fewer papers are published; half of the value halves that. Leaps of this kind
    usually take 0.03 (Cao, Gillespie and Petzold, J. Chem. Phys. 124, 044109, 2006)."""


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
    selector: str = ""
    """Flat name of the selector of the block, if only some of its classes have the parameter; otherwise empty."""
    read_under: str = ""
    """The choices of the selector under which the parameter is read, as a phrase; empty if it is always read."""

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


class Block(NamedTuple):
    """Describe a block of a scenario: its classes of parameters, and the parameter that chooses between them."""

    name: str
    classes: tuple[type[BaseModel], ...]
    """Classes of the block; the first contains the defaults."""
    selector: str
    """Name of the parameter that selects the class; empty if there is one class."""

    def class_for(self, value: Any) -> type[BaseModel]:
        """Return the class that a value of the selector selects; the first if the value is not allowed."""
        free = [each for each in self.classes if not self._choices(each)]
        return next((each for each in self.classes if value in self._choices(each)), (*free, self.classes[0])[0])

    def _choices(self, kind: type[BaseModel]) -> tuple[Any, ...]:
        return _choices(kind.model_fields[self.selector]) if self.selector else ()

    def parameters(self) -> dict[str, Parameter]:
        """Return the parameters of the block: selector, parameters of one class each, parameters of several classes."""
        names = list(dict.fromkeys(name for kind in self.classes for name in kind.model_fields))
        shared = {name for name in names if sum(name in kind.model_fields for kind in self.classes) > 1}
        names.sort(key=lambda name: (name != self.selector, name in shared))
        return {f"{self.name}__{name}": self._parameter(name) for name in names}

    def _parameter(self, name: str) -> Parameter:
        there = [kind for kind in self.classes if name in kind.model_fields]
        found = _parameter_from_fields(self.name, name, [kind.model_fields[name] for kind in there])
        if len(there) == len(self.classes):
            return found
        selector = f"{self.name}__{self.selector}"
        choices = [repr(choice) for kind in there for choice in self._choices(kind)]
        under = f"{selector} = {' or '.join(choices)}" if choices else f"any other {selector}"
        return found._replace(selector=selector, read_under=under)


class Schema(BaseModel, frozen=True, extra="forbid"):
    """Base class of scenarios; a subclass declares its blocks as fields, and lists their parameters."""

    blocks: ClassVar[Mapping[str, Block]]
    """The blocks by name."""
    declared: ClassVar[Mapping[str, Parameter]]
    """The parameters by flat name."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """List the blocks and the parameters of a new subclass."""
        super().__pydantic_init_subclass__(**kwargs)
        found = {name: _block_of(name, field) for name, field in cls.model_fields.items()}
        cls.blocks = MappingProxyType({name: block for name, block in found.items() if block.classes})
        cls.declared = MappingProxyType({k: v for each in cls.blocks.values() for k, v in each.parameters().items()})


def _block_of(name: str, field: FieldInfo) -> Block:
    """Return the block that a field declares; without classes if the field is not a block."""
    found = get_args(field.annotation) or (field.annotation,)
    classes = tuple(kind for kind in found if isinstance(kind, type) and issubclass(kind, BaseModel))
    return Block(name, classes, _selector(classes) if len(classes) > 1 else "")


def _selector(classes: Sequence[type[BaseModel]]) -> str:
    """Return the name that all classes have, and whose allowed values differ between them."""
    common = [name for name in classes[0].model_fields if all(name in kind.model_fields for kind in classes)]
    return next(name for name in common if len({_choices(kind.model_fields[name]) for kind in classes}) > 1)


def _choices(field: FieldInfo) -> tuple[Any, ...]:
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


_BOUNDS = ("ge", "gt", "le")


def _parameter_from_fields(block: str, name: str, fields: Sequence[FieldInfo]) -> Parameter:
    """Return the parameter that the fields of one or several classes declare; the first that states a part counts."""
    first = fields[0]
    described = next((field for field in fields if field.description), first)
    unit = next((m for field in fields for m in field.metadata if isinstance(m, str)), "")
    bounds = {key: getattr(m, key) for m in first.metadata for key in _BOUNDS if getattr(m, key, None) is not None}
    meaning, _, source = " ".join((described.description or "").split()).partition(" Source: ")
    free = [field for field in fields if not _choices(field)]
    choices = () if free else tuple(dict.fromkeys(choice for field in fields for choice in _choices(field)))
    return Parameter(
        flat_name=f"{block}__{name}",
        block=block,
        name=name,
        annotation=free[0].annotation if free else Literal[choices],
        default=first.default,
        unit=unit,
        low=bounds.get("ge", bounds.get("gt")),
        high=bounds.get("le"),
        low_excluded="gt" in bounds,
        choices=choices,
        meaning=meaning,
        source=source,
    )


def _format_bound(value: float | None) -> str:
    return f"{value:,.10g}"


class ScenarioValues(Schema, frozen=True, extra="forbid"):
    """Hold the name, description, source and blocks of parameters of a scenario."""

    name: str = DEFAULT
    description: str = ""
    source: str = ""
    labs: tuple[str, ...] = ()
    """Names of the labs, in order; empty for a single lab without a name."""
    overrides: tuple[tuple[str, Any], ...] = ()
    """Values that only one lab has, by ``LAB.block__name``. With one lab, the blocks below contain them; with several,
    the blocks hold the values of all labs without their own, and :meth:`Scenario.lab_scenario` returns those of one."""
    growth: Annotated[GrowthParams, Field(discriminator="law")] = ReturnsLaw()
    researcher: ResearcherParams = ResearcherParams()
    humans: HumansParams = HumansParams()
    automation: Annotated[AutomationParams, Field(discriminator="combination")] = SeriesTasks()
    start: Annotated[AnyStartParams, Field(discriminator="given_by")] = ResearchersStart()
    horizon: Annotated[HorizonParams, Field(discriminator="law")] = NoHorizon()
    literature: LiteratureParams = LiteratureParams()
    cluster: ClusterParams = ClusterParams()
    training: TrainingParams = TrainingParams()
    kernels: Annotated[KernelParams, Field(union_mode="left_to_right")] = MeasuredKernelParams()
    supply: SupplyParams = SupplyParams()
    commons: CommonsParams = CommonsParams()
    entry: EntryParams = EntryParams()
    exit: Annotated[ExitParams, Field(discriminator="kind")] = StaysParams()
    policy: Annotated[PolicyParams, Field(discriminator="name")] = FixedPolicyParams()
    disclosure: DisclosureParams = DisclosureParams()
    regulator: RegulatorParams = RegulatorParams()
    run: RunParams = RunParams()


def parameters(schema: type[Schema] = ScenarioValues) -> Mapping[str, Parameter]:
    """Return every parameter of a class of scenarios by its flat name; a subclass may have further blocks."""
    return schema.declared
