"""Designs of sweeps: what differs between runs, how it is sampled, and the runs that this comes to.

A design is a TOML file (docs/reference/sweeps.md). Runs are numbered point by point, within a point lever by lever,
and within a lever replication by replication, so that a design of more points begins with the runs of the smaller one.
The seed of a run does not depend on its levers: they are compared under the same luck.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from experiments.design.parsing import MAX_RUNS, ZIP, DesignSpec, lever_parameters, parse_design, read, rounded
from experiments.design.sampling import BLOCK, UncertaintySpace, points, unit_cube_points
from experiments.errors import InputError
from experiments.storage.file_kinds import other_kind
from experiments.uncertainty.distributions import Distribution, PriorError
from experiments.uncertainty.parsing import GaussianCopula, RankCorrelation
from sim.runner import Engine
from sim.scenario.model import Scenario, ScenarioError, did_you_mean, parameters
from sim.toml_files import name_of

BUNDLED_DESIGNS_DIR: Final = Path(__file__).parents[1] / "designs"
ONE_BY_ONE: Final = "one-at-a-time"
MAX_CHECKED: Final = 10_000
"""Combinations of levers that are all tried before the first run; of more, each value once."""
MAX_BLOCKS: Final = 16
"""Blocks of points that a design holds at a time: about a million points."""
SEEDS: Final = 1 << 53
"""Seeds are below this: whole numbers that every reader of JSON and of tables keeps."""

_RUNS_BY: Final = (
    "engine",
    "sampling",
    "n",
    "replications",
    "seed",
    "uncertainties",
    "correlations",
    "levers",
)
"""What the content of a design states beside its base scenario that runs depend on."""


class PlannedRun(NamedTuple):
    """One run of a design."""

    run: int
    point: int
    """Which sample point."""
    lever: int
    """Which combination of levers."""
    replication: int
    seed: int
    changes: dict[str, Any]
    """Uncertainties and levers by flat name: what differs from the base scenario."""


@dataclass(frozen=True)
class Design:
    """What a sweep runs. Its length is the number of runs."""

    name: str
    description: str
    base: Scenario
    sampling: str
    n: int
    """Points that were asked for; 0 where the sampling says itself how many."""
    replications: int
    seed: int
    engine: Engine
    uncertainties: Mapping[str, Distribution]
    correlations: tuple[RankCorrelation, ...]
    levers: Mapping[str, tuple[Any, ...]]
    """Lever → its values; each value of a coupled lever is a dictionary of parameters that move together."""
    content: dict[str, Any]
    """As a file states it, with everything that was left out; plain values."""
    digest: str
    """SHA-256 of all that the runs depend on: not of names, of descriptions, or of where the base scenario lies."""
    _blocks: dict[int, dict[str, list[Any]]] = field(default_factory=dict, compare=False, repr=False)
    """Points that were asked for, by block."""

    @property
    def points(self) -> int:
        """How many sample points there are."""
        return points(self.sampling, self._space)

    @property
    def combinations(self) -> int:
        """How many combinations of levers there are; one by one, also those of no lever."""
        if self.sampling == ONE_BY_ONE:
            return 1 + len(self._single_levers())
        return math.prod(len(values) for values in self.levers.values())

    def __len__(self) -> int:
        """Return the number of runs; one by one, levers are moved at the middle point alone."""
        if self.sampling == ONE_BY_ONE:
            return (self.points + self.combinations - 1) * self.replications
        return self.points * self.combinations * self.replications

    def planned(self, run: int) -> PlannedRun:
        """Return a run by its number, from 0; it depends on nothing that was asked for before.

        Raises IndexError for a number that there is not.
        """
        if not 0 <= run < len(self):
            raise IndexError(f"run {run}: there are {len(self)}")
        cell, replication = divmod(run, self.replications)
        if self.sampling == ONE_BY_ONE:
            point, lever = (cell, 0) if cell < self.points else (0, cell - self.points + 1)
            luck = 0  # what moves is one number, and nothing beside it
        else:
            point, lever = divmod(cell, self.combinations)
            luck = point
        changes = self.values(point) | self.lever_values(lever)
        return PlannedRun(run, point, lever, replication, run_seed(self.seed, luck, replication), changes)

    def number(self, point: int, lever: int, replication: int) -> int:
        """Return the number of a run by its place in the design."""
        if self.sampling == ONE_BY_ONE:
            cell = self.points + lever - 1 if lever else point
        else:
            cell = point * self.combinations + lever
        return cell * self.replications + replication

    def resized(self, n: int, replications: int, levers: Mapping[str, Any]) -> Design:
        """Return the same design with other numbers of points and replications and other values of its levers.

        ``levers``: as a file states them, with plain values.
        """
        values = {name: _read_lever(levers[name]) for name in self.levers}
        size: dict[str, Any] = {"n": n} if n else {}
        size |= {"replications": replications, "levers": {name: _as_stated(each) for name, each in values.items()}}
        content = {key: value for key, value in self.content.items() if key != "n"} | size
        return replace(
            self,
            n=n,
            replications=replications,
            levers=values,
            content=content,
            digest=_digest({key: content[key] for key in _RUNS_BY if key in content}, self.base),
            _blocks={},
        )

    def scenario(self, planned: PlannedRun) -> Scenario:
        """Return the scenario of a run. Raises ScenarioError where its values cannot go together."""
        return self.base.replace(**planned.changes)

    def values(self, point: int) -> dict[str, Any]:
        """Return the uncertain parameters at a sample point, by flat name."""
        block, row = divmod(point, BLOCK)
        columns = self._blocks.get(block)
        if columns is None:
            if len(self._blocks) >= MAX_BLOCKS:
                self._blocks.clear()
            columns = self._blocks[block] = self._drawn(block)
        return {name: column[row] for name, column in columns.items()}

    def lever_values(self, combination: int) -> dict[str, Any]:
        """Return the levers of a combination by flat name; the last lever goes round fastest."""
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
        """Return the parameters that levers move, by flat name; a coupled lever moves several."""
        return [name for names in lever_parameters(self.levers).values() for name in names]

    def _single_levers(self) -> list[dict[str, Any]]:
        """Each value of a lever that the base scenario has not, by flat name."""
        base: dict[str, list[Any]] = {name: [value] for name, value in self.base.flat().items()}
        base["researcher__initial"].append(self.base.initial_researchers)  # 0 follows the GPUs
        moves = [_flat({name: value}) for name, values in self.levers.items() for value in values]
        return [move for move in moves if any(value not in base[name] for name, value in move.items())]

    def _drawn(self, block: int) -> dict[str, list[Any]]:
        """The values at the points of a block."""
        shares = unit_cube_points(self.sampling, self._space, block)
        linked = GaussianCopula(self.correlations)(
            {name: shares[:, place] for place, name in enumerate(self.uncertainties)}
        )
        known = parameters()
        return {
            name: [rounded(value, known[name]) for value in prior.ppf(linked[name]).tolist()]
            for name, prior in self.uncertainties.items()
        }

    def __getstate__(self) -> dict[str, Any]:
        """Leave the points behind: whoever unpickles draws them again."""
        return self.__dict__ | {"_blocks": {}}


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of levers by the parameters that they move."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= value if isinstance(value, Mapping) else {name: value}
    return found


def _as_stated(values: tuple[Any, ...]) -> Any:
    """The values of a lever as a file states them: a list, or a table of lists that are taken pairwise."""
    if not isinstance(values[0], Mapping):
        return list(values)
    return {ZIP: {name: [step[name] for step in values] for name in values[0]}}


def _read_lever(stated: Any) -> tuple[Any, ...]:
    """The values of a lever as `_as_stated` states them."""
    if not isinstance(stated, Mapping):
        return tuple(stated)
    lists = stated[ZIP]
    return tuple(dict(zip(lists, step, strict=True)) for step in zip(*lists.values(), strict=True))


def _digest(runs_by: Mapping[str, Any], base: Scenario) -> str:
    """SHA-256 of all that runs depend on: the base scenario, and what a file states beside it."""
    hashed = json.dumps({**runs_by, "digest of the base": base.digest()}, sort_keys=True)
    return sha256(hashed.encode()).hexdigest()


def run_seed(design_seed: int, point: int, replication: int) -> int:
    """Return the seed of a run, from 0 to below `SEEDS`; it depends on neither the levers nor the other runs."""
    named = repr((design_seed, "seed of a run", point, replication)).encode()
    return int.from_bytes(blake2b(named, digest_size=8).digest(), "little") % SEEDS


def load_design(name: str, *, changes: Mapping[str, Any] | None = None, engine: str | None = None) -> Design:
    """Return a shipped design by its name, or one from a TOML file.

    ``changes`` of the base scenario, by flat name, and ``engine`` go before what the file says; the fluid engine, asked
    for here, runs each point once. Raises InputError with what is wrong, where, and what is allowed.
    """
    path = _find(name)
    content = read(path)
    if wrong := other_kind(path, "design"):
        raise InputError(wrong)
    try:
        design = _design(name_of(path), parse_design(content, path.parent, changes or {}, engine))
        _check_runs(design)
    except (InputError, PriorError, ScenarioError) as error:
        raise InputError(f"{path}: {error}") from None
    return design


def shipped_designs() -> list[str]:
    """Return the names of the designs that come with asara."""
    return sorted(path.stem for path in BUNDLED_DESIGNS_DIR.glob("*.toml"))


def to_toml(design: Design) -> str:
    """Return a file that states the same design: the same digest, wherever it lies."""
    import tomli_w  # noqa: PLC0415 - nobody needs it in order to run a design

    return tomli_w.dumps(design.content)


def _find(name: str) -> Path:
    if name in shipped_designs():
        return BUNDLED_DESIGNS_DIR / f"{name}.toml"
    if name.endswith(".toml") or "/" in name or Path(name).is_file():
        return Path(name)
    known = ", ".join(shipped_designs())
    near = did_you_mean(name, shipped_designs())
    raise InputError(f"no design '{name}'; there are {known}, and a file of your own ends in .toml{near}")


def _design(name: str, stated: DesignSpec) -> Design:
    runs_by = {
        "engine": stated.engine,
        "sampling": stated.sampling,
        **({"n": stated.n} if stated.n else {}),
        "replications": stated.replications,
        "seed": stated.seed,
        "uncertainties": {name: each.table for name, each in stated.uncertainties.items()},
        "correlations": [{"between": [each.one, each.other], "rank": each.rank} for each in stated.correlations],
        "levers": {name: _as_stated(values) for name, values in stated.levers.items()},
    }
    content = {**stated.texts, "base": stated.base_name, **runs_by, "set": stated.changes}
    return Design(
        name,
        stated.texts.get("description", ""),
        stated.base,
        stated.sampling,
        stated.n,
        stated.replications,
        stated.seed,
        stated.engine,
        {name: each.distribution for name, each in stated.uncertainties.items()},
        stated.correlations,
        stated.levers,
        content,
        _digest(runs_by, stated.base),
    )


def _check_runs(design: Design) -> None:
    """Refuse a design that is too large, has levers that cannot go together, or cannot run its first point."""
    if len(design) > MAX_RUNS:
        raise InputError(
            f"{design.points:,} points x {design.combinations:,} combinations of levers x {design.replications:,} "
            f"replications are {len(design):,} runs, and there can be at most {MAX_RUNS:,}"
        )
    drawn = design.values(0)
    for levers in _combinations_to_try(design):
        try:
            design.base.replace(**drawn, **levers)
        except ScenarioError as error:
            raise InputError(f"[levers]: {error}" if levers else f"the first point cannot be run: {error}") from None
    _dry_run(design)


def _combinations_to_try(design: Design) -> list[dict[str, Any]]:
    """No levers if there are none; else all combinations, or of too many each value with the others' first."""
    if design.combinations <= MAX_CHECKED or design.sampling == ONE_BY_ONE:
        return [design.lever_values(number) for number in range(design.combinations)]
    first = design.lever_values(0)
    return [first | _flat({name: value}) for name, values in design.levers.items() for value in values]


def _dry_run(design: Design) -> None:
    planned = design.planned(0)
    scenario = design.scenario(planned)
    try:
        if design.engine == "fluid":
            from sim.fluid.lab_arrays import lab_arrays  # noqa: PLC0415 - one of the two is needed

            lab_arrays([scenario])
        else:
            from sim.world import World  # noqa: PLC0415

            World(scenario, planned.seed)
    except ScenarioError as error:
        shown = ", ".join(f"{name} = {value}" for name, value in planned.changes.items())
        raise InputError(f"the first point cannot be run ({shown}): {error}") from None
