"""Every family of candidates by name. A family's module is imported when it is asked for, and torch with it."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

from hardware.kernels.candidate import Candidate

if TYPE_CHECKING:
    from hardware.kernels.family import Family

_MODULES: Final = {
    "eager": "eager",
    "sdpa": "sdpa",
    "compile": "torch_compile",
    "tiled": "tiled",
    "portable": "portable",
    "avx512": "avx512",
    "amx": "amx",
    "triton": "triton_flash",
    "foreign": "untrusted",
}
"""Name → file in ``families/``, which holds one ``FAMILY``. Tables follow this order."""
NAMES: Final = tuple(_MODULES)
FOREIGN: Final = "foreign"
"""The family of sources that somebody else wrote."""
SDPA: Final = Candidate("sdpa")
"""The framework's own attention, against which all are timed."""
EAGER: Final = Candidate("eager")


@cache
def family(name: str) -> Family:
    """Return a family. Raises ValueError, with the near name, if there is none of that name."""
    if name not in _MODULES:
        near = get_close_matches(name, NAMES, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else f": there are {', '.join(NAMES)}"
        raise ValueError(f"no family {name!r}{meant}")
    found: Family = import_module(f"hardware.kernels.families.{_MODULES[name]}").FAMILY
    return found


def families() -> tuple[Family, ...]:
    """Return all families, in the order of the tables."""
    return tuple(family(name) for name in NAMES)
