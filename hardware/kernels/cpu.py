"""What the processor is: as Linux says it, and as the name under which code for it alone may be kept."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import Final

_CPU_INFO: Final = Path("/proc/cpuinfo")
_IDENTITY: Final = (
    "vendor_id",
    "cpu family",
    "model",
    "model name",
    "stepping",
    "flags",
    "CPU implementer",
    "CPU variant",
    "CPU part",
    "Features",
)
"""Those fields, on x86 and on ARM, on which it depends what a compiler makes of ``-march=native``."""


def cpu_info() -> dict[str, str]:
    """Return what Linux says of the last processor, field by field; nothing elsewhere."""
    text = _CPU_INFO.read_text(encoding="utf-8", errors="replace") if _CPU_INFO.exists() else ""
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


@cache
def identity() -> str:
    """Return one line for each field that tells this processor from those that cannot run code made for it."""
    info = cpu_info()
    name = info.get("model name") or platform.processor()
    return "\n".join([platform.machine(), name, *(f"{key}: {info[key]}" for key in _IDENTITY if key in info)])
