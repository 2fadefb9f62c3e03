"""Identify the processor: the fields of /proc/cpuinfo, and a cache key for code compiled for this processor."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import Final

_CPU_INFO: Final = Path("/proc/cpuinfo")
_IDENTITY_FIELDS: Final = (
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
"""Fields, on x86 and on ARM, that determine the result of ``-march=native``."""


def cpu_info() -> dict[str, str]:
    """Return the fields of the last processor in /proc/cpuinfo; empty on systems other than Linux."""
    text = _CPU_INFO.read_text(encoding="utf-8", errors="replace") if _CPU_INFO.exists() else ""
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


@cache
def identity() -> str:
    """Return the fields that distinguish this processor from processors that cannot run code compiled for it."""
    info = cpu_info()
    name = info.get("model name") or platform.processor()
    return "\n".join([platform.machine(), name, *(f"{key}: {info[key]}" for key in _IDENTITY_FIELDS if key in info)])
