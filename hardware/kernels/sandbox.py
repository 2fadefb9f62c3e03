"""Where foreign code is compiled and runs: in bubblewrap, with limits, no network and nothing to write to.

A worker is started confined (bubblewrap, for foreign source) or as a plain process (for our own families); both have
limits on memory and processor time, a cleared environment and only the file descriptors that they were given. The
second lock, ``seccomp.lock``, the worker turns itself once it is ready.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from hardware.kernels import compiler, elf, seccomp
from hardware.kernels.abi import SYMBOL
from hardware.kernels.compiler import BuildError

_HERE: Final = Path(__file__).parent
_SYSTEM: Final = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/nix/store", "/gnu/store")
_BUILDING: Final = ("/etc/alternatives", "/etc/ld.so.cache")
_KEPT: Final = (
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "CXX",
    "LD_LIBRARY_PATH",
    "XDG_CACHE_HOME",
    "ASARA_CACHE",
    "CUDA_VISIBLE_DEVICES",
    "TORCHINDUCTOR_CACHE_DIR",
    "TRITON_CACHE_DIR",
)
_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
_MIB: Final = 1 << 20
_SHARED_MIB: Final = 4096
"""Address space beyond its own memory: libraries, inputs and outputs."""
_STARTED_S: Final = 20.0
_TRIED_S: Final = 10.0


class IsolationLevel(NamedTuple):
    """What stands between foreign source and the machine."""

    name: str
    """``bubblewrap`` or ``process``."""
    detail: str
    """What there is and what is missing, in words."""
    foreign_allowed: bool


class SandboxError(Exception):
    """A process could not be started as it should be; the message says why."""


@cache
def detect_isolation() -> IsolationLevel:
    """Return what this machine has; it is tried out once."""
    locked = seccomp.available()
    missing = _bubblewrap_fails()
    if missing is None and locked:
        detail = "bubblewrap: no network, no place to write, no other process in sight; resource limits; seccomp"
        return IsolationLevel("bubblewrap", detail, True)
    has = "a process of its own, resource limits" + (", seccomp" if locked else "")
    lacks = missing or "this kernel or processor offers no seccomp filter"
    detail = f"{has}; foreign source is refused: {lacks}"
    return IsolationLevel("process", detail, False)


def _bubblewrap_fails() -> str | None:
    program = shutil.which("bwrap")
    if program is None:
        return "install bubblewrap (the program bwrap is not there)"
    try:
        command = [*_bwrap_prefix(program, ()), "--", shutil.which("true") or "/bin/true"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TRIED_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not work here ({error})"
    said = done.stderr.strip().splitlines()
    return f"bubblewrap does not work here ({said[0] if said else done.returncode})" if done.returncode else None


def _bwrap_prefix(program: str, readable: Sequence[str | Path]) -> list[str]:
    """Return the front of a command that runs in a root of its own, where all is read-only."""
    command = [program, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for path in (*_SYSTEM, *readable):
        command += ["--ro-bind-try", str(path), str(path)]
    return [*command, "--uid", "65534", "--gid", "65534", "--hostname", "sandbox", "--chdir", "/"]


class Limits(NamedTuple):
    """Of a process. Memory: what it may write to, inputs and outputs in shared memory apart."""

    memory_mib: int
    cpu_s: int
    file_mib: float
    """Largest file, standard error included."""

    def impose(self, pid: int) -> None:
        """Set them on a process from outside."""
        memory = self.memory_mib * _MIB
        for name, most in (
            (resource.RLIMIT_DATA, memory),
            (resource.RLIMIT_AS, memory + _SHARED_MIB * _MIB),
            (resource.RLIMIT_CPU, self.cpu_s),
            (resource.RLIMIT_FSIZE, int(self.file_mib * _MIB)),
            (resource.RLIMIT_CORE, 0),
        ):
            _, allowed = resource.prlimit(pid, name)
            least = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
            resource.prlimit(pid, name, (least, least))


class SandboxedProcess:
    """A process that was started; it must be waited for, or used as a context that ends it.

    ``pid``: the worker's own as this process sees it, so that its clock can be read.
    """

    def __init__(self, process: subprocess.Popen[bytes], pid: int, limits: Limits, errors: int) -> None:
        self.pid = pid
        self.cpu_s = 0.0
        """Processor seconds that it took, once :meth:`wait` has returned."""
        self.complaint = ""
        """What it wrote to standard error, once :meth:`wait` has returned; the first 64 KiB."""
        self._process = process
        self._limits = limits
        self._errors = errors
        self._handle = os.pidfd_open(pid)
        self._killed = False
        self._reason: str | None = None

    def __enter__(self) -> SandboxedProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()

    @property
    def clock(self) -> int:
        """The id of its processor clock, for ``time.clock_gettime_ns``; all its threads together."""
        return (~self.pid << 3) | 2

    @property
    def ended(self) -> bool:
        """Whether it has ended, by itself or otherwise."""
        return self._reason is not None or _ended(self._process, 0.0)

    def kill(self) -> None:
        """End it, with all that it started; no harm if it has ended."""
        if self._reason is not None:
            return
        self._killed = self._killed or not _ended(self._process, 0.0)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)  # confined: the first of its pid namespace
        with contextlib.suppress(ProcessLookupError):
            if self._process.pid == self.pid:
                os.killpg(self.pid, signal.SIGKILL)

    def wait(self, seconds: float = 5.0) -> str:
        """Return why it ended, in words; after so many seconds it is killed."""
        if self._reason is None:
            if not _ended(self._process, seconds):
                self.kill()
            _, status, usage = os.wait4(self._process.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            self._process.returncode = code
            self.cpu_s = usage.ru_utime + usage.ru_stime
            self.complaint = os.pread(self._errors, 1 << 16, 0).decode(errors="replace")
            self._reason = self._words(code if self._process.pid == self.pid or code < 128 else 128 - code)
            os.close(self._handle)
            os.close(self._errors)
        return self._reason

    def _words(self, code: int) -> str:
        if self._killed:
            return _KILLED
        if code in (-signal.SIGXCPU, -signal.SIGKILL) and self.cpu_s > 0.8 * self._limits.cpu_s:
            return f"it used up its {self._limits.cpu_s} s of processor time"
        if code == 0:
            return _DONE
        lines = self.complaint.strip().splitlines()
        said = f": {lines[-1][:200]}" if lines else ""
        return (_SIGNALS.get(-code, f"signal {-code}") if code < 0 else f"it left with exit code {code}") + said


_KILLED: Final = "it was ended from outside"
_DONE: Final = "it was done"
_SIGNALS: Final[dict[int, str]] = {
    signal.SIGSYS: "a forbidden system call",
    signal.SIGSEGV: "it crashed (SIGSEGV)",
    signal.SIGBUS: "it crashed (SIGBUS)",
    signal.SIGILL: "an instruction that this processor has not (SIGILL)",
    signal.SIGFPE: "it crashed (SIGFPE)",
    signal.SIGABRT: "it aborted (SIGABRT)",
    signal.SIGKILL: "it was killed, as for want of memory",
    signal.SIGTRAP: "it crashed (SIGTRAP)",
    signal.SIGXFSZ: "it wrote too much",
}


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    handle = os.pidfd_open(process.pid)
    try:
        return _readable(handle, seconds)
    finally:
        os.close(handle)


def _readable(fd: int, seconds: float) -> bool:
    """Whether there is something to read, or a process has ended, within so many seconds."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(1000 * max(0.0, seconds)))


def launch(
    argv: Sequence[str],
    fds: Sequence[int] = (),
    memory_mib: int = 1024,
    cpu_seconds: int = 60,
    confined: bool = True,
    folders: Sequence[str | Path] = (),
    environment: Mapping[str, str] | None = None,
) -> SandboxedProcess:
    """Start a worker that inherits ``fds`` under the same numbers, standard error for its complaint, and nothing else.

    Confined, it sees the system's programs, this Python, this package and ``folders`` (files too), all read-only.
    The memory is what it may write to; the processor time is the whole process's. ``environment``: more variables.
    Raises SandboxError.
    """
    if confined:
        if not detect_isolation().foreign_allowed:
            raise SandboxError(detect_isolation().detail)
        front = _bwrap_prefix(_bwrap(), (sys.base_prefix, _HERE.parent, *folders))
        for name, value in (environment or {}).items():
            front += ["--setenv", name, value]
        front += ["--remount-ro", "/", "--as-pid-1"]
        return _start_paused(
            front, [os.path.realpath(argv[0]), *argv[1:]], fds, Limits(memory_mib, cpu_seconds, 1 / 16)
        )
    return _start(argv, fds, Limits(memory_mib, cpu_seconds, 256), _kept() | _ONE_THREAD | dict(environment or {}))


def _bwrap() -> str:
    return shutil.which("bwrap") or "bwrap"


def _kept() -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


def _start(argv: Sequence[str], fds: Sequence[int], limits: Limits, environment: Mapping[str, str]) -> SandboxedProcess:
    errors = os.memfd_create("errors")
    try:
        process = _spawn(argv, fds, errors, environment)
    except BaseException:
        os.close(errors)
        raise
    limits.impose(process.pid)
    return SandboxedProcess(process, process.pid, limits, errors)


def _start_paused(front: Sequence[str], argv: Sequence[str], fds: Sequence[int], limits: Limits) -> SandboxedProcess:
    """Start bubblewrap, which waits just before it becomes the command, until the limits are imposed."""
    with contextlib.ExitStack() as stack, contextlib.ExitStack() as on_error:
        errors = os.memfd_create("errors")
        on_error.callback(os.close, errors)
        info, info_in, go_out, go = (stack.enter_context(os.fdopen(fd, "wb", 0)) for fd in (*os.pipe(), *os.pipe()))
        held = [*front, "--info-fd", str(info_in.fileno()), "--block-fd", str(go_out.fileno()), "--", *argv]
        process = _spawn(held, [*fds, info_in.fileno(), go_out.fileno()], errors, {})
        on_error.callback(_end, process)
        info_in.close()
        pid = _pid_of(info.fileno(), errors)
        limits.impose(pid)
        os.write(go.fileno(), b"!")
        on_error.pop_all()
        return SandboxedProcess(process, pid, limits, errors)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _spawn(
    argv: Sequence[str], fds: Sequence[int], errors: int, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    nothing = subprocess.DEVNULL
    try:
        return subprocess.Popen(
            argv, stdin=nothing, stdout=nothing, stderr=errors, pass_fds=fds, env=environment, start_new_session=True
        )
    except OSError as error:
        raise SandboxError(f"{argv[0]} does not start: {error}") from None


def _pid_of(info: int, errors: int) -> int:
    """Return the pid that bubblewrap reports of the first process inside, as seen from outside."""
    text = b""
    end = time.monotonic() + _STARTED_S
    while b"}" not in text:
        more = os.read(info, 4096) if _readable(info, end - time.monotonic()) else b""
        if not more:
            said = os.pread(errors, 500, 0).decode(errors="replace").strip()
            raise SandboxError(f"bubblewrap does not start: {said or 'it said nothing'}")
        text += more
    return int(json.loads(text)["child-pid"])


_BUILD_LIMITS: Final = Limits(memory_mib=3072, cpu_s=60, file_mib=64)
_BUILD_S: Final = 90.0


def compile_foreign(source: str, flags: Sequence[str] = ("-march=native",), confined: bool = True) -> Path:
    """Return the shared object of foreign C++, compiled in the sandbox unless it was before; it lies in its own folder.

    Not ``confined``, it is compiled under limits alone; that is for sources that one has written oneself. Raises
    BuildError: no compiler, no sandbox, a refusal, a limit passed, or no symbol ``attention``.
    """
    program = compiler.compiler()
    if program is None:
        raise BuildError("no C++ compiler: install g++, or name one in CXX")
    if confined and not detect_isolation().foreign_allowed:
        raise BuildError(detect_isolation().detail)
    text = source.encode(errors="replace")
    key = compiler.digest(program, flags, text, (compiler.NATIVE / "attention.h").read_bytes())
    beside = compiler.cache_folder()
    target = beside / "foreign" / key[:32] / "candidate.so"
    if not target.exists():
        beside.mkdir(parents=True, exist_ok=True)
        with _compiled(program, text, flags, beside, confined) as made:
            _check(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            made.replace(target)
    return target


@contextlib.contextmanager
def _compiled(program: str, text: bytes, flags: Sequence[str], beside: Path, confined: bool) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=beside) as folder:
        inside, out = Path(folder) / "candidate.cpp", Path(folder) / "out"
        inside.write_bytes(text)
        out.mkdir()
        argv = [program, *compiler.FLAGS, *flags, "-I", str(compiler.NATIVE)]
        if confined:
            front = _bwrap_prefix(_bwrap(), (*_BUILDING, *_compiler_folders(program), compiler.NATIVE))
            front += ["--ro-bind", str(inside), "/candidate.cpp", "--bind", str(out), "/out", "--remount-ro", "/"]
            front += ["--setenv", "TMPDIR", "/out", "--setenv", "PATH", f"{Path(program).parent}:/usr/bin:/bin"]
            _built(lambda: _start_paused(front, [*argv, "/candidate.cpp", "-o", "/out/it.so"], (), _BUILD_LIMITS))
        else:
            argv += [str(inside), "-o", str(out / "it.so")]
            _built(lambda: _start(argv, (), _BUILD_LIMITS, _kept() | {"TMPDIR": str(out)}))
        yield out / "it.so"


def _compiler_folders(program: str) -> list[Path]:
    """Return what a compiler needs that is not the system's: not its whole prefix, which may be somebody's home."""
    found = []
    for path in {Path(program), Path(program).resolve()}:
        prefix = path.parent.parent
        if not prefix.is_relative_to("/usr") and prefix != Path("/"):
            found += [prefix / name for name in ("bin", "lib", "lib64", "libexec", "include")]
            found += prefix.glob("*-linux-gnu")
    return found


def _built(start: Callable[[], SandboxedProcess]) -> None:
    try:
        child = start()
    except SandboxError as error:
        raise BuildError(str(error)) from None
    with child:
        reason = child.wait(_BUILD_S)
    if reason == _KILLED:
        raise BuildError(f"the compiler took longer than {_BUILD_S:g} s")
    if reason != _DONE:
        raise BuildError(compiler.first_error(child.complaint))


def _check(made: Path) -> None:
    """Raise BuildError unless it is a plain file that exports the one symbol."""
    if made.is_symlink() or not made.is_file():
        raise BuildError("the compiler made no shared object")
    if SYMBOL not in elf.exported_functions(made.read_bytes()):
        raise BuildError(f'no symbol {SYMBOL!r}: write  extern "C" int {SYMBOL}(const Attention* a)')
