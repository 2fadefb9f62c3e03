"""Tests of the description of a machine, its roofline, and objects built for another machine."""

import re
import subprocess

import pytest

from hardware.kernels import compiler, cpu, machine
from hardware.kernels.compiler import BuildError
from hardware.kernels.sandbox import compile_untrusted

needs_compiler = pytest.mark.skipif(compiler.find_compiler() is None, reason="there is no C++ compiler")
SMALL = 'extern "C" int attention(const void*) { return 1; }\n'


@pytest.fixture
def other_processor(monkeypatch):
    def become(**fields):
        here = cpu.cpu_info()
        monkeypatch.setattr(cpu, "cpu_info", lambda: here | fields)
        cpu.identity.cache_clear()

    yield become
    cpu.identity.cache_clear()


def cache(folder, index, **files):
    (folder / index).mkdir()
    for name, text in files.items():
        (folder / index / name).write_text(text + "\n")


def test_cache_of_unknown_size_is_left_out(tmp_path, monkeypatch):
    cache(tmp_path, "index0", level="1", type="Data", size="48K")
    cache(tmp_path, "index1", level="2", type="Unified")
    cache(tmp_path, "index2", level="3", type="Unified", size="unknown")
    monkeypatch.setattr(machine, "CACHES_FOLDER", tmp_path)
    assert machine.detect_machine(roofline=False).caches_kib == {"L1d": 48}


@needs_compiler
@pytest.mark.parametrize("field", [{"model name": "another"}, {"flags": "fpu sse2"}, {"Features": "asimd"}])
def test_object_built_for_another_processor_is_not_used(tmp_path, monkeypatch, other_processor, field):
    monkeypatch.setenv("ASARA_CACHE", str(tmp_path))
    source = tmp_path / "small.cpp"
    source.write_text(SMALL)
    here = compiler.build(source), compile_untrusted(SMALL, confined=False)
    other_processor(**field)
    there = compiler.build(source), compile_untrusted(SMALL, confined=False)
    assert not set(here) & set(there)
    assert there == (compiler.build(source), compile_untrusted(SMALL, confined=False))


@needs_compiler
def test_concurrent_builds_of_the_same_object_succeed(tmp_path, monkeypatch):
    """Another build ends during this one: both return the same complete file, and no other file is left."""
    monkeypatch.setenv("ASARA_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "small.cpp"
    source.write_text(SMALL)
    run, built = subprocess.run, []

    def meanwhile(command, **options):
        if str(source) in command:
            monkeypatch.setattr(subprocess, "run", run)
            built.append(compiler.build(source))
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", meanwhile)
    assert [compiler.build(source)] == built == list((tmp_path / "cache").iterdir())


def measure_by(monkeypatch, folder, script):
    """Replace the process that measures the rates by a shell script."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(compiler, "build", lambda *_: "none.so")
    monkeypatch.setattr(machine.sys, "executable", str(program))


@pytest.mark.parametrize(
    ("program", "complaint"),
    [("echo Illegal instruction >&2; exit 1", "Illegal instruction"), ("exit 3", "exit status 3")],
)
def test_roofline_that_fails_is_reported_in_one_sentence(monkeypatch, tmp_path, program, complaint):
    measure_by(monkeypatch, tmp_path, program)
    with pytest.raises(BuildError, match=f"the roofline cannot be measured: .*{complaint}"):
        machine.measure_roofline()


def test_roofline_that_takes_too_long_raises(monkeypatch):
    def late(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(compiler, "build", lambda *_: "none.so")
    monkeypatch.setattr(subprocess, "run", late)
    with pytest.raises(BuildError, match="the roofline cannot be measured in 60 s"):
        machine.measure_roofline()


def test_roofline_rates_are_assigned_to_their_names(monkeypatch, tmp_path):
    measure_by(monkeypatch, tmp_path, "echo 1.0 8.0 2.0 0.5")
    found = machine.measure_roofline()
    assert (found.gflops, found.copy_gbs) == ({"fp32": 1.0, "bf16": 8.0, "fp16": 2.0}, 0.5)


@needs_compiler
@pytest.mark.parametrize(
    ("processor_name", "there", "absent"),
    [
        ("sapphirerapids", {"tdpbf16ps", "vdpbf16ps", "vfmadd ph"}, set()),
        ("cooperlake", {"vdpbf16ps"}, {"tdpbf16ps", "vfmadd ph"}),
        ("skylake-avx512", {"vfmadd ps"}, {"tdpbf16ps", "vdpbf16ps", "vfmadd ph"}),
    ],
)
def test_roofline_rates_of_16_bit_dtypes_are_those_of_their_units(processor_name, there, absent):
    """The compiler's output holds the instructions that each kind of processor has for fp16 and bf16, and no others."""
    command = [compiler.find_compiler(), *compiler.FLAGS, f"-march={processor_name}", "-S", "-o", "-"]
    done = subprocess.run(
        [*command, str(compiler.NATIVE_DIR / "roofline.cpp")], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        pytest.skip(f"the compiler makes no code for {processor_name}")
    found = {
        re.sub(r"(?<=vfmadd)\d+", " ", word)
        for word in re.findall(r"^\s*(vfmadd\d+p[sh]|[vt]dpbf16ps)\b", done.stdout, re.MULTILINE)
    }
    assert there <= found
    assert not absent & found
