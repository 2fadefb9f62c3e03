"""Define the error for bad input, and check that the package `agents` is that of asara; loads no other library."""

from __future__ import annotations

import importlib
import importlib.util


class InputError(ValueError):
    """A request cannot be carried out; the message has the reason and the next step."""


def require_own_agents() -> None:
    """Check that no other distribution's package `agents` hides that of asara.

    Raises InputError with the path of the other package.
    """
    try:
        found = importlib.util.find_spec("agents.phases")
    except ImportError:
        found = None
    if found is None:
        raise InputError(
            f"another package named 'agents' ({_path_of('agents')}) hides that of asara. "
            "Install asara into a separate virtual environment."
        )


def _path_of(package: str) -> str:
    try:
        module = importlib.import_module(package)
    except ImportError:
        return "it cannot be imported"
    return str(module.__file__ or next(iter(module.__path__), "its path is unknown"))
