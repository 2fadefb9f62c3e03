"""Hold all parameters of a run in one frozen, checked object: everything but the seed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ValidationError

from agents.params import ResearcherParams
from hardware.datacenter import inference_gpus
from sim.background import BackgroundLoad, background_load, digest_of_background
from sim.governance.policy_files import PolicyFile
from sim.growth import DAYS_PER_MONTH, FrozenLaw, Law, ReturnsLaw, law_from_params
from sim.kernel_calibration import MeasuredKernels, bootstrap_curves, calibrate, digest_of_measurements
from sim.production import AutomationParams
from sim.scenario.declarations import DEFAULT, Parameter, RunParams, ScenarioValues, parameters
from sim.scenario.labs import GpuShare, check_block, check_not_overridden, gpus_by_share, labs_with, split_name
from sim.scenario.loading import (
    digest_of_policy,
    load_background,
    load_measurements,
    load_policy,
    read_scenario_file,
    shipped_scenarios,
)
from sim.scenario.messages import (
    ScenarioError,
    describe_unknown_parameter,
    describe_unread_parameter,
    describe_validation_error,
    did_you_mean,
)
from sim.scenario.renamed import current_values
from sim.start import StartParams
from sim.time_horizon import NoHorizon

__all__ = [
    "DEFAULT",
    "Parameter",
    "RunParams",
    "Scenario",
    "ScenarioError",
    "TeamSize",
    "did_you_mean",
    "parameters",
    "shipped_scenarios",
]

_BACKGROUND_PARAMETERS = frozenset({"cluster__background", "cluster__background_gpus"})
_MEASUREMENT_PARAMETERS = frozenset({"kernels__measurements", "kernels__workload"})

LATER_BLOCKS = (
    "policy",
    "humans",
    "automation",
    "start",
    "horizon",
    "supply",
    "commons",
    "entry",
    "exit",
    "disclosure",
    "regulator",
)
"""Blocks that were added after the first release; with its defaults each leaves the digest of a scenario as it was."""
_LATER_PARAMETERS = ("growth__ai_doublings", "policy__publication_delay_days", "policy__safety_share")
"""Parameters that were added later to an older block; the same holds for each of them."""

_CALIBRATION_PARAMETERS = (
    "growth__r",
    "growth__parallel_penalty",
    "growth__first_doubling_days",
    "growth__limit_doublings",
    "growth__calibrated_for",
)
"""Parameters that change the effort before day 0 under the law `returns`."""
_TEAM_PARAMETERS = (
    "researcher__initial",
    "researcher__gpus_each",
    "researcher__papers_per_month",
    "cluster__gpus",
    "cluster__inference_share",
    "cluster__partitioning",
    "cluster__placement",
)
"""Parameters that also change it if growth__calibrated_for = 0, because they set the team of day 0."""


class TeamSize(NamedTuple):
    """Size of a team, and the output of each researcher."""

    researchers: float
    papers_per_day: float
    """Papers per day of a researcher who never waits."""


class Scenario(ScenarioValues, frozen=True, extra="forbid"):
    """All parameters of a run, in blocks by the part of the model that uses them.

    Load a scenario with :meth:`load`, and change parameters with :meth:`replace`. A scenario never changes in place.
    """

    @classmethod
    def load(cls, name_or_path: str | Path = DEFAULT) -> Self:
        """Return a bundled scenario by its name, or one from a TOML file.

        The file contains only what differs from the defaults. Raises ScenarioError if the file cannot be
        read or contains a value that is not allowed. The message contains the file and, for invalid TOML, the line.
        """
        file = read_scenario_file(str(name_or_path))
        try:
            return cls(**file.texts, labs=file.labs).replace(**file.values)
        except ScenarioError as error:
            raise ScenarioError(f"{file.path}: {error}") from None

    def replace(self, **changes: Any) -> Self:
        """Return the same scenario with some parameters changed, by flat name.

        ``NAME.block__name`` is a parameter of the lab NAME. A block keeps its values under another choice of its
        selector, such as growth__law, as far as that choice reads them. Raises ScenarioError for:

        - a name that does not exist, with the nearest name (a name of the release before is translated with a
          FutureWarning),
        - a value of the wrong type or out of bounds,
        - a parameter that has no effect (of another growth law, or of kernels without measurements),
        - a second lab beside one that has values of its own,
        - measurements, a background job log or a governance policy that do not exist or cannot be read.
        """
        try:
            changes = current_values(changes)
        except ValueError as error:
            raise ScenarioError(str(error)) from None
        own = {name: value for name, value in changes.items() if split_name(name)[0]}
        result = self._replace_for_labs(changes, own) if own or self.overrides else self._replace_values(changes)
        result._gpus_by_share()
        result.governance()
        return result

    def _replace_values(self, changes: Mapping[str, Any]) -> Self:
        known, values = parameters(type(self)), dict[str, dict[str, Any]]()
        for name, value in changes.items():
            if name not in known:
                raise ScenarioError(describe_unknown_parameter(name, known))
            stated = _to_whole_number(value) if known[name].annotation is int else value
            values.setdefault(known[name].block, {})[known[name].name] = stated
        result = self.model_copy(update={block: self._replace_in_block(block, new) for block, new in values.items()})
        if not _MEASUREMENT_PARAMETERS.isdisjoint(changes):
            result.calibration()
        if not _BACKGROUND_PARAMETERS.isdisjoint(changes):
            result.background()
        return result

    def _replace_in_block(self, name: str, values: Mapping[str, Any]) -> BaseModel:
        """Return a block with other values, of the class that its selector selects."""
        block, old, known = type(self).blocks[name], getattr(self, name), parameters(type(self))
        kind = block.class_for(values[block.selector]) if block.selector in values else type(old)
        stated = {**old.model_dump(), **values}
        try:
            new: BaseModel = kind(**{key: value for key, value in stated.items() if key in kind.model_fields})
        except ValidationError as error:
            problems = [describe_validation_error(name, each, known) for each in error.errors()]
            raise ScenarioError("; ".join(problems)) from None
        for value in values:
            if value not in kind.model_fields:
                raise ScenarioError(describe_unread_parameter(known[f"{name}__{value}"], stated[block.selector]))
        return new

    def _replace_for_labs(self, changes: Mapping[str, Any], own: Mapping[str, Any]) -> Self:
        """Return the scenario with changes of which some, ``own``, are of one lab only."""
        labs, overrides = labs_with(self.labs, own), {**dict(self.overrides), **own}
        shared = {name: value for name, value in changes.items() if name not in own}
        for name in shared:
            check_not_overridden(name, labs, overrides)
        for name in own:
            check_block(*split_name(name))
        if len(labs) > 1 and len(self.labs) == 1 and self.overrides:
            raise ScenarioError(
                f"a second lab cannot be added to '{self.labs[0]}', which has values of its own; allowed: all labs at "
                "once. State both in the scenario file"
            )
        if len(labs) > 1:
            return self._replace_for_several(labs, shared, overrides)
        values = {split_name(name)[1]: value for name, value in own.items()}
        try:
            result = self._replace_values(shared | values)
        except ScenarioError as error:
            is_own = any(name in str(error) for name in values)
            raise ScenarioError(f"lab '{labs[0]}': {error}" if is_own else str(error)) from None
        kept = result._read_by(labs[0], overrides)
        return result.model_copy(update={"labs": labs, "overrides": kept})

    def _replace_for_several(
        self, labs: Sequence[str], shared: Mapping[str, Any], overrides: Mapping[str, Any]
    ) -> Self:
        """Return the scenario with values for all labs, and those that only one of several labs has."""
        base = self.model_copy(update={"labs": (), "overrides": ()})._replace_values(shared)
        kept: list[tuple[str, Any]] = []
        for lab in labs:
            own = {name: value for name, value in overrides.items() if split_name(name)[0] == lab}
            try:
                seen = base._replace_values({split_name(name)[1]: value for name, value in own.items()})
            except ScenarioError as error:
                raise ScenarioError(f"lab '{lab}': {error}") from None
            kept += seen._read_by(lab, own)
        return base.model_copy(update={"labs": tuple(labs), "overrides": tuple(kept)})

    def _read_by(self, lab: str, overrides: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
        """Return a lab's own values as this scenario holds them. Raises ScenarioError if it does not read one."""
        flat = self.flat()
        for name in sorted(overrides):
            if unread := self.unread(split_name(name)[1]):
                raise ScenarioError(f"lab '{lab}': {unread}")
        return tuple((name, flat[split_name(name)[1]]) for name in sorted(overrides))

    def lab_scenario(self, lab: str) -> Self:
        """Return the scenario as one of :attr:`labs` sees it: its own values, and the common ones without labs.

        Raises ScenarioError for a lab that does not exist.
        """
        if lab not in self.labs:
            known = f"; allowed: {', '.join(self.labs)}" if self.labs else ", because the scenario names no labs"
            raise ScenarioError(f"no lab '{lab}'{did_you_mean(lab, self.labs) or known}")
        alone = self.model_copy(update={"labs": (), "overrides": ()})
        if len(self.labs) == 1:
            return alone
        own = {split_name(name)[1]: value for name, value in self.overrides if split_name(name)[0] == lab}
        gpus = self._gpus_by_share()
        if lab in gpus:
            own |= {"cluster__gpus": gpus[lab], "entry__gpu_share": 0.0}
        return alone._replace_values(own)

    def _gpus_by_share(self) -> dict[str, int]:
        """Return the GPUs of each lab that has a share of `cluster__gpus`; empty if no lab of several states one.

        Raises ScenarioError for shares that cannot go together.
        """
        if len(self.labs) < 2:
            return {}
        own = dict(self.overrides)
        stated = {
            lab: GpuShare(own.get(f"{lab}.entry__gpu_share", self.entry.gpu_share), f"{lab}.cluster__gpus" in own)
            for lab in self.labs
        }
        return gpus_by_share(stated, self.cluster.gpus, self.cluster.gpus_per_node)

    def unread(self, name: str) -> str:
        """Return a sentence on why a parameter, by flat name, has no effect; empty if the scenario reads it."""
        parameter = parameters(type(self))[name]
        block = getattr(self, parameter.block)
        if parameter.name in type(block).model_fields:
            return ""
        return describe_unread_parameter(parameter, self.flat()[parameter.selector])

    @property
    def initial_researchers(self) -> int:
        """AI researchers on day 0, a whole number from 1: that of :attr:`hosted_at_start`, rounded down."""
        return max(1, math.floor(self.hosted_at_start * (1 + 1e-9)))

    @property
    def hosted_at_start(self) -> float:
        """AI researchers that the inference GPUs run on day 0, before they do all research.

        It is the number that is set, or as many as the GPUs run. If training compute gives the start, it is N0 of
        ``N0 2^deployed``, such that the number on the day of the last threshold is that of the start.
        """
        params, start = self.researcher, self.start
        if isinstance(start, StartParams):
            return float(start.researchers * 2.0**-self.capability_of_start)
        return params.initial or max(1, math.floor(inference_gpus(self.cluster) / params.gpus_each + 1e-9))

    @property
    def capability_of_start(self) -> float:
        """Deployed software with which AIs do all research for the first time [doublings since day 0].

        0 if a time horizon sets that day: the AIs before it are as many as on that day.
        """
        last = self.automation.last_threshold
        return max(0.0, last) if isinstance(self.horizon, NoHorizon) else 0.0

    @property
    def is_automated(self) -> bool:
        """Whether AIs do all research from day 0 on, without humans."""
        return self.humans.initial == 0 and self.automation.is_complete(self.capability_at_start)

    @property
    def capability_at_start(self) -> float:
        """Capability of AIs on day 0 [doublings]: 0, or that of AIs of a later day in a lab with frozen software."""
        return self.growth.ai_doublings if isinstance(self.growth, FrozenLaw) else 0.0

    @property
    def own_team(self) -> TeamSize:
        """The lab's own team on day 0."""
        return TeamSize(self.initial_researchers, self.ai_researcher.papers_per_day)

    @property
    def serial_speed(self) -> float:
        """Speed at which AIs run, relative to `researcher__papers_per_month` and `automation__ai_productivity`."""
        return self.start.serial_speed if isinstance(self.start, StartParams) else 1.0

    @property
    def ai_researcher(self) -> ResearcherParams:
        """Parameters of AI researchers at their serial speed."""
        if self.serial_speed == 1:
            return self.researcher
        return self.researcher.model_copy(
            update={"papers_per_month": self.researcher.papers_per_month * self.serial_speed}
        )

    @property
    def ai_automation(self) -> AutomationParams:
        """Parameters of the automation of tasks, with AIs at their serial speed."""
        if self.serial_speed == 1:
            return self.automation
        return self.automation.model_copy(
            update={"ai_productivity": self.automation.ai_productivity * self.serial_speed}
        )

    @property
    def reference_team(self) -> TeamSize:
        """The team whose first doubling takes `first_doubling_days`: that of growth__calibrated_for.

        Under the other laws, which do not read this parameter, it is the lab's own team.
        """
        researchers = self.growth.calibrated_for if isinstance(self.growth, ReturnsLaw) else 0
        return TeamSize(researchers, 1 / DAYS_PER_MONTH) if researchers else self.own_team

    def law(self, own_team: TeamSize | None = None) -> Law:
        """Return the growth law with its effort before day 0.

        ``own_team`` is the team of day 0, by default that of this scenario. It matters under the law `papers`, and if
        `calibrated_for` is 0.
        """
        own = not isinstance(self.growth, ReturnsLaw) or not self.growth.calibrated_for
        reference = own_team or self.own_team if own else self.reference_team
        return law_from_params(self.growth, *reference)

    def recalibrating(self, before: Scenario) -> list[str]:
        """Return the parameters, by flat name, that differ and change the effort before day 0."""
        both = isinstance(self.growth, ReturnsLaw) and isinstance(before.growth, ReturnsLaw)
        if not both or self.law() == before.law():
            return []
        old, new = before.flat(), self.flat()
        own = _TEAM_PARAMETERS if new["growth__calibrated_for"] == 0 else ()
        return [name for name in (*_CALIBRATION_PARAMETERS, *own) if old[name] != new[name]]

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
            f"first doubling in {new['growth__first_doubling_days']:.4g} days."
        )

    def flat(self) -> dict[str, Any]:
        """Return every parameter by its flat name, in a fixed order; one that is not read has its default."""
        found = {name: parameter.default for name, parameter in parameters(type(self)).items()}
        for block in type(self).blocks:
            found |= {f"{block}__{name}": value for name, value in vars(getattr(self, block)).items()}
        return found

    def file_content(self) -> dict[str, Any]:
        """Return the content of a TOML file of this scenario: texts, and what differs from the defaults by table."""
        content: dict[str, Any] = {"description": self.description, "source": self.source}
        known = parameters(type(self))
        own = {split_name(name)[1] for name, _ in self.overrides} if len(self.labs) == 1 else set()
        for name, value in self.flat().items():
            parameter = known[name]
            if value != parameter.default and name not in own:
                content.setdefault(parameter.block, {})[parameter.name] = value
        labs: dict[str, Any] = {lab: {} for lab in self.labs}
        for name, value in self.overrides:
            lab, flat_name = split_name(name)
            labs[lab].setdefault(known[flat_name].block, {})[known[flat_name].name] = value
        found = {key: value for key, value in content.items() if value}
        return found | {"labs": labs} if labs else found

    def digest(self) -> str:
        """Return the SHA-256 of all parameters and of the files that they name.

        Equal numbers give equal digests: neither the names of the scenario and of its lab nor the location of the files
        count. Raises ScenarioError if a file cannot be read.
        """
        measured = load_measurements(self.kernels, digest_of_measurements)
        content = self.flat() | {"digest of kernels__measurements": measured}
        if measured:
            del content["kernels__measurements"]
        logged = load_background(self.cluster, digest_of_background)
        if governed := digest_of_policy(self.regulator):
            content["regulator__policy"] = governed
        for name in LATER_BLOCKS:
            if getattr(self, name) == type(self).model_fields[name].default:
                content = {key: value for key, value in content.items() if not key.startswith(f"{name}__")}
        for name in _LATER_PARAMETERS:
            if content.get(name) == parameters(type(self))[name].default:
                del content[name]
        if len(self.labs) > 1:
            content["labs"] = {lab: self.lab_scenario(lab).digest() for lab in self.labs}
        if logged:
            del content["cluster__background"]
            content["digest of cluster__background"] = logged
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def background(self) -> BackgroundLoad | None:
        """Return the jobs of other users that load the cluster, or None if there are none.

        Raises ScenarioError if the log cannot be read, or if its jobs need as many GPUs as experiments can have.
        """
        return load_background(self.cluster, background_load)

    def governance(self) -> PolicyFile | None:
        """Return the governance policy of the regulator, or None without one.

        Raises ScenarioError if the policy cannot be read, or names a lab that the scenario does not have. It is also
        raised for a window that is longer than the run, and for a rule to switch off that does not exist.
        """
        return load_policy(self.regulator, self.labs, float(self.run.horizon_days))

    def calibration(self) -> MeasuredKernels:
        """Return the measurements that set the speed-up of the kernels.

        Raises ScenarioError if these measurements or this workload do not exist, or if the file cannot be read.
        """
        return load_measurements(self.kernels, calibrate)

    def bootstrap_calibrations(self) -> tuple[MeasuredKernels, ...]:
        """Return bootstrap replicates of the measurements; errors as for :meth:`calibration`.

        Each replicate is the curve of the same searches resampled with replacement. With fewer than three searches
        there are none.
        """
        return load_measurements(self.kernels, lambda kernels: bootstrap_curves(calibrate(kernels)))


def _to_whole_number(value: Any) -> Any:
    """Return a float without a fraction, such as 1e3, as an int; return any other value unchanged."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
