"""Run a design: go on where the folder stands, keep what is over, lose nothing to a stop."""

from __future__ import annotations

import json
import math
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
from experiments.sweep.extension import complete, extend, obstacle, smaller_design
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

if TYPE_CHECKING:
    from experiments.design.design import Design
    from experiments.sweep.records import RunRecord

A_PART: Final = 100
"""Runs that make a part, if they took a second together; more of them when they are shorter."""
MAX_IN_A_PART: Final = 5000
SECONDS_UNSAVED: Final = 10.0
"""For no longer are runs that are over kept in memory alone."""
MODEL: Final = ("sim", "agents", "hardware")
"""The packages whose source is the model: another source, other runs."""
_OF_KERNELS: Final = ("kernels/speedup_curve.py", "kernels/search_records.py")
"""Of hardware/kernels: how measurements become a speed-up."""
PLANNING: Final = (
    "design/sampling.py",
    "design/parsing.py",
    "design/design.py",
    "gains.py",
    "sweep/records.py",
    "sweep/workers/process.py",
    "uncertainty/distributions.py",
    "uncertainty/parsing.py",
)
"""Of experiments: what decides which runs a design has, and what a row tells of one."""


class Workers(Protocol):
    """Whoever does the runs: this machine, or a cluster."""

    def run(self, runs: Sequence[int]) -> Iterator[RunRecord | None]:
        """Yield each run when it is over, and None now and then."""


class SweepProgress(NamedTuple):
    """How far a sweep is."""

    runs: int
    done: int
    """In the folder or about to be, those of earlier times included."""
    outcomes: Mapping[str, int]
    """Number of runs by where they lead in the long run; of runs without a result by status."""


Watch = Callable[[SweepProgress], None]


def sweep(
    design: Design, folder: Path, workers: Callable[[], Any], fresh: bool, watch: Watch, note: Callable[[str], None]
) -> SweepProgress:
    """Do those runs of a design that its folder has not, and return how far that came.

    ``workers()`` is a context whose value is a `Workers`. KeyboardInterrupt is passed on after what is over has been
    written. Raises InputError for a folder that belongs to something else or cannot be written; what is there stays.
    """
    with locked(folder):
        with writing(folder):
            complete(folder)
            wanted = manifest_of(design)
            _claim_folder(design, folder, wanted, fresh, note)
            done = completed_runs(folder, note, identity_of(wanted))
        left = [run for run in range(len(design)) if run not in done]
        tally = _counted(folder)
        watch(SweepProgress(len(design), len(done), tally))
        if left:
            with workers() as crew:
                _collect(crew.run(left), _RecordBuffer(folder, len(design), len(done), tally, watch))
        return SweepProgress(len(design), len(read_table(folder, "runs", ["run"])), tally)


class _RecordBuffer:
    """What is over and not written yet."""

    def __init__(self, folder: Path, runs: int, done: int, tally: Counter[str], watch: Watch) -> None:
        self._folder, self._runs, self._done, self._tally, self._watch = folder, runs, done, tally, watch
        self._unsaved: list[RunRecord] = []
        self._saved_at = time.monotonic()

    def take(self, finished: RunRecord | None) -> None:
        """Keep a run, and write a part when there is enough for one."""
        if finished is not None:
            self._unsaved.append(finished)
            self._done += 1
            self._tally[_kind(finished.row["status"], finished.row["long_run"])] += 1
        self._watch(SweepProgress(self._runs, self._done, self._tally))
        waited = time.monotonic() - self._saved_at
        enough = len(self._unsaved) >= A_PART and waited >= 1.0
        if enough or len(self._unsaved) >= MAX_IN_A_PART or waited >= SECONDS_UNSAVED:
            self.save()

    def save(self) -> None:
        """Write what is over."""
        if self._unsaved:
            with writing(self._folder):
                write_part(self._folder, self._unsaved)
        self._unsaved, self._saved_at = [], time.monotonic()


def _collect(finished: Iterator[RunRecord | None], keeper: _RecordBuffer) -> None:
    try:
        for each in finished:
            keeper.take(each)
    finally:  # also after Ctrl-C: what is over is kept
        keeper.save()


def _kind(status: str, long_run: str | None) -> str:
    return long_run or status if status == "ok" else status


def _counted(folder: Path) -> Counter[str]:
    table = read_table(folder, "runs", ["run", "status", "long_run"])
    return Counter(_kind(row["status"], row["long_run"]) for row in table.to_pylist())


# --- whose folder it is ---------------------------------------------------------------------------------------------


def manifest_of(design: Design) -> dict[str, Any]:
    """Return what the folder of a sweep says about it, as plain values."""
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
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
    }


def model_identity() -> dict[str, str]:
    """Return what runs are made of beside their design: the digest of the model, and the versions of its libraries."""
    return {"asara": model_digest()} | {name: version(name) for name in LIBRARIES}


@cache
def model_digest() -> str:
    """Return the SHA-256 of the source that rows come from: the model, without kernels, and how runs are planned."""
    found = sha256()
    for package in MODEL:
        folder = Path(str(files(package)))
        for path in sorted(folder.rglob("*.py")):
            name = path.relative_to(folder).as_posix()
            if not name.startswith("kernels/") or name in _OF_KERNELS:
                found.update(f"{package}/{name}\n".encode() + path.read_bytes())
    for name in PLANNING:
        found.update(f"{name}\n".encode() + files("experiments").joinpath(name).read_bytes())
    return found.hexdigest()


def _claim_folder(
    design: Design, folder: Path, wanted: Mapping[str, Any], fresh: bool, note: Callable[[str], None]
) -> None:
    """Make the folder this design's, or see that it is. Raises InputError with the difference."""
    path = folder / MANIFEST
    if not path.exists() and has_unexpected_files(folder):
        raise InputError(f"--out {folder}: there are other things in it; name an empty folder or a new one")
    try:
        there = read_manifest(folder, any_format=fresh) if path.exists() else None
    except DamageError as error:
        if not fresh or has_unexpected_files(folder):
            _check_recoverable(folder, wanted, f"{path} is damaged")
        note(f"{error} Moved to {set_aside(folder, path)}.")
        there = None
    if fresh:
        clear(folder)
    elif there is None and _any_parts(folder):
        _check_recoverable(folder, wanted, f"--out {folder}: has no {MANIFEST}")
    elif there is not None:
        if identity_of(there) != identity_of(wanted):
            _extend(design, folder, there, wanted, note)
        return
    write_manifest(folder, wanted)


def _any_parts(folder: Path) -> bool:
    return any((folder / "runs").glob("part-*.parquet"))


def _check_recoverable(folder: Path, wanted: Mapping[str, Any], problem: str) -> None:
    """Refuse a folder without a manifest unless its parts show that they are of this design and version."""
    if identities(folder) != {identity_of(wanted)}:
        raise InputError(
            f"{problem}, and its parts do not show that they are of this design and version, so that it holds runs of "
            "an unknown design. --fresh starts over, another --out keeps both"
        )


def _extend(
    design: Design, folder: Path, there: Mapping[str, Any], wanted: Mapping[str, Any], note: Callable[[str], None]
) -> None:
    """Keep the runs of a smaller design. Raises InputError for any other design or version, with what differs."""
    same = identity_of({**there, "design_digest": ""}) == identity_of({**wanted, "design_digest": ""})
    old = smaller_design(design, there["design"], there["design_digest"]) if same else None
    why = obstacle(old, design) if old is not None else ""
    if old is None or why:
        raise _other(folder, there, wanted, why)
    kept = len(completed_runs(folder, note, identity_of(there)))
    extend(folder, old, design, wanted)
    note(f"{folder}: extended from {len(old):,} to {len(design):,} runs; {kept:,} are kept.")


def _other(folder: Path, there: Mapping[str, Any], wanted: Mapping[str, Any], why: str) -> InputError:
    """A folder of another design or version: what differs, or ``why`` the sweep cannot be extended."""
    libraries = [{name: each["versions"].get(name) for name in LIBRARIES} for each in (there, wanted)]
    pairs = [("", there["design"], wanted["design"]), ("base ", there["base"], wanted["base"])]
    pairs.append(("", libraries[0], libraries[1]))
    changed = [text for name, old, new in pairs for text in _differences(name, old, new)]
    if there["model_digest"] != wanted["model_digest"]:
        same = there["version"] == wanted["version"]
        versions = "the same version number" if same else f"asara {there['version']}, now {wanted['version']}"
        changed.append(f"the model's source is another ({versions})")
    what = why or "; ".join(changed[:5]) or "a file that it names has changed"
    return InputError(
        f"--out {folder}: holds runs of something else: {what}. --fresh starts over, another --out keeps both"
    )


def _differences(name: str, old: Any, new: Any) -> Iterator[str]:
    """Every place in which two contents differ, in words."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(
                f"{name}{key}" if not name or name[-1] in " ." else f"{name}.{key}", old.get(key), new.get(key)
            )
    elif old != new:
        yield f"{name} was {_said(old)}, now {_said(new)}"


def _said(value: Any) -> str:
    return "left out" if value is None else json.dumps(value)


def rate(done: int, seconds: float) -> float:
    """Return runs a second; 0 before the first moment."""
    return done / seconds if seconds > 0 else 0.0


def time_left(left: int, per_second: float) -> float:
    """Return seconds, infinite where nothing was done yet."""
    return left / per_second if per_second > 0 else math.inf
