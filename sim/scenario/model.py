"""Hold all parameters of a run in one frozen, checked object: everything but the seed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ValidationError

from agents.params import UNCALIBRATED, KernelParams, PolicyParams
from hardware.datacenter import inference_gpus
from sim.background import BackgroundLoad, background_load, digest_of_background
from sim.growth import DAYS_PER_MONTH, Law, law_from_params
from sim.kernel_calibration import MeasuredKernels, bootstrap_curves, calibrate, digest_of_measurements
from sim.scenario.declarations import DEFAULT, Parameter, RunParams, ScenarioValues, parameters
from sim.scenario.loading import load_background, load_measurements, read_scenario_file, shipped_scenarios
from sim.scenario.messages import ScenarioError, describe_unknown_parameter, describe_validation_error, did_you_mean
from sim.scenario.renamed import current_values

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

_READ_BY_LAW = {
    "growth__r": "returns",
    "growth__first_doubling_days": "returns",
    "growth__calibrated_for": "returns",
    "growth__papers_first_doubling": "papers",
    "growth__difficulty_growth": "papers",
}
"""Parameters that only one growth law reads, and that law."""
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
            return cls(**file.texts).replace(**file.values)
        except ScenarioError as error:
            raise ScenarioError(f"{file.path}: {error}") from None

    def replace(self, **changes: Any) -> Self:
        """Return the same scenario with some parameters changed, by flat name.

        Raises ScenarioError for:

        - a name that does not exist, with the nearest name (a name of the release before is translated with a
          FutureWarning),
        - a value of the wrong type or out of bounds,
        - a parameter that has no effect (of another growth law, or of kernels without measurements),
        - measurements or a background job log that do not exist or cannot be read.
        """
        known = parameters()
        try:
            changes = current_values(changes)
        except ValueError as error:
            raise ScenarioError(str(error)) from None
        for name in changes:
            if name not in known:
                raise ScenarioError(describe_unknown_parameter(name, known))
        blocks: dict[str, dict[str, Any]] = {}
        for name, value in changes.items():
            block, _, inner = name.partition("__")
            blocks.setdefault(block, {})[inner] = _to_whole_number(value) if known[name].annotation is int else value
        updated = {block: self._replace_in_block(block, values) for block, values in blocks.items()}
        result = self.model_copy(update=updated)
        result._check_law_reads(changes)
        if not _MEASUREMENT_PARAMETERS.isdisjoint(changes):
            result.calibration()
        if not _BACKGROUND_PARAMETERS.isdisjoint(changes):
            result.background()
        result._check_kernels_read(changes, self)
        return result

    def _replace_in_block(self, block: str, values: dict[str, Any]) -> BaseModel:
        old: BaseModel = getattr(self, block)
        try:
            return type(old)(**(old.model_dump() | values))
        except ValidationError as error:
            known = parameters()
            problems = [describe_validation_error(block, each, known) for each in error.errors()]
            raise ScenarioError("; ".join(problems)) from None

    def _check_law_reads(self, changes: Iterable[str]) -> None:
        """Refuse a change that the growth law ignores: its result would look like an effect of the change."""
        for name in changes:
            law = _READ_BY_LAW.get(name)
            if law is not None and law != self.growth.law:
                raise ScenarioError(
                    f"{name} is not read under growth__law = '{self.growth.law}'; it is under growth__law = '{law}'"
                )

    def _check_kernels_read(self, changes: Iterable[str], before: Scenario) -> None:
        """Refuse a change of the kernels without measurements, unless the change itself switches them off."""
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
        """Researchers on day 0: the number that is set, or as many as the inference GPUs run; at least 1."""
        params = self.researcher
        return params.initial or max(1, math.floor(inference_gpus(self.cluster) / params.gpus_each + 1e-9))

    @property
    def own_team(self) -> TeamSize:
        """The lab's own team on day 0."""
        return TeamSize(self.initial_researchers, self.researcher.papers_per_day)

    @property
    def reference_team(self) -> TeamSize:
        """The team whose first doubling takes `first_doubling_days`: that of growth__calibrated_for.

        Under the law `papers`, which does not read this parameter, it is the lab's own team.
        """
        researchers = self.growth.calibrated_for if self.growth.law == "returns" else 0
        return TeamSize(researchers, 1 / DAYS_PER_MONTH) if researchers else self.own_team

    def law(self, own_team: TeamSize | None = None) -> Law:
        """Return the growth law with its effort before day 0.

        ``own_team`` is the team of day 0, by default that of this scenario. It matters under the law `papers`, and if
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
        own = _TEAM_PARAMETERS if self.growth.calibrated_for == 0 else ()
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
            f"first doubling in {self.growth.first_doubling_days:.4g} days."
        )

    def canonical(self) -> Self:
        """Return the same scenario with the default of every parameter that has no effect in it.

        The result can be written to a file and loaded again.
        """
        unread = [name for name, law in _READ_BY_LAW.items() if law != self.growth.law]
        defaults = {parameters()[name].name: parameters()[name].default for name in unread}
        kernels = self.kernels
        if kernels.measurements == UNCALIBRATED:
            kernels = KernelParams(measurements=UNCALIBRATED)
        policy = PolicyParams() if self.policy.name == "fixed" else self.policy
        blocks = {"growth": self.growth.model_copy(update=defaults), "kernels": kernels, "policy": policy}
        return self.model_copy(update=blocks)

    def flat(self) -> dict[str, Any]:
        """Return every parameter by its flat name, in a fixed order."""
        return {name: getattr(getattr(self, p.block), p.name) for name, p in parameters().items()}

    def digest(self) -> str:
        """Return the SHA-256 of all parameters and of the files that they name.

        Equal numbers give equal digests: neither the scenario's name nor the location of the files counts. Raises
        ScenarioError if a file cannot be read.
        """
        measured = load_measurements(self.kernels, digest_of_measurements)
        content = self.flat() | {"digest of kernels__measurements": measured}
        if measured:
            del content["kernels__measurements"]
        logged = load_background(self.cluster, digest_of_background)
        if self.policy.name == "fixed":  # a policy that reads no parameter of its block adds nothing
            content = {name: value for name, value in content.items() if not name.startswith("policy__")}
        if logged:
            del content["cluster__background"]
            content["digest of cluster__background"] = logged
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def background(self) -> BackgroundLoad | None:
        """Return the jobs of other users that load the cluster, or None if there are none.

        Raises ScenarioError if the log cannot be read, or if its jobs need as many GPUs as experiments can have.
        """
        return load_background(self.cluster, background_load)

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
