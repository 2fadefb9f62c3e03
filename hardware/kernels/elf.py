"""Read the exported functions of a shared object from its bytes, without loading it."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_HEAD: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION: Final = struct.Struct("<IIQQQQIIQQ")
_SYMBOL: Final = struct.Struct("<IBBHQQ")
_DYNAMIC_SYMBOLS: Final = 11
_FUNCTION, _INDIRECT_FUNCTION = 2, 10
_MAX_SECTIONS: Final = 4096


class _Section(NamedTuple):
    kind: int
    offset: int
    size: int
    link: int


def exported_functions(content: bytes) -> frozenset[str]:
    """Return the functions that a 64-bit little-endian shared object defines; empty for any other file."""
    try:
        sections = _sections(content)
        return frozenset(name for section in sections for name in _functions(content, section, sections))
    except (struct.error, IndexError, ValueError, OverflowError):
        return frozenset()


def _sections(content: bytes) -> list[_Section]:
    head = _HEAD.unpack_from(content)
    if head[0][:6] != b"\x7fELF\x02\x01":
        raise ValueError("no 64-bit little-endian ELF")
    start, size, count = head[6], head[11], min(head[12], _MAX_SECTIONS)
    rows = (_SECTION.unpack_from(content, start + at * size) for at in range(count))
    return [_Section(row[1], row[4], row[5], row[6]) for row in rows]


def _functions(content: bytes, section: _Section, sections: list[_Section]) -> list[str]:
    if section.kind != _DYNAMIC_SYMBOLS:
        return []
    names = sections[section.link].offset
    found = []
    for at in range(section.offset, min(section.offset + section.size, len(content)), _SYMBOL.size):
        name, info, _, defined_in, _, _ = _SYMBOL.unpack_from(content, at)
        if defined_in and info & 0xF in (_FUNCTION, _INDIRECT_FUNCTION):
            start = names + name
            found.append(content[start : content.index(b"\0", start)].decode(errors="replace"))
    return found
