"""Extend a sweep: keep the runs that a larger design shares with the one in the folder, under their new numbers.

A design is larger if it has more sample points, replications or values of a lever, and nothing else differs. More
points are possible if the first points of the sampling stay the same. The renumbered parts are written beside the old
ones and then replace them. The next `asara sweep` completes a replacement that was interrupted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from experiments.sweep.part_files import ALL_TABLES, DamageError, next_number, parts, write_whole
from experiments.sweep.storage import (
    EXTENDING,
    MANIFEST,
    identity_of,
    read_manifest,
    read_tables,
    sort_keys,
    write_manifest,
    write_tables,
)

if TYPE_CHECKING:
    from experiments.design.design import Design

GROWING: Final = ("sobol", "random")
"""Samplings whose first points stay the same when n grows."""


def smaller_design(design: Design, stated: Mapping[str, Any], digest: str) -> Design | None:
    """Return the design of a folder if it differs from ``design`` only in n, replications and lever values.

    ``stated``: its content in the manifest. ``digest``: its digest, which proves that nothing else differs.
    """
    if stated.get("levers", {}).keys() != design.levers.keys():
        return None
    found = design.resized(int(stated.get("n", 0)), int(stated["replications"]), stated.get("levers", {}))
    return found if found.digest == digest else None


def why_not_extendable(old: Design, new: Design) -> str:
    """Return the reason why runs of the old design cannot be kept for the new one; empty if they can."""
    if old.n != new.n and new.sampling not in GROWING:
        return f"n was {old.n}, now {new.n}, and all points of sampling = '{new.sampling}' change with n"
    for name, before, now in (("n", old.n, new.n), ("replications", old.replications, new.replications)):
        if now < before:
            return f"{name} was {before}, now {now}, and a sweep cannot shrink"
    for name, values in old.levers.items():
        if lost := [value for value in values if value not in new.levers[name]]:
            return f"levers.{name} no longer has {json.dumps(lost[0])}, and a sweep cannot shrink"
    return ""


def extend(folder: Path, old: Design, new: Design, manifest: Mapping[str, Any]) -> None:
    """Renumber the runs of a folder for a larger design, and assign the folder to that design.

    All parts must be readable. ``manifest``: the manifest of the larger design.
    """
    stage = folder / EXTENDING
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    places = {_key(new, lever): lever for lever in range(new.combinations)}
    levers = [places[_key(old, lever)] for lever in range(old.combinations)]
    number = next_number(folder)
    for part in parts(folder):
        tables = read_tables(folder, part)
        write_tables(stage, number, _renumber(tables, new, levers), identity_of(manifest))
        number += 1
    write_manifest(stage, manifest)  # from here on a later command completes the extension if this one is interrupted
    recover_interrupted_extension(folder)


def recover_interrupted_extension(folder: Path) -> None:
    """Complete an extension that was interrupted while new parts replaced old ones; discard one without a manifest."""
    stage = folder / EXTENDING
    if not stage.exists():
        return
    try:
        manifest = read_manifest(stage) if (stage / MANIFEST).exists() else None
    except DamageError:
        manifest = None
    if manifest is not None:
        for kind in ALL_TABLES:
            for path in parts(stage, kind).values():
                _copy(path, folder / kind / path.name)
        for kind in reversed(ALL_TABLES):
            kept = {path.name for path in parts(stage, kind).values()}
            for path in (folder / kind).glob("part-*.parquet"):
                if path.name not in kept:
                    path.unlink()
        write_manifest(folder, manifest)
        (stage / MANIFEST).unlink()
    shutil.rmtree(stage)


def _key(design: Design, lever: int) -> str:
    return json.dumps(design.lever_values(lever), sort_keys=True)


def _renumber(tables: Mapping[str, pa.Table], new: Design, levers: list[int]) -> dict[str, pa.Table]:
    """Return the tables of a part with the numbers that its runs have in the new design."""
    rows = tables["runs"].select(["run", "point", "lever", "replication"]).to_pylist()
    numbers = {row["run"]: new.number(row["point"], levers[row["lever"]], row["replication"]) for row in rows}
    changed = {}
    for kind, before in tables.items():
        table = before
        columns = {"run": [numbers[run] for run in table["run"].to_pylist()]}
        if kind == "runs":
            columns["lever"] = [levers[row["lever"]] for row in rows]
        for name, values in columns.items():
            at = table.column_names.index(name)
            table = table.set_column(at, table.schema.field(name), pa.array(values, pa.int64()))
        changed[kind] = table.sort_by(sort_keys(kind, table))
    return changed


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    if not target.exists():
        write_whole(target, path.read_bytes())
