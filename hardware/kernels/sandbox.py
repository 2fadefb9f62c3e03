"""Compile and run untrusted code in bubblewrap, with resource limits, without network and writable files.

Workers with untrusted source run in bubblewrap; workers with families of this package are plain processes. Both have
limits on memory and processor time, a cleared environment, and only the file descriptors that they need. A confined
worker also installs a system-call filter, ``seccomp.install_filter``, when it is ready.
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

_PACKAGE: Final = Path(__file__).parent
_SYSTEM_FOLDERS: Final = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/nix/store", "/gnu/store")
_BUILD_FILES: Final = ("/etc/alternatives", "/etc/ld.so.cache")
_INHERITED_VARIABLES: Final = (
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
_SINGLE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
_MIB: Final = 1 << 20
_SHARED_MIB: Final = 4096
"""Address space beyond the memory limit, for libraries, inputs and outputs [MiB]."""
_START_TIMEOUT_SECONDS: Final = 20.0
_PROBE_TIMEOUT_SECONDS: Final = 10.0


class IsolationLevel(NamedTuple):
    """The isolation between untrusted source and the machine."""

    name: str
    """``bubblewrap`` or ``process``."""
    detail: str
    """Description of the parts of the isolation, and of what is missing."""
    untrusted_allowed: bool


class SandboxError(Exception):
    """A process could not be started in the sandbox; the message gives the reason."""


@cache
def detect_isolation() -> IsolationLevel:
    """Return the isolation that this machine supports; it is tested once."""
    locked = seccomp.is_available()
    missing = bubblewrap_problem()
    if missing is None and locked:
        detail = "bubblewrap: no network, no writable files, no other processes visible; resource limits; seccomp"
        return IsolationLevel("bubblewrap", detail, True)
    has = "a separate process, resource limits" + (", seccomp" if locked else "")
    lacks = missing or "this kernel or processor has no seccomp filter"
    detail = f"{has}; untrusted source is refused: {lacks}"
    return IsolationLevel("process", detail, False)


def bubblewrap_problem() -> str | None:
    """Return why bubblewrap cannot be used here; None if it works."""
    program = shutil.which("bwrap")
    if program is None:
        return "install bubblewrap (the program bwrap is missing)"
    try:
        command = [*_bwrap_prefix(program, ()), "--", shutil.which("true") or "/bin/true"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PROBE_TIMEOUT_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not work here ({error})"
    message = done.stderr.strip().splitlines()
    return f"bubblewrap does not work here ({message[0] if message else done.returncode})" if done.returncode else None


def _bwrap_prefix(program: str, readable: Sequence[str | Path]) -> list[str]:
    """Return the start of a command that runs in a separate, read-only root."""
    command = [program, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for path in (*_SYSTEM_FOLDERS, *readable):
        command += ["--ro-bind-try", str(path), str(path)]
    return [*command, "--uid", "65534", "--gid", "65534", "--hostname", "sandbox", "--chdir", "/"]


class Limits(NamedTuple):
    """Resource limits of a process; the memory limit excludes inputs and outputs in shared memory."""

    memory_mib: int
    cpu_s: int
    file_mib: float
    """Largest file, including standard error [MiB]."""

    def apply_to(self, pid: int) -> None:
        """Set the limits of a process from outside."""
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
    """A started process. Call :meth:`wait`, or use it as a context that ends the process.

    ``pid``: process id of the worker in the namespace of this process, which is needed to read its clock.
    """

    def __init__(self, process: subprocess.Popen[bytes], pid: int, limits: Limits, errors: int) -> None:
        self.pid = pid
        self.cpu_s = 0.0
        """Processor time after :meth:`wait` has returned [s]."""
        self.stderr_text = ""
        """First 64 KiB of standard error, after :meth:`wait` has returned."""
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
    def clock_id(self) -> int:
        """Id of the processor clock over all threads, for ``time.clock_gettime_ns``."""
        return (~self.pid << 3) | 2

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._reason is not None or _has_ended(self._process, 0.0)

    def kill(self) -> None:
        """Kill the process and all processes that it started; do nothing if it has ended."""
        if self._reason is not None:
            return
        self._killed = self._killed or not _has_ended(self._process, 0.0)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)  # confined: process 1 of its pid namespace
        with contextlib.suppress(ProcessLookupError):
            if self._process.pid == self.pid:
                os.killpg(self.pid, signal.SIGKILL)

    def wait(self, seconds: float = 5.0) -> str:
        """Wait for the end and return its reason; kill the process after ``seconds``."""
        if self._reason is None:
            if not _has_ended(self._process, seconds):
                self.kill()
            _, status, usage = os.wait4(self._process.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            self._process.returncode = code
            self.cpu_s = usage.ru_utime + usage.ru_stime
            self.stderr_text = os.pread(self._errors, 1 << 16, 0).decode(errors="replace")
            self._reason = self._exit_reason(code if self._process.pid == self.pid or code < 128 else 128 - code)
            os.close(self._handle)
            os.close(self._errors)
        return self._reason

    def _exit_reason(self, code: int) -> str:
        if self._killed:
            return _KILLED
        if code in (-signal.SIGXCPU, -signal.SIGKILL) and self.cpu_s > 0.8 * self._limits.cpu_s:
            return f"it used up its {self._limits.cpu_s} s of processor time"
        if code == 0:
            return _DONE
        lines = self.stderr_text.strip().splitlines()
        message = f": {lines[-1][:200]}" if lines else ""
        return (_SIGNALS.get(-code, f"signal {-code}") if code < 0 else f"it left with exit code {code}") + message


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


def _has_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    handle = os.pidfd_open(process.pid)
    try:
        return _wait_readable(handle, seconds)
    finally:
        os.close(handle)


def _wait_readable(fd: int, seconds: float) -> bool:
    """Wait until data can be read or a process has ended; return False after ``seconds``."""
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
    """Start a worker that inherits only ``fds``, with the same numbers, and a file for standard error.

    A confined worker sees the system's programs, this Python, this package, and ``folders`` (or files), all read-only.
    The memory limit applies to writable memory, the processor time to the whole process. ``environment``: additional
    variables. Raises SandboxError.
    """
    if confined:
        if not detect_isolation().untrusted_allowed:
            raise SandboxError(detect_isolation().detail)
        front = _bwrap_prefix(_bwrap(), (sys.base_prefix, _PACKAGE.parent, *folders))
        for name, value in (environment or {}).items():
            front += ["--setenv", name, value]
        front += ["--remount-ro", "/", "--as-pid-1"]
        return _start_paused(
            front, [os.path.realpath(argv[0]), *argv[1:]], fds, Limits(memory_mib, cpu_seconds, 1 / 16)
        )
    return _start(
        argv,
        fds,
        Limits(memory_mib, cpu_seconds, 256),
        _inherited_environment() | _SINGLE_THREAD | dict(environment or {}),
    )


def _bwrap() -> str:
    return shutil.which("bwrap") or "bwrap"


def _inherited_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ}


def _start(argv: Sequence[str], fds: Sequence[int], limits: Limits, environment: Mapping[str, str]) -> SandboxedProcess:
    errors = os.memfd_create("errors")
    try:
        process = _spawn(argv, fds, errors, environment)
    except BaseException:
        os.close(errors)
        raise
    limits.apply_to(process.pid)
    return SandboxedProcess(process, process.pid, limits, errors)


def _start_paused(front: Sequence[str], argv: Sequence[str], fds: Sequence[int], limits: Limits) -> SandboxedProcess:
    """Start bubblewrap, and set the limits before it starts the command."""
    with contextlib.ExitStack() as stack, contextlib.ExitStack() as on_error:
        errors = os.memfd_create("errors")
        on_error.callback(os.close, errors)
        info, info_in, go_out, go = (stack.enter_context(os.fdopen(fd, "wb", 0)) for fd in (*os.pipe(), *os.pipe()))
        command = [*front, "--info-fd", str(info_in.fileno()), "--block-fd", str(go_out.fileno()), "--", *argv]
        process = _spawn(command, [*fds, info_in.fileno(), go_out.fileno()], errors, {})
        on_error.callback(_kill_and_wait, process)
        info_in.close()
        pid = _pid_of(info.fileno(), errors)
        limits.apply_to(pid)
        os.write(go.fileno(), b"!")
        on_error.pop_all()
        return SandboxedProcess(process, pid, limits, errors)


def _kill_and_wait(process: subprocess.Popen[bytes]) -> None:
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
    """Return the pid of the first process in bubblewrap, in the namespace of this process."""
    text = b""
    end = time.monotonic() + _START_TIMEOUT_SECONDS
    while b"}" not in text:
        more = os.read(info, 4096) if _wait_readable(info, end - time.monotonic()) else b""
        if not more:
            message = os.pread(errors, 500, 0).decode(errors="replace").strip()
            raise SandboxError(f"bubblewrap does not start: {message or 'no error message'}")
        text += more
    return int(json.loads(text)["child-pid"])


_BUILD_LIMITS: Final = Limits(memory_mib=3072, cpu_s=60, file_mib=64)
BUILD_TIMEOUT_SECONDS: Final = 90.0


def compile_untrusted(source: str, flags: Sequence[str] = ("-march=native",), confined: bool = True) -> Path:
    """Return the shared object of untrusted C++, in a separate folder; compile it in the sandbox unless it is cached.

    ``confined=False`` compiles with resource limits only; use it only for source that you wrote. Raises BuildError
    without a compiler or sandbox, and if the build fails, exceeds a limit or lacks the symbol ``attention``.
    """
    program = compiler.find_compiler()
    if program is None:
        raise BuildError("no C++ compiler: install g++, or name one in CXX")
    if confined and not detect_isolation().untrusted_allowed:
        raise BuildError(detect_isolation().detail)
    text = source.encode(errors="replace")
    key = compiler.build_digest(program, flags, text, (compiler.NATIVE_DIR / "attention.h").read_bytes())
    beside = compiler.cache_folder()
    target = beside / "foreign" / key[:32] / "candidate.so"
    if not target.exists():
        beside.mkdir(parents=True, exist_ok=True)
        with _compile_to_temporary(program, text, flags, beside, confined) as made:
            _check_shared_object(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            made.replace(target)
    return target


@contextlib.contextmanager
def _compile_to_temporary(
    program: str, text: bytes, flags: Sequence[str], beside: Path, confined: bool
) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=beside) as folder:
        inside, out = Path(folder) / "candidate.cpp", Path(folder) / "out"
        inside.write_bytes(text)
        out.mkdir()
        argv = [program, *compiler.FLAGS, *flags, "-I", str(compiler.NATIVE_DIR)]
        if confined:
            front = _bwrap_prefix(_bwrap(), (*_BUILD_FILES, *_compiler_folders(program), compiler.NATIVE_DIR))
            front += ["--ro-bind", str(inside), "/candidate.cpp", "--bind", str(out), "/out", "--remount-ro", "/"]
            front += ["--setenv", "TMPDIR", "/out", "--setenv", "PATH", f"{Path(program).parent}:/usr/bin:/bin"]
            _run_compiler(
                lambda: _start_paused(front, [*argv, "/candidate.cpp", "-o", "/out/it.so"], (), _BUILD_LIMITS)
            )
        else:
            argv += [str(inside), "-o", str(out / "it.so")]
            _run_compiler(lambda: _start(argv, (), _BUILD_LIMITS, _inherited_environment() | {"TMPDIR": str(out)}))
        yield out / "it.so"


def _compiler_folders(program: str) -> list[Path]:
    """Return the folders that a compiler outside /usr needs, not its whole prefix, which may be a home folder."""
    found = []
    for path in {Path(program), Path(program).resolve()}:
        prefix = path.parent.parent
        if not prefix.is_relative_to("/usr") and prefix != Path("/"):
            found += [prefix / name for name in ("bin", "lib", "lib64", "libexec", "include")]
            found += prefix.glob("*-linux-gnu")
    return found


def _run_compiler(start: Callable[[], SandboxedProcess]) -> None:
    try:
        child = start()
    except SandboxError as error:
        raise BuildError(str(error)) from None
    with child:
        reason = child.wait(BUILD_TIMEOUT_SECONDS)
    if reason == _KILLED:
        raise BuildError(f"the compiler took longer than {BUILD_TIMEOUT_SECONDS:g} s")
    if reason != _DONE:
        raise BuildError(compiler.first_error(child.stderr_text))


def _check_shared_object(made: Path) -> None:
    """Raise BuildError unless the object is a regular file that exports the symbol ``attention``."""
    if made.is_symlink() or not made.is_file():
        raise BuildError("the compiler made no shared object")
    if SYMBOL not in elf.exported_functions(made.read_bytes()):
        raise BuildError(f'no symbol {SYMBOL!r}: write  extern "C" int {SYMBOL}(const Attention* a)')
