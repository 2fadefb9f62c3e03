"""What can be said before anything heavy is loaded: how the command refuses, and whose `agents` it would load."""

from __future__ import annotations

import importlib
import importlib.util


class InputError(ValueError):
    """Something that was asked for cannot be done; the message is the one sentence that says why."""


def require_own_agents() -> None:
    """Refuse to go on where another distribution's `agents` package hides ours.

    Raises InputError, which says where the other one lies.
    """
    try:
        found = importlib.util.find_spec("agents.phases")
    except ImportError:
        found = None
    if found is None:
        raise InputError(
            f"another package called 'agents' ({_place_of('agents')}) hides the one of asara: "
            "install asara into a virtual environment of its own"
        )


def _place_of(package: str) -> str:
    try:
        module = importlib.import_module(package)
    except ImportError:
        return "which cannot be imported"
    return str(module.__file__ or next(iter(module.__path__), "of unknown place"))
