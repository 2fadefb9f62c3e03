"""Build tables of sweeps from the closed form of the law with a little randomness, so that results are known."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
from scipy.stats import qmc

from experiments.sweep.analysis.sweep_data import Sweep, sweep_of
from experiments.sweep.part_files import write_table
from experiments.sweep.storage import FORMAT, identity_of, write_manifest
from sim.growth import doubling_ratio, time_of_doubling
from sim.pace import pace_of
from sim.scenario.model import Scenario, parameters

HORIZON = 730.0
MAX_DOUBLINGS = 13
ONLY_THE_LAW = {
    "training__required": False,
    "researcher__initial": 256,
    "researcher__experiment_gpu_days": 0.0,
    "kernels__measurements": "none",
    "cluster__inference_share": 1.0,
    "cluster__training_share": 0.0,
    "run__max_doublings": MAX_DOUBLINGS,
    "run__horizon_days": HORIZON,
}
"""Parameters of runs that only the law limits."""
RANGES = {"growth__r": (0.5, 2.0), "growth__first_doubling_days": (20.0, 80.0), "growth__parallel_penalty": (0.5, 1.0)}
UNIFORM = {name: {"distribution": "uniform", "low": low, "high": high} for name, (low, high) in RANGES.items()}


def manifest(runs: int, **changes: Any) -> dict[str, Any]:
    """Return the manifest of a sweep."""
    return {
        "format": FORMAT,
        "name": "small",
        "design": {"name": "small", "question": "What does r do?"},
        "design_digest": "d" * 64,
        "model_digest": "m" * 64,
        "version": "0.1.0",
        "runs": runs,
        "points": runs,
        "levers": [],
        "uncertainties": UNIFORM,
        "sampling": "sobol",
        "seed": 1,
        "engine": "world",
        "base": {},
        "versions": {},
    } | changes


def row(run: int, point: int, values: dict[str, Any], shift: float, **places: int) -> dict[str, Any]:
    """Return the row of a run by the closed form. ``shift``: log2 of the factor of its r over the law's.

    A large team has lower returns, so that a lever has an effect; 256 researchers have the law's.
    """
    flat = Scenario(name="small").flat() | ONLY_THE_LAW | values
    r, p, first = (flat[f"growth__{name}"] for name in ("r", "parallel_penalty", "first_doubling_days"))
    r *= 2**shift * (256 / flat["researcher__initial"]) ** 0.1
    ratio = float(doubling_ratio(r, p))
    days = [float(time_of_doubling(n, first, ratio)) for n in range(1, flat["run__max_doublings"] + 1)]
    seen = [day for day in days if day <= flat["run__horizon_days"]]
    durations = np.diff([0.0, *seen]).tolist()
    pace = pace_of(durations, [100.0] * len(durations)).name
    all_seen = len(seen) == len(days)
    level = float(len(seen) if all_seen else np.interp(flat["run__horizon_days"], [0.0, *days], range(len(days) + 1)))
    until = seen[-1] if all_seen else flat["run__horizon_days"]
    known = {"run": run, "point": point, "lever": 0, "replication": 0, "seed": run, "engine": "world"} | places
    return (
        flat
        | known
        | {
            "status": "ok",
            "message": "",
            "ending": "doublings" if all_seen else "horizon",
            "pace": pace,
            "long_run": "singular" if r > 1 else "fizzle",
            "long_run_ratio": ratio,
            "fastest_doubling": None,
            "ratio": ratio,
            "ratio_low": ratio,
            "ratio_high": ratio,
            "r_implied": r,
            "day": until,
            "software_doublings": level,
            "deployed_doublings": level,
            "researchers": 256 * 2.0**level,
            "papers": 10.0,
            "why_empty": "",
            "duplicate_share": 0.0,
            "doubling_days": seen,
            **{f"days_to_{factor}x": _crossing(seen, math.log2(factor)) for factor in (10, 100, 1000, 1_000_000)},
            "gpus_in_use_inference": 1.0,
            "gpus_in_use_experiment": 0.0,
            "gpus_in_use_training": 0.0,
            "mean_wait_days": 0.0,
            "limited_by": "researchers" if r < 1 else "experiments",
            "elasticity_researchers": 1.0,
            "elasticity_experiments": 0.0,
            "elasticity_training": 0.0,
            "day_by_equations": until,
            "day_without_training": None,
            "share_researchers": 0.9,
            "share_experiments": 0.1,
            "share_paused": 0.0,
        }
    )


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """Return rows as a table with the column types of a sweep."""
    columns = {name: [each[name] for each in rows] for name in rows[0]}
    kinds = {name: pa.array([p.default]).type for name, p in parameters().items()}
    floats = (
        "r_implied",
        "day",
        "long_run_ratio",
        "fastest_doubling",
        "day_without_training",
        "software_doublings",
        *(name for name in columns if name.startswith("days_to_")),
    )
    kinds |= {name: pa.float64() for name in floats} | {"doubling_days": pa.list_(pa.float64())}
    return pa.table({name: pa.array(values, kinds.get(name)) for name, values in columns.items()})


def drawn(
    points: int, replications: int = 1, spread: float = 0.1, levers: dict[str, list[Any]] | None = None, seed: int = 1
) -> pa.Table:
    """Return runs of a Sobol' design over `RANGES`; all levels of a lever have common random numbers.

    ``spread``: standard deviation of the random shift of log2 r.
    """
    units = qmc.Sobol(len(RANGES), seed=seed).random(points)
    rng = np.random.default_rng(seed)
    (lever, levels), *_ = (levers or {"run__horizon_days": [HORIZON]}).items()
    rows: list[dict[str, Any]] = []
    for point, unit in enumerate(units):
        ends = zip(RANGES.items(), unit, strict=True)
        values = {name: float(low + share * (high - low)) for (name, (low, high)), share in ends}
        for replication in range(replications):
            shift = float(spread * rng.standard_normal())
            for place, level in enumerate(levels):
                changed = values | {lever: level}
                rows.append(row(len(rows), point, changed, shift, lever=place, replication=replication))
    return table(rows)


def small(points: int = 256, **how: Any) -> Sweep:
    """Return the sweep of such a design."""
    found = drawn(points, **how)
    levers = list(how.get("levers") or {})
    return sweep_of(found, manifest(found.num_rows, points=points, levers=levers))


def failed(found: pa.Table, rows: dict[int, tuple[str, str]]) -> pa.Table:
    """Return the table with failed runs. ``rows``: row → status, message."""
    status, message = found["status"].to_pylist(), found["message"].to_pylist()
    for at, (kind, text) in rows.items():
        status[at], message[at] = kind, text
    places = {name: found.column_names.index(name) for name in ("status", "message")}
    changed = found.set_column(places["status"], "status", pa.array(status))
    return changed.set_column(places["message"], "message", pa.array(message))


def write(folder: Path, found: pa.Table, content: dict[str, Any]) -> Path:
    """Write the folder of a sweep in two parts, the later runs first."""
    folder.mkdir(parents=True)
    write_manifest(folder, content)
    half = found.num_rows // 2
    write_table(folder, "runs", 0, found.slice(half), identity_of(content))
    if half:
        write_table(folder, "runs", 1, found.slice(0, half), identity_of(content))
    return folder


def as_bytes(found: pa.Table) -> bytes:
    """Return a table as the bytes of a file, in one chunk."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, found.schema) as writer:
        writer.write_table(found.combine_chunks())
    return bytes(sink.getvalue())


def _crossing(days: list[float], level: float) -> float | None:
    known = [0.0, *days]
    return float(np.interp(level, range(len(known)), known)) if level <= len(days) else None
