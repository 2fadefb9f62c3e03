"""Load priors: shipped ones by their name, or a TOML file."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from experiments.errors import InputError
from experiments.monte_carlo.spec import MonteCarloSpec, parse_study
from experiments.storage.file_kinds import wrong_kind_message
from experiments.uncertainty.distributions import PriorError
from sim.scenario.messages import did_you_mean
from sim.toml_files import TomlError, name_of, read_toml

BUNDLED_PRIORS_DIR: Final = Path(__file__).parents[1] / "priors"


class Priors(NamedTuple):
    """The content of a file of priors."""

    name: str
    digest: str
    """SHA-256 of the content of the file, independent of layout and comments."""
    study: MonteCarloSpec


def shipped_priors() -> list[str]:
    """Return the names of the shipped priors."""
    return sorted(path.stem for path in BUNDLED_PRIORS_DIR.glob("*.toml"))


def load_priors(name: str) -> Priors:
    """Load shipped priors by their name, or priors from a TOML file. Raises InputError for an invalid file."""
    path = _find(name)
    try:
        content = read_toml(path)
        if wrong := wrong_kind_message(path, "priors"):
            raise InputError(wrong)
        found = parse_study(content)
    except TomlError as error:
        raise InputError(str(error)) from None
    except PriorError as error:
        raise InputError(f"{path}: {error}") from None
    digest = sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
    return Priors(name_of(path), digest, found)


def _find(name: str) -> Path:
    if name in shipped_priors():
        return BUNDLED_PRIORS_DIR / f"{name}.toml"
    if name.endswith(".toml") or "/" in name or Path(name).is_file():
        return Path(name)
    near = did_you_mean(name, shipped_priors())
    known = ", ".join(shipped_priors())
    raise InputError(f"priors = {name} is unknown; allowed: {known}, or a TOML file{near}")
