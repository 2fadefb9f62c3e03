"""Look up kernel families by name. The module of a family, which may import torch, is imported on first use."""

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
"""Name → module in ``families/`` that defines ``FAMILY``. Tables follow this order."""
NAMES: Final = tuple(_MODULES)
UNTRUSTED: Final = "foreign"
"""Name of the family of untrusted sources."""
SDPA: Final = Candidate("sdpa")
"""Attention of the framework, the baseline of all timings."""
EAGER: Final = Candidate("eager")


@cache
def family(name: str) -> Family:
    """Return a family. Raises ValueError, with the closest name, if the name is unknown."""
    if name not in _MODULES:
        near = get_close_matches(name, NAMES, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else f"; allowed: {', '.join(NAMES)}"
        raise ValueError(f"family {name!r} is unknown{meant}")
    found: Family = import_module(f"hardware.kernels.families.{_MODULES[name]}").FAMILY
    return found


def families() -> tuple[Family, ...]:
    """Return all families, in the order of the tables."""
    return tuple(family(name) for name in NAMES)
