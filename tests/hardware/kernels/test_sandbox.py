"""Tests of the sandbox: what untrusted code can access, how processes end, and compile errors."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from hardware.kernels import compiler, elf, sandbox, seccomp
from hardware.kernels.candidate import Candidate
from hardware.kernels.compiler import BuildError
from hardware.kernels.problem import Problem
from hardware.kernels.registry import family
from hardware.kernels.sandbox import SandboxError, compile_untrusted, launch

ROOT = Path(__file__).parents[3]
KILL_PROCESS = 0x80000000  # SECCOMP_RET_KILL_PROCESS of Linux
EMPTY_KERNEL = 'extern "C" int attention(const void*) { return 0; }'
LOCK = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); from hardware.kernels import seccomp; seccomp.install_filter()\n"
)

needs_compiler = pytest.mark.skipif(compiler.find_compiler() is None, reason="there is no C++ compiler")
needs_seccomp = pytest.mark.skipif(not seccomp.is_available(), reason="this kernel or processor has no seccomp filter")


@pytest.fixture(params=[True, False], ids=["bubblewrap", "process"])
def confined(request) -> bool:
    if request.param and not sandbox.detect_isolation().untrusted_allowed:
        pytest.skip(sandbox.detect_isolation().detail)
    return bool(request.param)


@pytest.fixture
def bubblewrap() -> None:
    if not sandbox.detect_isolation().untrusted_allowed:
        pytest.skip(sandbox.detect_isolation().detail)


def end_of(code: str, *, confined: bool, seconds: float = 20.0, **limits) -> tuple[str, sandbox.SandboxedProcess]:
    """Return why a Python process ended, and what is left of it."""
    with launch([sys.executable, "-I", "-S", "-c", code], confined=confined, **limits) as child:
        return child.wait(seconds), child


def output_of(code: str, *, confined: bool = True) -> str:
    reason, child = end_of(f"import sys, os\ndef say(x): sys.stderr.write(str(x))\n{code}", confined=confined)
    assert reason == "it was done"
    return child.stderr_text


# How it ends


def test_wait_for_a_successful_process_returns_done(confined):
    assert end_of("1", confined=confined)[0] == "it was done"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os._exit(5)", "it left with exit code 5"),
        ("import ctypes; ctypes.string_at(0)", "it crashed (SIGSEGV)"),
        ("x = bytearray(1 << 30)", "it left with exit code 1: MemoryError"),
        ("import mmap; mmap.mmap(-1, 1 << 40)", "it left with exit code 1: OSError: [Errno 12] Cannot allocate memory"),
    ],
)
def test_wait_describes_the_reason_of_the_end(code, reason, confined):
    assert end_of(code, confined=confined, memory_mib=200)[0] == reason


def test_sandbox_limits_processor_time(confined):
    reason, child = end_of("while True: pass", confined=confined, cpu_seconds=1)
    assert reason == "it used up its 1 s of processor time"
    assert 0.8 < child.cpu_s < 2


def test_kill_ends_the_process_and_its_children(confined):
    here, there = os.pipe()
    code = f"import os, time\nfor _ in range(3): os.fork()\nos.write({there}, b'!')\ntime.sleep(1000)"
    with launch([sys.executable, "-I", "-S", "-c", code], [there], confined=confined) as child:
        os.close(there)
        assert os.read(here, 1) == b"!"
        child.kill()
        assert child.wait() == "it was ended from outside"
        child.kill()
    while os.read(here, 100):
        pass  # until the last of its processes has let go of the pipe
    os.close(here)


def test_wait_kills_a_process_after_its_timeout(confined):
    assert end_of("import time; time.sleep(1000)", confined=confined, seconds=0.05)[0] == "it was ended from outside"


def test_sandbox_limits_stderr_text(confined):
    reason, child = end_of("import sys; sys.stderr.write('no ' * 100_000)", confined=confined)
    assert child.stderr_text.startswith("no no")
    assert len(child.stderr_text) <= 1 << 16
    assert (reason == "it was done") is not confined


def test_processor_time_of_a_process_is_readable_from_outside(confined):
    begin, go = os.pipe()
    done, end = os.pipe()
    spin = "t = time.process_time_ns()\nwhile time.process_time_ns() < t + 30_000_000: pass"
    wait = f"os.read({begin}, 1)"
    code = f"import os, time\n{wait}\n{spin}\nos.write({end}, b'!')\n{wait}"
    with launch([sys.executable, "-I", "-S", "-c", code], [begin, end], confined=confined) as child:
        before = time.clock_gettime_ns(child.clock_id)
        os.write(go, b"!")
        os.read(done, 1)
        assert time.clock_gettime_ns(child.clock_id) - before >= 30_000_000
        os.write(go, b"!")
    for each in (begin, go, done, end):
        os.close(each)


def test_start_of_a_missing_program_is_reported():
    with pytest.raises(SandboxError, match="does not start"):
        launch(["/nowhere/at-all"], confined=False)


@pytest.mark.usefixtures("bubblewrap")
def test_sandbox_with_a_missing_program_reports_it():
    with launch(["/nowhere/at-all"]) as child:
        assert "No such file" in child.wait()


# What it sees


def test_sandbox_clears_the_environment(confined, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "mellon")
    assert "SECRET_KEY" not in output_of("say(list(os.environ))", confined=confined)


def test_process_computes_with_one_thread():
    assert output_of("say(os.environ['OMP_NUM_THREADS'])", confined=False) == "1"


@pytest.mark.usefixtures("bubblewrap")
class TestBubblewrap:
    def test_sandbox_shows_no_other_process(self):
        assert output_of("say(os.getpid())") == "1"

    def test_sandbox_shows_python_and_the_given_folders(self, tmp_path):
        (tmp_path / "shown").write_text("content")
        look = f"say(open({str(tmp_path / 'shown')!r}).read())"
        code = f"import sys\ndef say(x): sys.stderr.write(x)\n{look}"
        with launch([sys.executable, "-I", "-S", "-c", code], folders=[tmp_path]) as child:
            child.wait()
        assert child.stderr_text == "content"
        with launch([sys.executable, "-I", "-S", "-c", code]) as child:
            assert "FileNotFoundError" in child.wait()

    def test_sandbox_hides_other_folders(self):
        hidden = "'/etc', '/proc', '/sys', '/dev', '/home', '/var', '/tests'"
        assert output_of(f"say([each for each in ({hidden}) if os.path.exists(each)])") == "[]"

    def test_sandbox_prevents_writing(self, tmp_path):
        tries = [f"{folder}/x" for folder in ("", "/usr", "/tmp", ROOT / "hardware", tmp_path)]
        code = f"for each in {tries!r}:\n try: open(each, 'w'); say(each)\n except OSError: pass"
        assert output_of(code) == ""

    def test_sandbox_has_no_network(self):
        code = "import socket\ntry: socket.create_connection(('127.0.0.1', 1), 1)\nexcept OSError as error: say(error)"
        lines = output_of(code)
        assert "refused" in lines or "unreachable" in lines

    def test_sandbox_passes_only_the_given_descriptors(self):
        here, there = os.pipe()
        os.set_inheritable(here, True)
        code = "def there(fd):\n try: return bool(os.fstat(fd))\n except OSError: return False\n"
        with launch(
            [
                sys.executable,
                "-I",
                "-S",
                "-c",
                f"import os, sys\n{code}sys.stderr.write(str([fd for fd in range(3, 999) if there(fd)]))",
            ],
            [there],
        ) as child:
            child.wait()
        os.close(here)
        os.close(there)
        assert child.stderr_text == f"[{there}]"

    def test_sandbox_process_ends_with_its_parent(self, tmp_path):
        """Killing the parent ends the worker."""
        code = (
            f"import os, sys; sys.path.insert(0, {str(ROOT)!r})\n"
            "from hardware.kernels.sandbox import launch\n"
            "here, there = os.pipe()\n"
            "spin = f'import os, time; os.write({there}, bytes(1)); time.sleep(1000)'\n"
            "child = launch([sys.executable, '-I', '-S', '-c', spin], [there])\n"
            "os.read(here, 1)\n"
            "print(child.pid, flush=True)\n"
            "sys.stdin.read()"
        )
        pipe = subprocess.PIPE
        with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as parent:
            pid = int(parent.stdout.readline())
            handle = os.pidfd_open(pid)
            parent.kill()
        assert select.select([handle], [], [], 20.0)[0]
        os.close(handle)


# The lock


@needs_seccomp
@pytest.mark.parametrize(
    "allowed",
    [
        "ctypes.CDLL('libm.so.6')",
        "mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)",
        "time.sleep(0); time.monotonic(); time.process_time()",
        "os.urandom(8); os.getpid(); os.write(2, b'')",
        "os.close(os.open('/usr', os.O_RDONLY))",
        "x = bytearray(1 << 26); del x",
    ],
)
def test_filtered_process_can_compute(allowed, confined):
    modules = "import ctypes, mmap, time, os\n"
    reason, child = end_of(modules + LOCK + allowed, confined=confined)
    assert reason == "it was done", child.stderr_text


@needs_seccomp
@pytest.mark.parametrize(
    "forbidden",
    [
        "socket.socket()",
        "os.fork()",
        "_thread.start_new_thread(print, ())",
        "os.execv('/bin/true', ['true'])",
        "os.open('/tmp/asara-was-here', os.O_WRONLY | os.O_CREAT)",
        "os.open('/tmp', os.O_RDWR | os.O_TMPFILE)",
        "os.kill(1, 0)",
        "os.memfd_create('x')",
        "os.write(1, b'x')",
        "os.mkdir('/tmp/asara-was-here')",
        "os.nice(1)",
        "mmap.mmap(-1, 4096)",
        "signal.setitimer(signal.ITIMER_REAL, 1)",
        "resource.setrlimit(resource.RLIMIT_CPU, (9, 9))",
        "os.pipe()",
    ],
)
def test_filtered_process_is_killed_for_other_calls(forbidden, confined):
    modules = "import os, _thread, mmap, signal, socket, resource\n"
    reason, child = end_of(modules + LOCK + forbidden, confined=confined)
    assert reason.startswith("a forbidden system call"), child.stderr_text


def test_filter_on_an_unknown_processor_raises(monkeypatch):
    monkeypatch.setattr(seccomp.os, "uname", lambda: SimpleNamespace(machine="z80"))
    assert not seccomp.is_available()
    with pytest.raises(OSError, match="no list of system calls for z80"):
        seccomp.install_filter()


@pytest.mark.parametrize("name", ["x86_64", "aarch64"])
def test_filter_program_always_ends_in_an_action(name):
    code = seccomp.filter_program(name, (7, 9), pid=1)
    assert len(code) < 4096
    assert all(at + 1 + max(yes, no) < len(code) for at, (kind, yes, no, _) in enumerate(code) if kind != 0x06)
    assert code[-1] == (0x06, 0, 0, KILL_PROCESS)


# What there is


@pytest.fixture
def fresh_isolation():
    sandbox.detect_isolation.cache_clear()
    yield
    sandbox.detect_isolation.cache_clear()


@pytest.mark.usefixtures("fresh_isolation")
class TestMissingIsolation:
    def test_untrusted_source_without_bubblewrap_is_refused_with_advice(self, monkeypatch, machine):
        monkeypatch.setenv("PATH", "/nowhere")
        found = sandbox.detect_isolation()
        assert (found.name, found.untrusted_allowed) == ("process", False)
        assert "install bubblewrap" in found.detail
        assert "install bubblewrap" in family("foreign").unavailable_reason(
            machine, Problem("fp32", "forward", causal=False)
        )
        with pytest.raises(SandboxError, match="install bubblewrap"):
            launch([sys.executable])

    @needs_compiler
    def test_untrusted_source_without_bubblewrap_is_not_compiled(self, monkeypatch):
        monkeypatch.setattr(sandbox, "bubblewrap_problem", lambda: "install bubblewrap")
        with pytest.raises(BuildError, match="install bubblewrap"):
            compile_untrusted(EMPTY_KERNEL)

    def test_isolation_with_a_failing_bubblewrap_reports_the_reason(self, monkeypatch, tmp_path):
        (tmp_path / "bwrap").write_text("#!/bin/sh\necho no user namespaces >&2\nexit 1\n")
        (tmp_path / "bwrap").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        assert "does not work here (no user namespaces)" in sandbox.detect_isolation().detail

    def test_isolation_without_seccomp_refuses_untrusted_source(self, monkeypatch):
        monkeypatch.setattr(seccomp, "is_available", lambda: False)
        monkeypatch.setattr(sandbox, "bubblewrap_problem", lambda: None)
        found = sandbox.detect_isolation()
        assert not found.untrusted_allowed
        assert "seccomp" in found.detail


# The compiler


@needs_compiler
@pytest.mark.usefixtures("bubblewrap")
def test_untrusted_source_is_compiled_once(tmp_path, monkeypatch):
    monkeypatch.setenv("ASARA_CACHE", str(tmp_path))
    made = compile_untrusted(EMPTY_KERNEL)
    assert "attention" in elf.exported_functions(made.read_bytes())
    first = made.stat().st_mtime_ns
    assert compile_untrusted(EMPTY_KERNEL) == made
    assert made.stat().st_mtime_ns == first
    assert [each.name for each in made.parent.iterdir()] == [made.name]
    assert len(list(made.parent.parent.iterdir())) == 1
    assert compile_untrusted(EMPTY_KERNEL + "\n") != made


@needs_compiler
@pytest.mark.usefixtures("bubblewrap")
def test_compiler_that_takes_too_long_is_killed(tmp_path, monkeypatch):
    monkeypatch.setenv("ASARA_CACHE", str(tmp_path))
    monkeypatch.setattr(sandbox, "BUILD_TIMEOUT_SECONDS", 0.0)
    with pytest.raises(BuildError, match="longer than 0 s"):
        compile_untrusted(EMPTY_KERNEL)
    assert list(tmp_path.iterdir()) == []


@needs_compiler
def test_trusted_source_is_compiled_without_bubblewrap(tmp_path, monkeypatch):
    monkeypatch.setenv("ASARA_CACHE", str(tmp_path))
    assert compile_untrusted(EMPTY_KERNEL, confined=False).exists()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BuildError, match="error"):
        compile_untrusted("int f() {", confined=False)
    assert sorted(tmp_path.rglob("*")) == before


def test_compile_without_a_compiler_raises(monkeypatch):
    monkeypatch.setattr(compiler, "find_compiler", lambda: None)
    with pytest.raises(BuildError, match="install g"):
        compile_untrusted(EMPTY_KERNEL)


def test_untrusted_source_is_never_loaded_in_this_process():
    found, problem = family("foreign"), Problem("fp32", "forward", causal=False)
    with pytest.raises(BuildError, match="sandbox only"):
        found.kernel(Candidate("foreign", (), EMPTY_KERNEL), problem)
    with pytest.raises(BuildError, match="no source"):
        found.library(Candidate("foreign", (), " \n"), problem)


@pytest.mark.parametrize(
    "content", [b"", b"\x7fELF", b"\x7fELF\x02\x01" + bytes(10), b"\x7fELF\x02\x01" + b"\xff" * 500]
)
def test_exported_functions_of_other_files_are_empty(content):
    assert elf.exported_functions(content) == frozenset()
