"""Monte Carlo over priors: a file in, probabilities and quantiles out, as plain values; and the files that hold them.

What is needed without `--out` loads neither Mesa nor matplotlib, so that a million worlds are over in about a second.
"""

from __future__ import annotations

import csv
import io
import json
import math
import tomllib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from experiments.errors import InputError
from experiments.files import to_json, write_files
from sim.distributions import Array, PriorError
from sim.montecarlo import Share, Worlds, quantiles, share
from sim.priors import nearest
from sim.study import Study, study

SHIPPED: Final = Path(__file__).parent / "priors"
LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
SUMMARY, TABLE, PICTURE = "mc.json", "mc.csv", "mc.png"


class Priors(NamedTuple):
    """A file of priors, read."""

    name: str
    digest: str
    """SHA-256 of what the file says, whatever its layout and comments."""
    study: Study


def shipped_priors() -> list[str]:
    """Return the names of the priors that come with asara."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load_priors(name: str) -> Priors:
    """Return shipped priors by their name, or those of a TOML file. Raises InputError with what is wrong."""
    path = _find(name)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        found = study(content)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: is no valid TOML ({error})") from None
    except PriorError as error:
        raise InputError(f"{path}: {error}") from None
    digest = sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
    return Priors(path.stem, digest, found)


def _find(name: str) -> Path:
    if name in shipped_priors():
        return SHIPPED / f"{name}.toml"
    if name.endswith(".toml") or "/" in name or Path(name).is_file():
        return Path(name)
    near = nearest(name, shipped_priors())
    known = ", ".join(shipped_priors())
    raise InputError(f"no priors '{name}'; there are {known}, and a file of your own ends in .toml{near}")


def outcome(priors: Priors, n: int, seed: int, drawn: Mapping[str, Array], worlds: Worlds) -> dict[str, Any]:
    """Return what came of it as plain values that JSON can hold: None where there is no finite number.

    Quantiles of an explosion are of the worlds that explode; a date beyond the horizon is None.
    """
    asked = priors.study
    return {
        "priors": priors.name,
        "digest": priors.digest,
        "description": asked.description,
        "source": asked.source,
        "n": n,
        "seed": seed,
        "retraining": asked.retraining,
        "doublings_per_year": asked.doublings_per_year,
        "horizon_months": asked.horizon_months,
        "explosion": {"published": asked.explosion_published, **_plain_share(share(worlds.explodes))},
        "explosion_within_horizon": _plain_share(share(np.isfinite(worlds.explosion_months))),
        "pairs": [
            pair._asdict() | _plain_share(share(worlds.shortest_months[pair.doublings] <= pair.months))
            for pair in asked.pairs
        ],
        "explosion_months": _levels(worlds.explosion_months[worlds.explodes]),
        "explosion_years_of_progress": _levels(worlds.explosion_doublings[worlds.explodes] / asked.doublings_per_year),
        "inputs": {name: _levels(values) for name, values in drawn.items()},
        "cut_at_most_doublings": _plain_share(share(worlds.cut)),
    }


def _plain_share(found: Share) -> dict[str, float]:
    return found._asdict()


def _levels(values: Array) -> dict[str, float | None]:
    found = quantiles(values, LEVELS)
    return {f"{level:g}": value if math.isfinite(value) else None for level, value in zip(LEVELS, found, strict=True)}


def to_csv(found: Mapping[str, Any]) -> str:
    """Return the quantiles of an outcome as CSV: a row for each quantity, empty where there is no finite number."""
    rows = {name: found[name] for name in ("explosion_months", "explosion_years_of_progress")} | found["inputs"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["quantity", *(f"{level:.0%}" for level in LEVELS)])
    for name, levels in rows.items():
        writer.writerow([name, *("" if value is None else repr(value) for value in levels.values())])
    return text.getvalue()


def write(folder: Path, found: Mapping[str, Any], picture: bytes) -> None:
    """Write an outcome, its quantiles and its picture into a folder, `mc.json` last; what else lies there stays."""
    files = {TABLE: to_csv(found).encode(), PICTURE: picture, SUMMARY: f"{to_json(found)}\n".encode()}
    (folder / SUMMARY).unlink(missing_ok=True)  # where it lies, the others belong to it
    write_files(folder, files)
