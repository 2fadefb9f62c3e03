"""Load the files that a scenario names: its TOML file, kernel measurements, background job log, governance policy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from agents.params import UNCALIBRATED, KernelParams
from hardware.cluster.params import ClusterParams
from hardware.kernels.speedup_curve import MeasurementError
from hardware.kernels.trace import TraceError
from sim.background import NO_BACKGROUND, BackgroundError
from sim.governance import policy_files
from sim.governance.params import NO_POLICY, RegulatorParams
from sim.governance.policy_files import PolicyError, PolicyFile, read_policy
from sim.governance.rule_policy import Rule
from sim.scenario.declarations import DEFAULT
from sim.scenario.labs import lab_values
from sim.scenario.messages import ScenarioError, did_you_mean
from sim.toml_files import TomlError, name_of, read_toml

BUNDLED_SCENARIOS_DIR = Path(__file__).parent / "shipped"
"""Folder of the scenarios of one lab that are installed with asara."""
BUNDLED_RACES_DIR = Path(__file__).parent / "races"
"""Folder of the scenarios of several labs that are installed with asara."""

Result = TypeVar("Result")


class ScenarioFile(NamedTuple):
    """Content of a scenario file."""

    path: Path
    texts: dict[str, Any]
    """Name, description and source."""
    labs: tuple[str, ...]
    """Names of the labs."""
    values: dict[str, Any]
    """Parameters by flat name, those of one lab as NAME.block__name; a value outside any table keeps its own name."""


def shipped_scenarios() -> list[str]:
    """Return the names of the scenarios of one lab that are installed with asara."""
    return sorted(path.stem for path in BUNDLED_SCENARIOS_DIR.glob("*.toml"))


def shipped_races() -> list[str]:
    """Return the names of the scenarios of several labs that are installed with asara."""
    return sorted(path.stem for path in BUNDLED_RACES_DIR.glob("*.toml"))


def read_scenario_file(name_or_path: str) -> ScenarioFile:
    """Read a bundled scenario by its name, or a TOML file by its path.

    Raises ScenarioError if there is no such scenario, or if the file is empty or cannot be read.
    """
    path = _find_file(name_or_path)
    try:
        content = read_toml(path)
    except TomlError as error:
        raise ScenarioError(str(error)) from None
    if not content:
        raise ScenarioError(
            f"{path}: is empty; a scenario has a description or at least one parameter. Add one, such as gpus = 64 "
            f"under [cluster], or use the default: {DEFAULT}"
        )
    texts: dict[str, Any] = {"name": name_of(path)}
    values: dict[str, Any] = {}
    labs: tuple[str, ...] = ()
    for key, value in content.items():
        if key in ("description", "source") and isinstance(value, str):
            texts[key] = value
        elif key == "labs":
            try:
                labs, own = lab_values(value)
            except ScenarioError as error:
                raise ScenarioError(f"{path}: {error}") from None
            values |= own
        elif isinstance(value, dict):
            values |= {f"{key}__{inner}": v for inner, v in value.items()}
        else:
            values[key] = value
    return ScenarioFile(path, texts, labs, values)


def _find_file(name: str) -> Path:
    """Return the file of a bundled scenario, or the path that the name itself is."""
    for folder, names in ((BUNDLED_SCENARIOS_DIR, shipped_scenarios()), (BUNDLED_RACES_DIR, shipped_races())):
        if name in names:
            return folder / f"{name}.toml"
    if name.endswith(".toml") or "/" in name or Path(name).is_file():
        return Path(name)
    own = f"{name}.toml"
    near = (
        f"; did you mean '{own}'?"
        if Path(own).is_file()
        else did_you_mean(name, [*shipped_scenarios(), *shipped_races()])
    )
    raise ScenarioError(f"no scenario '{name}' (`asara scenarios` lists them, a file of your own ends in .toml){near}")


def load_measurements(kernels: KernelParams, read: Callable[[KernelParams], Result]) -> Result:
    """Return what ``read`` returns for the measurements that a scenario names.

    Raises ScenarioError if these measurements or this workload do not exist, or if the file cannot be read.
    """
    shown = f"kernels__measurements = '{kernels.measurements}'"
    try:
        return read(kernels)
    except MeasurementError as error:
        if error.asked == kernels.workload:
            shown = f"kernels__workload = '{kernels.workload}' with {shown}"
        there = error.there if error.asked == kernels.workload else (*error.there, UNCALIBRATED)
        raise ScenarioError(f"{shown}: {error}{did_you_mean(error.asked, there)}") from None
    except OSError as error:
        raise ScenarioError(f"{shown}: cannot be read ({error.strerror})") from None
    except TraceError as error:
        raise ScenarioError(f"{shown}: {error}") from None


def load_background(cluster: ClusterParams, read: Callable[[ClusterParams], Result]) -> Result:
    """Return what ``read`` returns for the background job log that a scenario names.

    Raises ScenarioError if the log cannot be read or cannot load this cluster.
    """
    shown = f"cluster__background = '{cluster.background}'"
    try:
        return read(cluster)
    except OSError as error:
        allowed = f"allowed: the path of a job log, or '{NO_BACKGROUND}'"
        raise ScenarioError(f"{shown}: cannot be read ({error.strerror}); {allowed}") from None
    except BackgroundError as error:
        raise ScenarioError(f"{shown}: {error}") from None


def load_policy(regulator: RegulatorParams, labs: Collection[str], horizon_days: float) -> PolicyFile | None:
    """Return the governance policy that a scenario names, or None without a regulator.

    Raises ScenarioError if the policy cannot be read, names a lab that is not among ``labs``, or has a rule that cannot
    act before ``horizon_days``. It is also raised for paces below 1, and if a rule to switch off does not exist.
    """
    if regulator.policy == NO_POLICY:
        return None
    shown = f"regulator__policy = '{regulator.policy}'"
    try:
        found = read_policy(regulator.policy)
    except PolicyError as error:
        raise ScenarioError(f"{shown}: {error}") from None
    for lab in found.labs:
        if lab not in labs:
            known = ", ".join(labs) or "none, because the scenario names no labs"
            raise ScenarioError(f"{shown}: a rule names the lab '{lab}'; allowed: {known}{did_you_mean(lab, labs)}")
    if 0 < regulator.times < 1:
        raise ScenarioError(
            f"regulator__times = {regulator.times:g} is below 1; allowed: 1 to 1,000, or 0 for the paces of the policy"
        )
    names = [rule.name for rule in found.rules]
    for name in regulator.off:
        if name not in names:
            raise ScenarioError(
                f"regulator__rules_off: the policy '{regulator.policy}' has no rule '{name}'; allowed: "
                f"{', '.join(names) or 'none'}{did_you_mean(name, names)}"
            )
    _check_windows(
        [rule for rule in found.rules if rule.name not in regulator.off], horizon_days - regulator.reading_days, shown
    )
    return found


def _check_windows(rules: Sequence[Rule], longest: float, shown: str) -> None:
    """Raise ScenarioError for a rule that needs readings of a longer time than the run has."""
    windows = [(rule.name, key, days) for rule in rules for key, days in rule.days_of_readings.items()]
    for rule, key, days in windows:
        if days > longest:
            raise ScenarioError(
                f"{shown}: rule '{rule}': {key} = {days:g} is longer than the readings of the run; allowed: up to "
                f"{max(0.0, longest):g} days, run__horizon_days less regulator__reading_days"
            )


def digest_of_policy(regulator: RegulatorParams) -> str:
    """Return the SHA-256 of the file of the governance policy; empty without one. Raises ScenarioError."""
    try:
        return policy_files.digest_of_policy(regulator)
    except PolicyError as error:
        raise ScenarioError(f"regulator__policy = '{regulator.policy}': {error}") from None
