"""Tests of `asara kernels machine, measure, report, verify` and `worth` on a fake machine with known speed-ups."""

import json
import subprocess
import sys

import pytest

from hardware.kernels.trace import read
from tests.support.kernel_fakes import FakeIsolation, from_json
from tests.support.synthetic_traces import ended, measured, session, trials, write


def test_kernels_without_torch_reports_that_it_is_missing(asara, monkeypatch):
    from experiments.kernels import measurement_sessions

    monkeypatch.setattr(measurement_sessions, "find_spec", lambda name: None)
    answer = asara("kernels", "machine")
    assert (answer.code, answer.out) == (2, "")
    assert "torch is not installed" in answer.err


def test_kernels_on_another_system_reports_that_linux_is_needed(asara, monkeypatch):
    import platform

    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    answer = asara("kernels", "measure")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "asara: kernels can be measured only on Linux, and this system is Darwin\n"


def test_kernels_help_imports_no_heavy_packages():
    script = (
        "import sys; from experiments.cli.app import main; main(['kernels', '--help']);"
        "print([m for m in ('torch', 'mesa', 'numpy', 'matplotlib', 'scipy', 'openai') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"
    for command in ("machine", "measure", "tune", "report", "verify"):
        assert command in shown


# --- machine ---------------------------------------------------------------------------------------------


def test_machine_lists_available_families_and_reasons_for_the_others(asara, world):
    found = from_json(asara("kernels", "machine", "--json"))
    assert found["machine"]["roofline"]["gflops"]["fp32"] == 100
    assert found["families"]["avx512"]["fp32 forward"] is None
    assert found["families"]["avx512"]["bf16 both"] == "it supports fp32, not bf16"
    assert found["isolation"]["foreign_allowed"] is True
    words = " ".join(asara("kernels", "machine").out.split())
    for part in (
        "Imaginary 9000",
        "fp32 100",
        "avx512 is not available for bf16 forward",
        "it supports fp32, not bf16",
        "no network",
    ):
        assert part in words


def test_machine_without_a_compiler_is_reported_and_timing_is_refused(asara, world, tmp_path):
    world.compiler = False
    found = from_json(asara("kernels", "machine", "--json"))
    assert found["machine"]["roofline"] is None
    assert "install g++" in found["roofline_missing"]
    assert "install g++" in asara("kernels", "machine").out
    for command in ("measure", "tune"):
        answer = asara("kernels", command)
        assert (answer.code, answer.out) == (2, "")
        assert "install g++" in answer.err
    assert list(tmp_path.iterdir()) == []


# --- measure ---------------------------------------------------------------------------------------------


def test_measure_reports_every_available_family(asara, world, tmp_path):
    answer = from_json(asara("kernels", "measure", "--workload", "causal", "--out", "t.jsonl", "--json"))
    found = {row["method"]: row for row in answer["rows"]}
    assert list(found) == ["expert library", "eager", "untuned: avx512"]
    assert found["expert library"]["over_eager"]["ratio"] == pytest.approx(2.7)
    assert found["untuned: avx512"]["over_sdpa"]["ratio"] == pytest.approx(0.72)
    assert found["untuned: avx512"]["on_tuned"]["ratio"] == pytest.approx(0.8)
    lines = read(tmp_path / "t.jsonl")
    assert [line.kind for line in lines[:2]] == ["session", "measured"]
    assert lines[1].role == "A/A"
    assert lines[-1].kind == "end"


def test_measure_by_default_takes_all_workloads_and_writes_no_file(asara, world, tmp_path):
    answer = asara("kernels", "measure")
    assert answer.code == 0
    for name in ("short", "long", "causal", "wide", "decode"):
        assert f"{name}/fp32/forward" in answer.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["measure", "--out", "t.jsonl"], ["tune", "--out", "t.jsonl"]])
def test_measure_and_tune_on_a_noisy_machine_give_an_error_and_no_result(asara, world, tmp_path, command):
    world.noisy = True
    answer = asara("kernels", *command)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.count("\n") == 1
    assert "too noisy to resolve 3%" in answer.err
    assert "1.100 [1.050, 1.200]" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_measure_on_a_machine_that_becomes_noisy_reports_earlier_results(asara, world):
    world.noisy_on = ("wide",)
    answer = asara("kernels", "measure")
    assert answer.code == 1
    assert [f"{name}/fp32" in answer.out for name in ("short", "long", "causal", "wide")] == [True, True, True, False]
    assert "too noisy" in answer.err
    answer = asara("kernels", "measure", "--json")
    assert answer.code == 1
    assert {row["workload"].partition("/")[0] for row in json.loads(answer.out)["rows"]} == {"short", "long", "causal"}


def test_measure_after_an_interrupt_reports_earlier_results(asara, world):
    def press(number: int) -> None:
        if number == 6:
            raise KeyboardInterrupt

    world.on_call = press
    answer = asara("kernels", "measure", "--workload", "causal", "--workload", "long")
    assert answer.code == 2
    assert "causal/fp32/forward" in answer.out
    assert answer.err == "asara: interrupted; nothing was written\n"


# --- report ----------------------------------------------------------------------------------------------


@pytest.fixture
def trace(tmp_path):
    lines = []
    for seed in range(3):
        of = session(f"s{seed}", proposer="evolve", budget=8, seed=seed)
        lines += [of, *trials(of, [0.8, None, 1.1, 1.2, None, 1.3, 1.35, 1.4 + seed / 100]), ended(of, 8)]
        lines += measured(of, "winner", "avx512", 1.35, 1.3, eager=3.9, error=1.2, lines=300, tile=8)
    write(tmp_path / "t.jsonl", lines)
    return tmp_path / "t.jsonl"


def test_report_as_json_has_every_table_and_nothing_else(asara, trace):
    found = from_json(asara("kernels", "report", trace, "--json"))
    assert list(found) == ["averages", "rows", "gaps", "fits", "searches", "failures", "forecasts", "noise"]
    assert found["gaps"][0]["gap"]["ratio"] == pytest.approx(1.3)
    assert found["rows"][0]["method"] == "guided search: evolve"
    assert found["fits"][0]["searches"] == 3
    assert found["fits"][0]["curve"]["proposer"] == "evolve"
    assert found["fits"][0]["early"]["value"] > 0
    assert found["fits"][0]["late"] is None
    assert found["failures"][0]["failed"] == pytest.approx(0.25)
    assert [search["tried"] for search in found["searches"]] == [8, 8, 8]


def test_report_prints_tables(asara, trace):
    words = " ".join(asara("kernels", "report", trace).out.split())
    for part in (
        "Imaginary 9000",
        "guided search: evolve",
        "1.30x",
        "1.35x",
        "3.90x",
        "65%",
        "Kernel Gap",
        "significant",
        "Speed-up by number of candidates",
        "3 evolve searches of avx512",
        "25%",
    ):
        assert part in words


@pytest.mark.slow
def test_report_written_twice_gives_the_same_tables_and_figure(asara, trace, tmp_path):
    contents = []
    for name in ("one", "two"):
        assert asara("kernels", "report", trace, "--out", name).code == 0
        contents.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]
    assert sorted(contents[0]) == ["report.json", "searches.png"]
    assert contents[0]["searches.png"].startswith(b"\x89PNG")
    assert json.loads(contents[0]["report.json"]) == from_json(asara("kernels", "report", trace, "--json"))


def test_report_of_two_traces_keeps_sessions_of_one_name_apart(asara, trace, tmp_path):
    (tmp_path / "u.jsonl").write_bytes(trace.read_bytes())
    found = from_json(asara("kernels", "report", trace, tmp_path / "u.jsonl", "--json"))
    assert len(found["searches"]) == 6
    assert found["fits"][0]["searches"] == 6


def test_report_without_searches_has_no_figure(asara, world, tmp_path):
    asara("kernels", "measure", "--workload", "long", "--out", "m.jsonl")
    assert asara("kernels", "report", "m.jsonl", "--out", "r").code == 0
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["report.json"]


def test_report_without_shipped_measurements_needs_a_trace(asara, monkeypatch, tmp_path):
    from experiments.kernels import full_report

    monkeypatch.setattr(full_report, "BUNDLED_MEASUREMENTS_DIR", tmp_path)
    answer = asara("kernels", "report")
    assert (answer.code, answer.out) == (2, "")
    assert "name a trace" in answer.err


# --- verify ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "code", "right", "safe", "words"),
    [
        ("int fine;", 0, True, True, "is 1.80x"),
        ("int slow;", 0, True, True, "No significant gain"),
        ("fork();", 1, None, False, "The speed was not measured"),
        ("crash();", 1, False, None, "The speed was not measured"),
        ("forged();", 1, None, False, "The speed was not measured"),
        ("broken", 1, None, None, "The speed was not measured"),
    ],
)
def test_verify_reports_correctness_safety_and_speed(asara, world, tmp_path, source, code, right, safe, words):
    (tmp_path / "k.cpp").write_text(source)
    answer = asara("kernels", "verify", "k.cpp", "--json")
    assert (answer.code, answer.err) == (code, "")
    (verdict,) = json.loads(answer.out)["verdicts"]
    assert (verdict["right"], verdict["safe"]) == (right, safe)
    assert words in verdict["sentence"]
    answer = asara("kernels", "verify", "k.cpp")
    assert answer.code == code
    assert words in answer.out
    assert "bubblewrap: no network" in answer.out


def test_verify_on_a_noisy_machine_stops_before_the_source_runs(asara, world, tmp_path):
    world.noisy_on = ("long",)
    (tmp_path / "k.cpp").write_text("int fine;")
    answer = asara("kernels", "verify", "k.cpp", "--workload", "causal", "--workload", "long", "--json")
    assert answer.code == 1
    assert [each["workload"] for each in json.loads(answer.out)["verdicts"]] == ["causal/fp32/forward"]
    assert "too noisy" in answer.err
    again = asara("kernels", "verify", "k.cpp", "--workload", "long")
    assert (again.code, again.out) == (1, "")
    assert len(world.seen) == 1


def test_verify_without_a_sandbox_runs_no_untrusted_source(asara, world, tmp_path):
    world.isolation = FakeIsolation("process", "untrusted source is refused: install bubblewrap", False)
    (tmp_path / "k.cpp").write_text("int fine;")
    answer = asara("kernels", "verify", "k.cpp")
    assert (answer.code, answer.out) == (2, "")
    assert "install bubblewrap" in answer.err
    assert world.seen == []


# --- worth -----------------------------------------------------------------------------------------------


@pytest.fixture
def pairs(monkeypatch):
    from experiments.kernels import actions
    from experiments.kernels.kernel_value import KernelValue, PairedGain

    found = KernelValue(
        "lab",
        "t",
        "ab" * 32,
        (0, 1),
        3,
        PairedGain(2.0, 1.0, 3.0, (1.5, 2.5)),
        None,
        None,
        {"horizon": (2, 2)},
        1.1,
        4,
        "4 evolve searches of amx",
        "Nearer.",
    )
    asked = []

    def worth(scenario, seeds, on_progress, should_stop):
        asked.append((scenario.name, list(seeds)))
        return found

    monkeypatch.setattr(actions, "estimate_kernel_value", worth)
    return asked


def test_worth_prints_the_kernel_value(asara, pairs):
    found = from_json(asara("kernels", "worth", "--seeds", 2, "--json"))
    assert pairs == [("lab", [0, 1])]
    assert found["to_doubling"] == {"days": 2.0, "low": 1.0, "high": 3.0, "each": [1.5, 2.5], "drawn_again": []}
    words = " ".join(asara("kernels", "worth").out.split())
    assert words.startswith("Nearer.")
    assert (
        "4 evolve searches of amx): at the end of the runs, kernels multiply the cluster's work rate by 1.100." in words
    )


def test_report_with_only_shows_the_named_workload(asara):
    found = from_json(asara("kernels", "report", "--only", "causal/bf16/both", "--json"))
    assert {row["workload"] for row in found["rows"]} == {"causal/bf16/both"}
    wrong = asara("kernels", "report", "--only", "causal/bf16")
    assert wrong.code == 2
    assert "allowed: causal/bf16/both, " in wrong.err
