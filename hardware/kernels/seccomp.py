"""Install a system-call filter in a worker: the kernel kills it for any call that computing does not need.

The filter is an allow-list in the packet-filter language of Linux, installed through ctypes. It allows private memory,
reading files (to open a shared object), clocks, and reading and writing the inherited file descriptors. It forbids
processes, threads, timers, signals to others, sockets, writing files and sharing memory.
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
"""Apply the filter to all threads, and do not disable speculative stores.

Kernels before 5.16 would disable them, and the worker would run slower than other processes."""

_WRITING: Final = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000
"""Bits of an open that are not plain reading: write, read-write, create, truncate, append, temporary file."""
_MAP_TYPE: Final = 0x0F
_MAP_PRIVATE: Final = 0x02
_TILE_PERMISSION: Final = (0x1022, 0x1023)  # ARCH_GET_XCOMP_PERM, ARCH_REQ_XCOMP_PERM


class _SystemCalls(NamedTuple):
    """System-call numbers of one processor architecture."""

    audit: int
    seccomp: int
    free: Mapping[str, int]
    """Calls that are allowed with any arguments."""
    refused: Mapping[str, int]
    """Calls that fail with EPERM: the interpreter tries them, but does not need them."""
    write: Sequence[int]
    openat: int
    mmap: int
    tgkill: int
    arch_prctl: int | None


_X86: Final = _SystemCalls(
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
_ARM: Final = _SystemCalls(
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
_SYSTEM_CALLS: Final = {"x86_64": _X86, "aarch64": _ARM}


class _Filter(ctypes.Structure):
    """One instruction of a packet filter."""

    _fields_ = (("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Filter)))


Instruction = tuple[int, int, int, int]
"""Operation, instructions to skip if its test holds and if not, and operand."""
_libc: Final = ctypes.CDLL(None, use_errno=True)


def is_available() -> bool:
    """Return whether this kernel and processor support the filter."""
    table = _SYSTEM_CALLS.get(os.uname().machine)
    if table is None or not hasattr(_libc, "prctl"):
        return False
    action = ctypes.c_uint32(_KILL)
    return bool(_libc.syscall(ctypes.c_long(table.seccomp), _ACTION_AVAILABLE, 0, ctypes.byref(action)) == 0)


def install_filter(writable: Sequence[int] = (2,)) -> None:
    """Install the filter in this process; it cannot be removed. Raises OSError if it is not supported.

    ``writable``: file descriptors that the process may write to. Map shared memory and load libraries before the call.
    """
    architecture = os.uname().machine
    code = filter_program(architecture, writable, os.getpid())
    number = _SYSTEM_CALLS[architecture].seccomp
    filters = (_Filter * len(code))(*(_Filter(*each) for each in code))
    program = _Program(len(code), filters)
    zero = ctypes.c_ulong(0)
    if _libc.prctl(_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero):
        raise OSError(ctypes.get_errno(), "no_new_privs refused")
    if _libc.syscall(ctypes.c_long(number), _SET_FILTER, _FLAGS, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "seccomp refused")


def filter_program(architecture: str, writable: Sequence[int], pid: int) -> list[Instruction]:
    """Return the instructions of the filter for a processor architecture; jumps are counted from the next instruction.

    ``writable``: file descriptors that may be written to. ``pid``: the process, which may send signals to itself.
    Raises OSError for an architecture without a list of system calls.
    """
    table = _SYSTEM_CALLS.get(architecture)
    if table is None:
        raise OSError(f"no list of system calls for {architecture}")
    code = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, table.audit), _return_action(_KILL), (_LOAD, 0, 0, _NUMBER)]
    for number in table.free.values():
        code += _if_system_call(number, [_return_action(_ALLOW)])
    for number in table.refused.values():
        code += _if_system_call(number, [_return_action(_REFUSE)])
    for number in table.write:
        code += _if_system_call(number, _match_any(0, writable))
    code += _if_system_call(
        table.openat,
        [(_LOAD, 0, 0, _ARGUMENT[2]), (_SOME_BITS, 0, 1, _WRITING), _return_action(_KILL), _return_action(_ALLOW)],
    )
    private = [
        (_LOAD, 0, 0, _ARGUMENT[3]),
        (_AND, 0, 0, _MAP_TYPE),
        (_EQUAL, 0, 1, _MAP_PRIVATE),
        _return_action(_ALLOW),
    ]
    code += _if_system_call(table.mmap, [*private, _return_action(_KILL)])
    code += _if_system_call(table.tgkill, _match_any(0, (pid,)))  # abort() ends its own process with this call
    if table.arch_prctl is not None:
        code += _if_system_call(table.arch_prctl, _match_any(0, _TILE_PERMISSION))
    return [*code, _return_action(_KILL)]


def _return_action(answer: int) -> Instruction:
    return (_RETURN, 0, 0, answer)


def _if_system_call(number: int, body: list[Instruction]) -> list[Instruction]:
    """Run ``body``, which ends in an action, for one system call; otherwise skip it."""
    return [(_EQUAL, 0, len(body), number), *body]


def _match_any(argument: int, values: Sequence[int]) -> list[Instruction]:
    code = [(_LOAD, 0, 0, _ARGUMENT[argument])]
    for value in values:
        code += [(_EQUAL, 0, 1, value), _return_action(_ALLOW)]
    return [*code, _return_action(_KILL)]
