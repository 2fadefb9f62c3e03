"""Run the missing runs of a design, and store finished runs so that an interruption loses at most ten seconds."""

from __future__ import annotations

import json
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from experiments.errors import InputError
from experiments.progress import OnProgress, Progress, count_progress
from experiments.sweep.extension import extend, recover_interrupted_extension, smaller_design, why_not_extendable
from experiments.sweep.part_files import DamageError, set_aside
from experiments.sweep.storage import (
    FORMAT,
    LIBRARIES,
    MANIFEST,
    clear,
    completed_runs,
    has_unexpected_files,
    identities,
    identity_of,
    locked,
    read_manifest,
    read_table,
    write_manifest,
    write_part,
    writing,
)
from sim.scenario.labs import split_name

if TYPE_CHECKING:
    from experiments.design.design import Design
    from experiments.sweep.records import RunRecord
    from sim.scenario.model import Scenario

FIRST_LAB: Final = "first_lab"
"""Column that the table of runs has for several labs only."""
MIN_RUNS_IN_PART: Final = 100
"""Minimum number of runs in a part that is written within `MAX_UNSAVED_SECONDS`."""
MIN_PART_SECONDS: Final = 1.0
"""Minimum time between two such parts [s]."""
MAX_RUNS_IN_PART: Final = 5000
MAX_UNSAVED_SECONDS: Final = 10.0
"""Maximum time for which finished runs are in memory only [s]."""
MODEL: Final = ("sim", "agents", "hardware")
"""Packages whose source is hashed into the model digest: a changed source may change the runs."""
_KERNEL_FILES_OF_MODEL: Final = ("kernels/speedup_curve.py", "kernels/search_records.py")
"""Files of hardware/kernels that belong to the model: they turn measurements into a speed-up."""
PLANNING: Final = (
    "design/planned_run.py",
    "design/sampling.py",
    "design/parsing.py",
    "design/design.py",
    "gains.py",
    "governance/orders_in_force.py",
    "race/levels.py",
    "race/seed_runs.py",
    "sweep/race_records.py",
    "sweep/records.py",
    "sweep/workers/process.py",
    "uncertainty/distributions.py",
    "uncertainty/parsing.py",
)
"""Files of experiments that decide which runs a design has, and which numbers a row contains."""


class Workers(Protocol):
    """The workers that execute runs: processes of this machine, or a cluster."""

    def run(self, runs: Sequence[int]) -> Iterator[RunRecord | None]:
        """Yield each run when it has finished, and None in between."""


class SweepState(NamedTuple):
    """The runs of a sweep that are done, and their outcomes."""

    runs: int
    """Number of runs of the design."""
    done: int
    """Number of finished runs, those of earlier commands included."""
    outcomes: Counter[str]
    """Number of runs by long-run dynamics, or by the first lab; runs without a result by status."""
    is_race: bool = False
    """Whether the runs have several labs."""

    @property
    def progress(self) -> Progress:
        """Progress of the sweep."""
        counted = "first lab" if self.is_race else "long run"
        detail = f"{counted} of these runs: {format_counts(self.outcomes)}" if self.outcomes else ""
        return count_progress(self.done, self.runs, "runs", detail)


def format_counts(counts: Mapping[str, int]) -> str:
    """Return counts by name as text, the largest first."""
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))


def sweep(
    design: Design,
    folder: Path,
    open_workers: Callable[[], Any],
    fresh: bool,
    on_progress: OnProgress,
    note: Callable[[str], None],
) -> SweepState:
    """Execute the runs of a design that are not in its folder, and return its state.

    ``open_workers()`` is a context whose value is a `Workers`. KeyboardInterrupt is raised again after all finished
    runs have been written. Raises InputError if the folder belongs to another design or cannot be written; its files
    stay.
    """
    with locked(folder):
        with writing(folder):
            recover_interrupted_extension(folder)
            wanted = manifest_of(design)
            _claim_folder(design, folder, wanted, fresh, note)
            done = completed_runs(folder, note, identity_of(wanted))
        left = [run for run in range(len(design)) if run not in done]
        is_race = design.level is not None
        state = SweepState(len(design), len(done), _count_outcomes(folder, is_race), is_race)
        on_progress(state.progress)
        if left:
            with open_workers() as workers:
                _collect(workers.run(left), _RecordBuffer(folder, state, on_progress))
        return state._replace(done=len(read_table(folder, "runs", ["run"])))


class _RecordBuffer:
    """Finished runs that are not written yet."""

    def __init__(self, folder: Path, state: SweepState, on_progress: OnProgress) -> None:
        self._folder, self._state, self._on_progress = folder, state, on_progress
        self._unsaved: list[RunRecord] = []
        self._saved_at = time.monotonic()

    def add(self, finished: RunRecord | None) -> None:
        """Add a run, and write a part if enough runs or enough time have accumulated."""
        if finished is not None:
            self._unsaved.append(finished)
            self._state = self._state._replace(done=self._state.done + 1)
            self._state.outcomes[_outcome_name(finished.row)] += 1
        self._on_progress(self._state.progress)
        waited = time.monotonic() - self._saved_at
        enough = len(self._unsaved) >= MIN_RUNS_IN_PART and waited >= MIN_PART_SECONDS
        if enough or len(self._unsaved) >= MAX_RUNS_IN_PART or waited >= MAX_UNSAVED_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the finished runs."""
        if self._unsaved:
            with writing(self._folder):
                write_part(self._folder, self._unsaved)
        self._unsaved, self._saved_at = [], time.monotonic()


def _collect(finished: Iterator[RunRecord | None], buffer: _RecordBuffer) -> None:
    try:
        for each in finished:
            buffer.add(each)
    finally:  # also after Ctrl-C, so that finished runs are kept
        buffer.save()


def _outcome_name(row: Mapping[str, Any]) -> str:
    """Return the long run of a run; of several labs the first one, and the status of a run without a result."""
    if row["status"] != "ok":
        return str(row["status"])
    if FIRST_LAB in row:
        return str(row[FIRST_LAB] or "no first lab")
    return str(row["long_run"] or row["status"])


def _count_outcomes(folder: Path, is_race: bool) -> Counter[str]:
    names = ["run", "status", "long_run"] + [FIRST_LAB] * is_race
    return Counter(map(_outcome_name, read_table(folder, "runs", names).to_pylist()))


# --- the folder and its design --------------------------------------------------------------------------------------


def manifest_of(design: Design) -> dict[str, Any]:
    """Return the manifest of a design as plain values: the design, its digests and the versions."""
    content: dict[str, Any] = json.loads(json.dumps(design.content))
    return {
        "format": FORMAT,
        "name": design.name,
        "version": version("asara"),
        "model_digest": model_digest(),
        "design_digest": design.digest,
        "runs": len(design),
        "points": design.planned(len(design) - 1).point + 1,
        "sampling": design.sampling,
        "seed": design.seed,
        "engine": design.engine,
        "levers": design.lever_parameters,
        "uncertainties": content.get("uncertainties", {}),
        "base": design.base.flat(),
        "design": content,
        **_labs_of(design.base),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
    }


def _labs_of(base: Scenario) -> dict[str, Any]:
    """Return the own values of each of several labs; nothing for one lab."""
    if len(base.labs) < 2:
        return {}
    own = [(*split_name(name), value) for name, value in base.overrides]
    return {"labs": {lab: {name: value for each, name, value in own if each == lab} for lab in base.labs}}


def model_identity() -> dict[str, str]:
    """Return everything but the design that runs depend on: the model digest and the versions of its libraries."""
    return {"asara": model_digest()} | {name: version(name) for name in LIBRARIES}


@cache
def model_digest() -> str:
    """Return the SHA-256 of the source that decides the rows: the model without kernels, and the planning of runs."""
    found = sha256()
    for package in MODEL:
        folder = Path(str(files(package)))
        for path in sorted(folder.rglob("*.py")):
            name = path.relative_to(folder).as_posix()
            if not name.startswith("kernels/") or name in _KERNEL_FILES_OF_MODEL:
                found.update(f"{package}/{name}\n".encode() + path.read_bytes())
    for name in PLANNING:
        found.update(f"{name}\n".encode() + files("experiments").joinpath(name).read_bytes())
    return found.hexdigest()


def _claim_folder(
    design: Design, folder: Path, wanted: Mapping[str, Any], fresh: bool, note: Callable[[str], None]
) -> None:
    """Assign the folder to this design, or check that it is. Raises InputError with the difference."""
    path = folder / MANIFEST
    if not path.exists() and has_unexpected_files(folder):
        raise InputError(
            f"--out = {folder} contains other files; allowed: a sweep folder, an empty folder or a new one. "
            "Choose another --out."
        )
    try:
        there = read_manifest(folder, any_format=fresh) if path.exists() else None
    except DamageError as error:
        if not fresh or has_unexpected_files(folder):
            _check_recoverable(folder, wanted, f"{path} is damaged")
        note(f"{error} Moved to {set_aside(folder, path)}.")
        there = None
    if fresh:
        clear(folder)
    elif there is None and _has_parts(folder):
        _check_recoverable(folder, wanted, f"--out {folder}: has no {MANIFEST}")
    elif there is not None:
        if identity_of(there) != identity_of(wanted):
            _extend(design, folder, there, wanted, note)
        return
    write_manifest(folder, wanted)


def _has_parts(folder: Path) -> bool:
    return any((folder / "runs").glob("part-*.parquet"))


def _check_recoverable(folder: Path, wanted: Mapping[str, Any], problem: str) -> None:
    """Check that the parts of a folder without a manifest belong to this design and version.

    Raises InputError if they do not.
    """
    if identities(folder) != {identity_of(wanted)}:
        raise InputError(
            f"{problem}, and its parts are not marked with this design and version, so it may hold runs of "
            "another design. Use --fresh to start over, or another --out to keep both."
        )


def _extend(
    design: Design, folder: Path, there: Mapping[str, Any], wanted: Mapping[str, Any], note: Callable[[str], None]
) -> None:
    """Keep the runs of a smaller design. Raises InputError with the difference for any other design or version."""
    same = identity_of({**there, "design_digest": ""}) == identity_of({**wanted, "design_digest": ""})
    old = smaller_design(design, there["design"], there["design_digest"]) if same else None
    why = why_not_extendable(old, design) if old is not None else ""
    if old is None or why:
        raise _different_design_error(folder, there, wanted, why)
    kept = len(completed_runs(folder, note, identity_of(there)))
    extend(folder, old, design, wanted)
    note(f"{folder}: extended from {len(old):,} to {len(design):,} runs; {kept:,} are kept.")


def _different_design_error(folder: Path, there: Mapping[str, Any], wanted: Mapping[str, Any], why: str) -> InputError:
    """Return the error for a folder of another design: the differences, or ``why`` it cannot be extended."""
    libraries = [{name: each["versions"].get(name) for name in LIBRARIES} for each in (there, wanted)]
    pairs = [("", there["design"], wanted["design"]), ("base ", there["base"], wanted["base"])]
    pairs.append(("base ", there.get("labs"), wanted.get("labs")))
    pairs.append(("", libraries[0], libraries[1]))
    changed = [text for name, old, new in pairs for text in _differences(name, old, new)]
    if there["model_digest"] != wanted["model_digest"]:
        same = there["version"] == wanted["version"]
        versions = "the same version number" if same else f"asara {there['version']}, now {wanted['version']}"
        changed.append(f"the source of the model has changed ({versions})")
    what = why or "; ".join(changed[:5]) or "a file that it names has changed"
    return InputError(
        f"--out = {folder} holds runs of another design or version: {what}. "
        "Use --fresh to start over, or another --out to keep both."
    )


def _differences(name: str, old: Any, new: Any) -> Iterator[str]:
    """Yield a text for each place at which two contents differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(
                f"{name}{key}" if not name or name[-1] in " ." else f"{name}.{key}", old.get(key), new.get(key)
            )
    elif old != new:
        yield f"{name} was {_format_value(old)}, now {_format_value(new)}"


def _format_value(value: Any) -> str:
    return "left out" if value is None else json.dumps(value)
