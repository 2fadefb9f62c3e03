"""The last lock of a worker: from here on the kernel kills it for any system call that computing does not need.

An allow-list in the kernel's packet-filter language, installed through ctypes. What stays allowed: memory of its own,
reading files (a shared object must be opened), clocks, and reading and writing the file descriptors it was given. No
process, no thread, no timer, no signal to others, no socket, no file written, no memory shared with anybody.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

_KILL: Final = 0x80000000  # SECCOMP_RET_KILL_PROCESS
_ALLOW: Final = 0x7FFF0000  # SECCOMP_RET_ALLOW
_REFUSE: Final = 0x00050000 + 1  # SECCOMP_RET_ERRNO, EPERM

_LOAD, _EQUAL, _SOME_BITS, _AND, _RETURN = 0x20, 0x15, 0x45, 0x54, 0x06
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_ARGUMENT: Final = (16, 24, 32, 40, 48, 56)  # low halves, little-endian

_NO_NEW_PRIVS: Final = 38
_SET_FILTER, _ACTION_AVAILABLE = 1, 2
_FLAGS: Final = 1 | 4
"""All threads; and no slower loads and stores than other processes have (kernels before 5.16 would), lest it be timed
with a handicap."""

_WRITING: Final = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000
"""Bits of an open that are not plain reading: write, read-write, create, truncate, append, temporary file."""
_MAP_TYPE: Final = 0x0F
_MAP_PRIVATE: Final = 0x02
_TILE_PERMISSION: Final = (0x1022, 0x1023)  # ARCH_GET_XCOMP_PERM, ARCH_REQ_XCOMP_PERM


class _Table(NamedTuple):
    """What one processor calls things."""

    audit: int
    seccomp: int
    free: Mapping[str, int]
    """Allowed whatever the arguments."""
    refused: Mapping[str, int]
    """Answered with EPERM: the interpreter asks, and can do without."""
    write: Sequence[int]
    openat: int
    mmap: int
    tgkill: int
    arch_prctl: int | None


_X86: Final = _Table(
    audit=0xC000003E,
    seccomp=317,
    free={
        "read": 0,
        "close": 3,
        "stat": 4,
        "fstat": 5,
        "lstat": 6,
        "lseek": 8,
        "mprotect": 10,
        "munmap": 11,
        "brk": 12,
        "rt_sigaction": 13,
        "rt_sigprocmask": 14,
        "rt_sigreturn": 15,
        "pread64": 17,
        "sched_yield": 24,
        "mremap": 25,
        "madvise": 28,
        "nanosleep": 35,
        "getpid": 39,
        "exit": 60,
        "gettimeofday": 96,
        "sigaltstack": 131,
        "gettid": 186,
        "futex": 202,
        "sched_getaffinity": 204,
        "restart_syscall": 219,
        "clock_gettime": 228,
        "clock_getres": 229,
        "clock_nanosleep": 230,
        "exit_group": 231,
        "newfstatat": 262,
        "getrandom": 318,
        "statx": 332,
    },
    refused={
        "ioctl": 16,
        "access": 21,
        "fcntl": 72,
        "getdents64": 217,
        "readlink": 89,
        "readlinkat": 267,
        "faccessat": 269,
        "faccessat2": 439,
    },
    write=(1, 20),
    openat=257,
    mmap=9,
    tgkill=234,
    arch_prctl=158,
)
_ARM: Final = _Table(
    audit=0xC00000B7,
    seccomp=277,
    free={
        "close": 57,
        "lseek": 62,
        "read": 63,
        "pread64": 67,
        "newfstatat": 79,
        "fstat": 80,
        "exit": 93,
        "exit_group": 94,
        "futex": 98,
        "nanosleep": 101,
        "clock_gettime": 113,
        "clock_getres": 114,
        "clock_nanosleep": 115,
        "sched_getaffinity": 123,
        "sched_yield": 124,
        "restart_syscall": 128,
        "sigaltstack": 132,
        "rt_sigaction": 134,
        "rt_sigprocmask": 135,
        "rt_sigreturn": 139,
        "gettimeofday": 169,
        "getpid": 172,
        "gettid": 178,
        "brk": 214,
        "munmap": 215,
        "mremap": 216,
        "mprotect": 226,
        "madvise": 233,
        "getrandom": 278,
        "statx": 291,
    },
    refused={"fcntl": 25, "ioctl": 29, "getdents64": 61, "faccessat": 48, "readlinkat": 78, "faccessat2": 439},
    write=(64, 66),
    openat=56,
    mmap=222,
    tgkill=131,
    arch_prctl=None,
)
_TABLES: Final = {"x86_64": _X86, "aarch64": _ARM}


class _Filter(ctypes.Structure):
    """One instruction of a packet filter."""

    _fields_ = (("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Filter)))


_Instruction = tuple[int, int, int, int]
_libc: Final = ctypes.CDLL(None, use_errno=True)


def available() -> bool:
    """Whether this kernel and processor can do it."""
    table = _TABLES.get(os.uname().machine)
    if table is None or not hasattr(_libc, "prctl"):
        return False
    action = ctypes.c_uint32(_KILL)
    return bool(_libc.syscall(ctypes.c_long(table.seccomp), _ACTION_AVAILABLE, 0, ctypes.byref(action)) == 0)


def install_filter(writable: Sequence[int] = (2,)) -> None:
    """Lock this process for good; ``writable``: file descriptors it may still write to. Raises OSError if it cannot.

    What it needs besides what is allowed (shared memory mapped, libraries of its own loaded) it does before.
    """
    table = _TABLES.get(os.uname().machine)
    if table is None:
        raise OSError(f"no list of system calls for {os.uname().machine}")
    code = _program(table, writable, os.getpid())
    filters = (_Filter * len(code))(*(_Filter(*each) for each in code))
    program = _Program(len(code), filters)
    zero = ctypes.c_ulong(0)
    if _libc.prctl(_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero):
        raise OSError(ctypes.get_errno(), "no_new_privs refused")
    if _libc.syscall(ctypes.c_long(table.seccomp), _SET_FILTER, _FLAGS, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "seccomp refused")


def _program(table: _Table, writable: Sequence[int], pid: int) -> list[_Instruction]:
    code = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, table.audit), _give(_KILL), (_LOAD, 0, 0, _NUMBER)]
    for number in table.free.values():
        code += _when(number, [_give(_ALLOW)])
    for number in table.refused.values():
        code += _when(number, [_give(_REFUSE)])
    for number in table.write:
        code += _when(number, _one_of(0, writable))
    code += _when(
        table.openat, [(_LOAD, 0, 0, _ARGUMENT[2]), (_SOME_BITS, 0, 1, _WRITING), _give(_KILL), _give(_ALLOW)]
    )
    private = [(_LOAD, 0, 0, _ARGUMENT[3]), (_AND, 0, 0, _MAP_TYPE), (_EQUAL, 0, 1, _MAP_PRIVATE), _give(_ALLOW)]
    code += _when(table.mmap, [*private, _give(_KILL)])
    code += _when(table.tgkill, _one_of(0, (pid,)))  # how abort() ends its own process
    if table.arch_prctl is not None:
        code += _when(table.arch_prctl, _one_of(0, _TILE_PERMISSION))
    return [*code, _give(_KILL)]


def _give(answer: int) -> _Instruction:
    return (_RETURN, 0, 0, answer)


def _when(number: int, body: list[_Instruction]) -> list[_Instruction]:
    """Run ``body``, which ends in an answer, for one system call; else go on behind it."""
    return [(_EQUAL, 0, len(body), number), *body]


def _one_of(argument: int, values: Sequence[int]) -> list[_Instruction]:
    code = [(_LOAD, 0, 0, _ARGUMENT[argument])]
    for value in values:
        code += [(_EQUAL, 0, 1, value), _give(_ALLOW)]
    return [*code, _give(_KILL)]
