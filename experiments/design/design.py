"""Load the design of a sweep: the parameters that vary, their sampling, and the resulting runs.

A design is a TOML file (docs/reference/sweeps.md). Runs are numbered by point, then by combination of levers, then by
replication. So the first runs of a design with more points are those of the smaller design. The seed of a run does not
depend on its levers: combinations of levers are compared with common random numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, Final

from experiments.design.parsing import (
    MAX_RUNS,
    ZIP,
    DesignSpec,
    lever_parameters,
    parse_design,
    read,
    round_to_parameter,
)
from experiments.design.planned_run import PlannedRun
from experiments.design.sampling import BLOCK, UncertaintySpace, points, unit_cube_points
from experiments.errors import InputError
from experiments.race.levels import check_level, default_level
from experiments.storage.file_kinds import wrong_kind_message
from experiments.uncertainty.distributions import Distribution, PriorError
from experiments.uncertainty.parsing import GaussianCopula, RankCorrelation
from sim.engines import Engine
from sim.governance.params import POLICY
from sim.scenario.labs import split_name
from sim.scenario.loading import digest_of_policy
from sim.scenario.model import Scenario, ScenarioError, did_you_mean, parameters
from sim.toml_files import name_of

BUNDLED_DESIGNS_DIR: Final = Path(__file__).parents[1] / "designs"
ONE_BY_ONE: Final = "one-at-a-time"
MAX_CHECKED: Final = 10_000
"""Maximum number of combinations of levers that are all checked before the first run; of more, each value once."""
MAX_BLOCKS: Final = 16
"""Maximum number of blocks of points in memory: about a million points."""
SEEDS: Final = 1 << 53
"""Upper limit of seeds: below it all readers of JSON and of tables keep whole numbers exactly."""

_RUNS_BY: Final = (
    "engine",
    "sampling",
    "n",
    "replications",
    "seed",
    "level",
    "uncertainties",
    "correlations",
    "levers",
)
"""Keys of a design's content that runs depend on, besides its base scenario."""


@dataclass(frozen=True)
class Design:
    """The design of a sweep. Its length is the number of runs."""

    name: str
    description: str
    base: Scenario
    sampling: str
    n: int
    """Number of points in the file; 0 if the sampling determines the number."""
    replications: int
    seed: int
    engine: Engine
    uncertainties: Mapping[str, Distribution]
    correlations: tuple[RankCorrelation, ...]
    levers: Mapping[str, tuple[Any, ...]]
    """Lever → its values; each value of a coupled lever is a dictionary of parameters that change together."""
    content: dict[str, Any]
    """Content of an equivalent file, with all defaults, as plain values."""
    digest: str
    """SHA-256 of everything that runs depend on; names, descriptions and the path of the base are not part of it."""
    level: float | None = None
    """Level of discovered software that decides a race [doublings]; None for runs of one lab."""
    _blocks: dict[int, dict[str, list[Any]]] = field(default_factory=dict, compare=False, repr=False)
    """Cached points by block."""

    @property
    def points(self) -> int:
        """Number of sample points."""
        return points(self.sampling, self._space)

    @property
    def combinations(self) -> int:
        """Number of combinations of levers; in a one-at-a-time design, the base counts as one."""
        if self.sampling == ONE_BY_ONE:
            return 1 + len(self._single_levers())
        return math.prod(len(values) for values in self.levers.values())

    def __len__(self) -> int:
        """Return the number of runs; a one-at-a-time design changes levers at the middle point only."""
        if self.sampling == ONE_BY_ONE:
            return (self.points + self.combinations - 1) * self.replications
        return self.points * self.combinations * self.replications

    def planned(self, run: int) -> PlannedRun:
        """Return a run by its number, from 0; it does not depend on earlier calls.

        Raises IndexError if there is no run with this number.
        """
        if not 0 <= run < len(self):
            raise IndexError(f"run = {run} is out of range; allowed: 0 to {len(self) - 1}")
        cell, replication = divmod(run, self.replications)
        if self.sampling == ONE_BY_ONE:
            point, lever = (cell, 0) if cell < self.points else (0, cell - self.points + 1)
            seed_point = 0  # all points have the same seeds, so that only the changed parameter differs
        else:
            point, lever = divmod(cell, self.combinations)
            seed_point = point
        changes = self.values(point) | self.lever_values(lever)
        return PlannedRun(run, point, lever, replication, run_seed(self.seed, seed_point, replication), changes)

    def number(self, point: int, lever: int, replication: int) -> int:
        """Return the number of a run by its place in the design."""
        if self.sampling == ONE_BY_ONE:
            cell = self.points + lever - 1 if lever else point
        else:
            cell = point * self.combinations + lever
        return cell * self.replications + replication

    def resized(self, n: int, replications: int, levers: Mapping[str, Any]) -> Design:
        """Return the same design with other numbers of points and replications and other values of its levers.

        ``levers``: in the notation of a file, with plain values.
        """
        values = {name: _read_lever(levers[name]) for name in self.levers}
        size: dict[str, Any] = {"n": n} if n else {}
        size |= {
            "replications": replications,
            "levers": {name: _to_file_notation(each) for name, each in values.items()},
        }
        content = {key: value for key, value in self.content.items() if key != "n"} | size
        return replace(
            self,
            n=n,
            replications=replications,
            levers=values,
            content=content,
            digest=_digest(_digested(content), self.base),
            _blocks={},
        )

    def scenario(self, planned: PlannedRun) -> Scenario:
        """Return the scenario of a run. Raises ScenarioError if its values are not allowed together."""
        return self.base.replace(**planned.changes)

    def values(self, point: int) -> dict[str, Any]:
        """Return the uncertain parameters at a sample point, by flat name."""
        block, row = divmod(point, BLOCK)
        columns = self._blocks.get(block)
        if columns is None:
            if len(self._blocks) >= MAX_BLOCKS:
                self._blocks.clear()
            columns = self._blocks[block] = self._draw_block(block)
        return {name: column[row] for name, column in columns.items()}

    def lever_values(self, combination: int) -> dict[str, Any]:
        """Return the levers of a combination by flat name; the last lever varies fastest."""
        if self.sampling == ONE_BY_ONE:
            return self._single_levers()[combination - 1] if combination else {}
        found = {}
        for name, values in reversed(list(self.levers.items())):
            combination, place = divmod(combination, len(values))
            found[name] = values[place]
        return _flat({name: found[name] for name in self.levers})

    @property
    def _space(self) -> UncertaintySpace:
        tables = self.content.get("uncertainties", {})
        levels = tuple(tables[name].get("levels", 0) for name in self.uncertainties)
        return UncertaintySpace(tuple(self.uncertainties), self.n, self.seed, levels)

    @property
    def lever_parameters(self) -> list[str]:
        """Return the parameters that levers change, by flat name; a coupled lever changes several."""
        return [name for names in lever_parameters(self.levers).values() for name in names]

    def _single_levers(self) -> list[dict[str, Any]]:
        """Return each value of a lever that differs from the base scenario, by flat name."""
        base: dict[str, list[Any]] = {}
        for prefix, scenario in _named_scenarios(self.base):
            base |= {f"{prefix}{name}": [value] for name, value in scenario.flat().items()}
            base[f"{prefix}researcher__initial"].append(scenario.initial_researchers)  # 0 follows the GPUs
        for name, value in self.base.overrides:
            if value not in base.setdefault(name, []):  # a share of GPUs, which a lab itself has as GPUs
                base[name] = [value]
        moves = [_flat({name: value}) for name, values in self.levers.items() for value in values]
        return [move for move in moves if any(value not in base[name] for name, value in move.items())]

    def _draw_block(self, block: int) -> dict[str, list[Any]]:
        """Return the values of the uncertainties at the points of a block."""
        shares = unit_cube_points(self.sampling, self._space, block)
        correlated = GaussianCopula(self.correlations)(
            {name: shares[:, place] for place, name in enumerate(self.uncertainties)}
        )
        known = parameters()
        return {
            name: [
                round_to_parameter(each, known[split_name(name)[1]]) for each in prior.ppf(correlated[name]).tolist()
            ]
            for name, prior in self.uncertainties.items()
        }

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the cached points, which are drawn again after unpickling."""
        return self.__dict__ | {"_blocks": {}}


def _named_scenarios(base: Scenario) -> Iterator[tuple[str, Scenario]]:
    """Yield the scenario of all labs, and that of each of several labs, with the text in front of its flat names."""
    yield "", base
    for lab in base.labs if len(base.labs) > 1 else ():
        yield f"{lab}.", base.lab_scenario(lab)


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of levers by the parameters that they change."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= value if isinstance(value, Mapping) else {name: value}
    return found


def _to_file_notation(values: tuple[Any, ...]) -> Any:
    """Return the values of a lever in the notation of a file: a list, or a table of lists of equal length."""
    if not isinstance(values[0], Mapping):
        return list(values)
    return {ZIP: {name: [step[name] for step in values] for name in values[0]}}


def _read_lever(stated: Any) -> tuple[Any, ...]:
    """Return the values of a lever from the notation of `_to_file_notation`."""
    if not isinstance(stated, Mapping):
        return tuple(stated)
    lists = stated[ZIP]
    return tuple(dict(zip(lists, step, strict=True)) for step in zip(*lists.values(), strict=True))


def _digest(runs_by: Mapping[str, Any], base: Scenario) -> str:
    """Return the SHA-256 of the base scenario and the other content that runs depend on.

    Raises ScenarioError if a governance policy cannot be read.
    """
    policies = _digests_of_policies(runs_by["levers"], base)
    files = {"digests of regulator__policy": policies} if policies else {}
    hashed = json.dumps({**runs_by, "digest of the base": base.digest(), **files}, sort_keys=True)
    return sha256(hashed.encode()).hexdigest()


def _digests_of_policies(levers: Mapping[str, Any], base: Scenario) -> dict[str, str]:
    """Return the digest of the file of each governance policy among the values of the levers."""
    steps = [step for name, stated in levers.items() for step in _steps_of(name, stated)]
    names = {str(step[POLICY]) for step in steps if POLICY in step}
    return {name: digest_of_policy(base.regulator.model_copy(update={"policy": name})) for name in sorted(names)}


def _steps_of(lever: str, stated: Any) -> list[dict[str, Any]]:
    """Return the parameters that each value of a lever sets."""
    return [value if isinstance(value, dict) else {lever: value} for value in _read_lever(stated)]


def run_seed(design_seed: int, point: int, replication: int) -> int:
    """Return the seed of a run, from 0 to below `SEEDS`; it does not depend on levers or on other runs."""
    named = repr((design_seed, "seed of a run", point, replication)).encode()
    return int.from_bytes(blake2b(named, digest_size=8).digest(), "little") % SEEDS


def load_design(name: str, *, changes: Mapping[str, Any] | None = None, engine: str | None = None) -> Design:
    """Return a shipped design by its name, or one from a TOML file.

    ``changes``: parameters of the base scenario by flat name, which replace those of the file. ``engine``: replaces the
    engine of the file; "fluid" then has one replication. Raises InputError with the problem, its place and the allowed
    values.
    """
    path = _find_design(name)
    content = read(path)
    if wrong := wrong_kind_message(path, "design"):
        raise InputError(wrong)
    try:
        spec = parse_design(content, path.parent, changes or {}, engine)
        design = _build_design(name_of(path), spec)
        _check_runs(design)
        if len(design.base.labs) > 1:
            design = _with_level(design, spec.level)
    except (InputError, PriorError, ScenarioError) as error:
        raise InputError(f"{path}: {error}") from None
    return design


def shipped_designs() -> list[str]:
    """Return the names of the designs that are part of asara."""
    return sorted(path.stem for path in BUNDLED_DESIGNS_DIR.glob("*.toml"))


def to_toml(design: Design) -> str:
    """Return the text of a TOML file with the same design; it has the same digest in every folder.

    The file of a design of several labs cannot be loaded if it varies a parameter that its own base file sets.
    """
    import tomli_w  # noqa: PLC0415 - not needed to run a design

    return tomli_w.dumps(design.content)


def _find_design(name: str) -> Path:
    if name in shipped_designs():
        return BUNDLED_DESIGNS_DIR / f"{name}.toml"
    if name.endswith(".toml") or "/" in name or Path(name).is_file():
        return Path(name)
    known = ", ".join(shipped_designs())
    near = did_you_mean(name, shipped_designs())
    raise InputError(f"no design '{name}'; allowed: {known}, or the path of a file that ends in .toml{near}")


def _build_design(name: str, spec: DesignSpec) -> Design:
    runs_by = {
        "engine": spec.engine,
        "sampling": spec.sampling,
        **({"n": spec.n} if spec.n else {}),
        "replications": spec.replications,
        "seed": spec.seed,
        "uncertainties": {name: each.table for name, each in spec.uncertainties.items()},
        "correlations": [{"between": [each.one, each.other], "rank": each.rank} for each in spec.correlations],
        "levers": {name: _to_file_notation(values) for name, values in spec.levers.items()},
    }
    content = {**spec.texts, "base": spec.base_name, **runs_by, "set": spec.changes}
    return Design(
        name,
        spec.texts.get("description", ""),
        spec.base,
        spec.sampling,
        spec.n,
        spec.replications,
        spec.seed,
        spec.engine,
        {name: each.distribution for name, each in spec.uncertainties.items()},
        spec.correlations,
        spec.levers,
        content,
        _digest(runs_by, spec.base),
    )


def _with_level(design: Design, level: float | None) -> Design:
    """Return a design of races to a level, by default the lowest default level of their scenarios.

    All runs have one level, so that they can be compared. Raises InputError if the level is not allowed at the first
    point with some combination of levers.
    """
    drawn = design.values(0)
    scenarios = [design.base.replace(**drawn, **levers) for levers in _combinations_to_try(design)]
    chosen = min(map(default_level, scenarios)) if level is None else level
    for scenario in scenarios:
        check_level(scenario, chosen, "level")
    content = design.content | {"level": chosen}
    return replace(design, level=chosen, content=content, digest=_digest(_digested(content), design.base))


def _digested(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a design's content that runs depend on."""
    return {key: content[key] for key in _RUNS_BY if key in content}


def _check_runs(design: Design) -> None:
    """Check the number of runs, the combinations of levers and the first point. Raises InputError or ScenarioError."""
    if len(design) > MAX_RUNS:
        raise InputError(
            f"{design.points:,} points x {design.combinations:,} combinations of levers x {design.replications:,} "
            f"replications are {len(design):,} runs; allowed: at most {MAX_RUNS:,}. Reduce one of them."
        )
    drawn = design.values(0)
    for levers in _combinations_to_try(design):
        try:
            design.base.replace(**drawn, **levers)
        except ScenarioError as error:
            raise InputError(f"[levers]: {error}" if levers else f"the first point cannot be run: {error}") from None
    _dry_run(design)


def _combinations_to_try(design: Design) -> list[dict[str, Any]]:
    """Return all combinations of levers; if they are too many, each value with the first values of other levers."""
    if design.combinations <= MAX_CHECKED or design.sampling == ONE_BY_ONE:
        return [design.lever_values(number) for number in range(design.combinations)]
    first = design.lever_values(0)
    return [first | _flat({name: value}) for name, values in design.levers.items() for value in values]


def _dry_run(design: Design) -> None:
    planned = design.planned(0)
    scenario = design.scenario(planned)
    try:
        if design.engine == "fluid":
            from sim.fluid.lab_arrays import lab_arrays  # noqa: PLC0415 - only one of the two engines is loaded

            lab_arrays([scenario])
        else:
            from sim.world import World  # noqa: PLC0415

            World(scenario, planned.seed)
    except ScenarioError as error:
        shown = ", ".join(f"{name} = {value}" for name, value in planned.changes.items())
        raise InputError(f"the first point cannot be run ({shown}): {error}") from None
