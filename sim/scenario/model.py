"""A scenario: every number of a run but its seed, checked and frozen.

A parameter has one name all the way: ``block__name``, from the TOML file (``[block]`` and ``name = ...``) through
the command line to the column of a results table.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar, get_args, get_origin

from annotated_types import Interval
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from agents.kernel_engineer import UNCALIBRATED, KernelParams
from agents.literature import LiteratureParams
from agents.researcher import ResearcherParams
from agents.trainer import TrainingParams
from hardware.cluster.cluster import ClusterParams
from hardware.datacenter import inference_gpus
from hardware.kernels.speedup_curve import MeasurementError
from hardware.kernels.trace import TraceError
from sim.background import NO_BACKGROUND, BackgroundError, BackgroundLoad, background_load, digest_of_background
from sim.growth import DAYS_PER_MONTH, GrowthParams, Law, law_from_params
from sim.kernel_calibration import MeasuredKernels, bootstrap_curves, calibrate, digest_of_measurements
from sim.toml_files import TomlError, name_of, read_toml

BUNDLED_SCENARIOS_DIR = Path(__file__).parent / "shipped"
DEFAULT = "lab"

Measured = TypeVar("Measured")
Logged = TypeVar("Logged")


class ScenarioError(ValueError):
    """A scenario that cannot be run; the message says what is wrong, where, and what is allowed."""


class RunParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """How long to watch, and how closely."""

    horizon_days: Annotated[float, Interval(gt=0, le=1e6), "days"] = 730.0
    """The day on which the run stops at the latest. Source: our choice, two years; the report's figures show
    one."""
    frame_days: Annotated[float, Interval(ge=1e-4, le=1e6), "days"] = 1.0
    """What one step shows: how often the series is sampled. It changes nothing that happens. Source: our
    choice."""
    max_doublings: Annotated[int, Interval(ge=1, le=300), "doublings"] = 9
    """The run stops when discovered software has doubled that often. Source: our choice."""
    until_researchers: Annotated[float, Interval(ge=0, le=1e15), "researchers"] = 0.0
    """The run stops when so many researchers are at work; 0 is no such stop. Source: our choice."""
    individuals_up_to: Annotated[int, Interval(ge=0, le=1_000_000), "researchers"] = 1000
    """The largest team that is simulated one by one. A larger one becomes a cohort: counts of the same phases, on the
    same clock and cluster, and stays one. Source: our choice; the law is the same, and a simulated day no longer costs
    more with more researchers."""
    leap_error: Annotated[float, Interval(ge=0, le=0.5), "share"] = 0.02
    """The relative error that a cohort may make in a rate: of those who think or write, so many move on together, and
    several experiments run as one job while that takes no longer than this share of a paper's work. 0: one by one.
    Where GPUs are full large leaps leave some idle, so that progress is slower: doubling 7 of
    `lab-frontier-experiments` comes on day 347 with 0 and with 0.02 (both ± 2), 354 with 0.1 (2% later) and 379 with
    0.5 (9% later), over 5 seeds. Keep it at 0.02 for results; 0.1 and more are for a quick look.
    Source: our choice, for doubling times of the shipped labs within 1% of those of researchers one by one (where
    GPUs are 80% busy up to 2% fewer papers; half of it halves that); such leaps usually take 0.03 (Cao, Gillespie
    and Petzold, J. Chem. Phys. 124, 044109, 2006)."""


class TeamSize(NamedTuple):
    """Researchers and what each of them writes."""

    researchers: float
    papers_per_day: float
    """Papers a day of a researcher who never waits."""


class Scenario(BaseModel, frozen=True, extra="forbid"):
    """All parameters of a run. Each block belongs to the part of the world that uses it."""

    name: str = DEFAULT
    description: str = ""
    source: str = ""
    growth: GrowthParams = GrowthParams()
    researcher: ResearcherParams = ResearcherParams()
    literature: LiteratureParams = LiteratureParams()
    cluster: ClusterParams = ClusterParams()
    training: TrainingParams = TrainingParams()
    kernels: KernelParams = KernelParams()
    run: RunParams = RunParams()

    @classmethod
    def load(cls, name_or_path: str | Path = DEFAULT) -> Self:
        """Return a shipped scenario by its name, or one from a TOML file.

        The file says only what differs from the defaults. Raises ScenarioError with the file, and the line where
        there is one, if it cannot be read or says something that is not allowed.
        """
        path = _find(str(name_or_path))
        try:
            content = read_toml(path)
        except TomlError as error:
            raise ScenarioError(str(error)) from None
        if not content:
            raise ScenarioError(
                f"{path}: is empty; a scenario has a description or at least one parameter. Add one, such as gpus = 64 "
                f"under [cluster], or use the default: {DEFAULT}"
            )
        try:
            return cls._from_content(name_of(path), content)
        except ScenarioError as error:
            raise ScenarioError(f"{path}: {error}") from None

    @classmethod
    def _from_content(cls, name: str, content: Mapping[str, Any]) -> Self:
        flat: dict[str, Any] = {}
        texts: dict[str, Any] = {"name": name}
        for key, value in content.items():
            if key in ("description", "source") and isinstance(value, str):
                texts[key] = value
            elif isinstance(value, dict):
                flat |= {f"{key}__{inner}": v for inner, v in value.items()}
            else:
                flat[key] = value
        return cls(**texts).replace(**flat)

    def replace(self, **changes: Any) -> Self:
        """Return the same scenario with some parameters changed, by their flat names.

        Raises ScenarioError for a name that does not exist (and names the nearest), a value of the wrong type
        or out of bounds, a parameter that nothing reads (of growth under another law, of kernels without
        measurements), and measurements that there are not.
        """
        known = parameters()
        for name in changes:
            if name not in known:
                raise ScenarioError(_unknown(name))
        blocks: dict[str, dict[str, Any]] = {}
        for name, value in changes.items():
            block, _, inner = name.partition("__")
            blocks.setdefault(block, {})[inner] = _whole(value) if known[name].annotation is int else value
        updated = {block: self._block(block, values) for block, values in blocks.items()}
        result = self.model_copy(update=updated)
        result._check_read(changes)
        if not _NAME_MEASUREMENTS.isdisjoint(changes):
            result.calibration()
        if not _NAME_BACKGROUND.isdisjoint(changes):
            result.background()
        result._check_kernels_read(changes, self)
        return result

    def _block(self, block: str, values: dict[str, Any]) -> BaseModel:
        old: BaseModel = getattr(self, block)
        try:
            return type(old)(**(old.model_dump() | values))
        except ValidationError as error:
            raise ScenarioError("; ".join(_explain(block, e) for e in error.errors())) from None

    def _check_read(self, changes: Iterable[str]) -> None:
        """Refuse a change that nothing would read: it would look like a result and be none."""
        for name in changes:
            law = _READ_BY_LAW.get(name)
            if law is not None and law != self.growth.law:
                raise ScenarioError(
                    f"{name} is not read under growth__law = '{self.growth.law}'; it is under growth__law = '{law}'"
                )

    def _check_kernels_read(self, changes: Iterable[str], before: Scenario) -> None:
        """The same for kernels where there are no measurements, unless those who change them ask for none."""
        if self.kernels.measurements != UNCALIBRATED or "kernels__measurements" in changes:
            return
        old, new = before.flat(), self.flat()
        for name in changes:
            if name.startswith("kernels__") and new[name] != old[name]:
                raise ScenarioError(
                    f"{name} is not read without measurements (kernels__measurements = '{UNCALIBRATED}'): "
                    "name those that shall drive the kernels"
                )

    @property
    def initial_researchers(self) -> int:
        """Researchers on day 0: as many as are set, or as the inference GPUs run; at least 1."""
        params = self.researcher
        return params.initial or max(1, math.floor(inference_gpus(self.cluster) / params.gpus_each + 1e-9))

    @property
    def own_team(self) -> TeamSize:
        """The lab's own team on day 0."""
        return TeamSize(self.initial_researchers, self.researcher.papers_per_day)

    @property
    def reference_team(self) -> TeamSize:
        """The team that is taken to need `first_doubling_days` for the first doubling: growth__calibrated_for.

        The lab's own under the law `papers`, which reads no other.
        """
        researchers = self.growth.calibrated_for if self.growth.law == "returns" else 0
        return TeamSize(researchers, 1 / DAYS_PER_MONTH) if researchers else self.own_team

    def law(self, own_team: TeamSize | None = None) -> Law:
        """Return the law of growth with its effort before day 0.

        ``own_team``: the team of day 0, if the scenario no longer has it; read by the law `papers` and if
        `calibrated_for` is 0.
        """
        own = self.growth.law == "papers" or not self.growth.calibrated_for
        reference = own_team or self.own_team if own else self.reference_team
        return law_from_params(self.growth, *reference)

    def recalibrating(self, before: Scenario) -> list[str]:
        """Return the parameters, by flat name, that differ and change the effort before day 0."""
        if self.growth.law != "returns" or before.growth.law != "returns" or self.law() == before.law():
            return []
        old, new = before.flat(), self.flat()
        own = _SET_THE_TEAM if self.growth.calibrated_for == 0 else ()
        return [name for name in (*_CALIBRATE, *own) if old[name] != new[name]]

    def recalibration_since(self, before: Scenario) -> str:
        """Return a sentence on the parameters that changed the effort before day 0, or an empty text if none did."""
        moved = self.recalibrating(before)
        if not moved:
            return ""
        new = self.flat()
        stated = " and ".join(f"{name} = {new[name]:.6g}" for name in moved)
        researchers, papers_per_day = self.reference_team
        return (
            f"{stated} {'re-calibrates' if len(moved) == 1 else 're-calibrate'} the effort before day 0, as if "
            f"{researchers:,.15g} researchers at {papers_per_day * DAYS_PER_MONTH:.4g} papers a month reached the "
            f"first doubling in {self.growth.first_doubling_days:.4g} days."
        )

    def readable(self) -> Self:
        """Return the same lab with the defaults of all that nothing in it reads, so that a file can say it."""
        unread = [name for name, law in _READ_BY_LAW.items() if law != self.growth.law]
        defaults = {parameters()[name].name: parameters()[name].default for name in unread}
        kernels = self.kernels
        if kernels.measurements == UNCALIBRATED:
            kernels = KernelParams(measurements=UNCALIBRATED)
        return self.model_copy(update={"growth": self.growth.model_copy(update=defaults), "kernels": kernels})

    def flat(self) -> dict[str, Any]:
        """Return every parameter by its flat name, in a fixed order."""
        return {name: getattr(getattr(self, p.block), p.name) for name, p in parameters().items()}

    def digest(self) -> str:
        """Return the SHA-256 of all parameters and of the file of measurements: the same for the same numbers.

        What the scenario is called does not count, nor where the file lies. Raises ScenarioError if it cannot be read.
        """
        measured = self._measured(digest_of_measurements)
        content = self.flat() | {"digest of kernels__measurements": measured}
        if measured:
            del content["kernels__measurements"]
        logged = self._logged(digest_of_background)
        if logged:
            del content["cluster__background"]
            content["digest of cluster__background"] = logged
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def background(self) -> BackgroundLoad | None:
        """Return the jobs of other users that load the cluster, None if there are none.

        Raises ScenarioError if the log cannot be read, or needs as many GPUs as experiments can have.
        """
        return self._logged(background_load)

    def _logged(self, ask: Callable[[ClusterParams], Logged]) -> Logged:
        shown = f"cluster__background = '{self.cluster.background}'"
        try:
            return ask(self.cluster)
        except OSError as error:
            allowed = f"allowed: the path of a job log, or '{NO_BACKGROUND}'"
            raise ScenarioError(f"{shown}: cannot be read ({error.strerror}); {allowed}") from None
        except BackgroundError as error:
            raise ScenarioError(f"{shown}: {error}") from None

    def calibration(self) -> MeasuredKernels:
        """Return the measurements that drive the kernels.

        Raises ScenarioError if there are none of this name or workload, or the file cannot be read.
        """
        return self._measured(calibrate)

    def calibrations_drawn_again(self) -> tuple[MeasuredKernels, ...]:
        """Return what the measurements might as well have been; errors as of :meth:`calibration`.

        Each is the curve of the same searches drawn with replacement; there are none with fewer than three searches.
        """
        return self._measured(lambda kernels: bootstrap_curves(calibrate(kernels)))

    def _measured(self, ask: Callable[[KernelParams], Measured]) -> Measured:
        kernels = self.kernels
        shown = f"kernels__measurements = '{kernels.measurements}'"
        try:
            return ask(kernels)
        except MeasurementError as error:
            if error.asked == kernels.workload:
                shown = f"kernels__workload = '{kernels.workload}' with {shown}"
            there = error.there if error.asked == kernels.workload else (*error.there, UNCALIBRATED)
            raise ScenarioError(f"{shown}: {error}{did_you_mean(error.asked, there)}") from None
        except OSError as error:
            raise ScenarioError(f"{shown}: cannot be read ({error.strerror})") from None
        except TraceError as error:
            raise ScenarioError(f"{shown}: {error}") from None


_NAME_BACKGROUND = frozenset({"cluster__background", "cluster__background_gpus"})
_NAME_MEASUREMENTS = frozenset({"kernels__measurements", "kernels__workload"})

_READ_BY_LAW = {
    "growth__r": "returns",
    "growth__first_doubling_days": "returns",
    "growth__calibrated_for": "returns",
    "growth__papers_first_doubling": "papers",
    "growth__difficulty_growth": "papers",
}


_CALIBRATE = (
    "growth__r",
    "growth__parallel_penalty",
    "growth__first_doubling_days",
    "growth__limit_doublings",
    "growth__calibrated_for",
)
"""Parameters that change the effort before day 0 under the law `returns`."""
_SET_THE_TEAM = (
    "researcher__initial",
    "researcher__gpus_each",
    "researcher__papers_per_month",
    "cluster__gpus",
    "cluster__inference_share",
    "cluster__sharing",
    "cluster__placement",
)
"""Parameters that do so as well if growth__calibrated_for = 0."""


class Parameter(NamedTuple):
    """One parameter, as its declaration says it."""

    flat_name: str
    block: str
    name: str
    annotation: Any
    default: Any
    unit: str
    low: float | None
    high: float | None
    low_excluded: bool
    choices: tuple[str, ...]
    meaning: str
    source: str

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.annotation is str:
            return f"text: {self.unit}"
        if self.low is None and self.high is None:
            return "true or false"
        start = f"above {_number(self.low)}, up to" if self.low_excluded else f"from {_number(self.low)} to"
        return f"{start} {_number(self.high)} {self.unit}"


@cache
def parameters() -> dict[str, Parameter]:
    """Return every parameter of a scenario by its flat name."""
    found = {}
    for block, field in Scenario.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for name, inner in kind.model_fields.items():
                found[f"{block}__{name}"] = _parameter(block, name, inner)
    return found


def _parameter(block: str, name: str, field: FieldInfo) -> Parameter:
    unit = next((m for m in field.metadata if isinstance(m, str)), "")
    bounds = {key: getattr(m, key) for m in field.metadata for key in _BOUNDS if getattr(m, key, None) is not None}
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    meaning, _, source = " ".join((field.description or "").split()).partition(" Source: ")
    return Parameter(
        f"{block}__{name}",
        block,
        name,
        field.annotation,
        field.default,
        unit,
        bounds.get("ge", bounds.get("gt")),
        bounds.get("le"),
        "gt" in bounds,
        choices,
        meaning,
        source,
    )


_BOUNDS = ("ge", "gt", "le")


def _number(value: float | None) -> str:
    return f"{value:,.10g}"


def _whole(value: Any) -> Any:
    """A number without a fraction, such as 1e3, as the whole number that it is; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def shipped_scenarios() -> list[str]:
    """Return the names of the scenarios that come with asara."""
    return sorted(path.stem for path in BUNDLED_SCENARIOS_DIR.glob("*.toml"))


def _find(name: str) -> Path:
    """The file of a shipped name, or the file that the name is itself."""
    if name in shipped_scenarios():
        return BUNDLED_SCENARIOS_DIR / f"{name}.toml"
    if name.endswith(".toml") or "/" in name or Path(name).is_file():
        return Path(name)
    own = f"{name}.toml"
    near = f"; did you mean '{own}'?" if Path(own).is_file() else did_you_mean(name, shipped_scenarios())
    raise ScenarioError(f"no scenario '{name}' (`asara scenarios` lists them, a file of your own ends in .toml){near}")


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return "; did you mean '...'?" with the nearest of the candidates, or nothing if none is near."""
    near = difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""


def _unknown(name: str) -> str:
    meant = [parameter for parameter in parameters().values() if parameter.name == name]
    if not meant:
        return f"no parameter '{name}'{did_you_mean(name, parameters())}"
    names = " or ".join(f"'{parameter.flat_name}'" for parameter in meant)
    tables = " or ".join(f"[{parameter.block}]" for parameter in meant)
    return f"no parameter '{name}'; did you mean {names} (in a file: {name} under {tables})?"


def _explain(block: str, error: ErrorDetails) -> str:
    """One validation error as a sentence with name, value, and what is allowed."""
    if not error["loc"]:
        return f"[{block}] {error['msg'].removeprefix('Value error, ')}"
    parameter = parameters()[f"{block}__{error['loc'][0]}"]
    shown = f"{parameter.flat_name} = {error['input']!r}"
    if error["type"] in ("greater_than_equal", "greater_than", "less_than_equal", "less_than"):
        return f"{shown} {parameter.unit} is out of bounds: {parameter.allowed}"
    if error["type"] == "value_error":
        return f"{shown}: {error['msg'].removeprefix('Value error, ')}"
    near = did_you_mean(str(error["input"]), parameter.choices) if parameter.choices else ""
    kind = "a whole number " if parameter.annotation is int else "a number " if parameter.annotation is float else ""
    return f"{shown} is not allowed: {kind}{parameter.allowed}{near}"
