"""Tests of `asara kernels tune` on a fake machine with known speed-ups."""

import json

import pytest

from hardware.kernels.trace import FinalMeasurement, Trial, read
from tests.support.kernel_fakes import FAMILIES, from_json

TUNE = ["kernels", "tune", "--budget", 5, "--proposer", "random"]


def test_tune_re_measures_the_winner_and_prints_a_conclusion(asara, world, tmp_path):
    answer = asara(*TUNE)
    assert (answer.code, answer.err) == (0, "")
    assert answer.progress[0] == "causal/fp32/forward avx512 random seed 0: sdpa against itself"
    assert any("5 of 5" in line and "best" in line and "CPU-s" in line for line in answer.progress)
    words = " ".join(answer.out.split())
    claim = "avx512(tile=8) is 1.44x [1.44, 1.44] as fast as torch's SDPA on held-out shapes."
    assert claim in words
    assert "5 tried (4 passed, 1 wrong)" in words
    lines = read(tmp_path / "kernels.jsonl")
    roles = [(line.role, line.against) for line in lines if isinstance(line, FinalMeasurement)]
    assert roles == [
        ("A/A", "sdpa"),
        ("library", "eager"),
        ("naive", "sdpa"),
        ("naive", "eager"),
        ("winner", "sdpa"),
        ("winner", "eager"),
    ]


def test_tune_by_default_takes_the_best_available_family_and_dtype(asara, world, monkeypatch):
    found = from_json(asara(*TUNE, "--json"))
    assert {row["workload"] for row in found["rows"]} == {"causal/fp32/forward"}
    assert from_json(asara(*TUNE, "--family", "portable", "--out", "b.jsonl", "--json"))["rows"][0]["workload"] == (
        "causal/fp16/forward"
    )


def test_tune_without_a_gain_claims_none(asara, world, monkeypatch):
    monkeypatch.setattr("tests.support.kernel_fakes.GAINS", dict.fromkeys((1, 2, 4, 8, 16), 1.1))
    found = from_json(asara(*TUNE, "--json"))
    assert found["sentences"][0]["sentence"].startswith("No significant gain: avx512(tile=")


def test_tune_without_a_passing_candidate_reports_it(asara, world, monkeypatch):
    world.on_call = lambda number: None
    monkeypatch.setattr(FAMILIES["avx512"], "choices", {"tile": (2,)})
    found = from_json(asara(*TUNE, "--json"))
    assert found["sentences"][0]["sentence"] == "No significant gain: no candidate passed."


def replies(folder, *tiles):
    lines = [json.dumps({"family": "avx512", "parameters": {"tile": tile}}) for tile in tiles]
    (folder / "ready.jsonl").write_text("\n".join([*lines, json.dumps("I do not know.")]) + "\n")


LLM = ["kernels", "tune", "--budget", 4, "--proposer", "llm", "--tape", "ready.jsonl", "--mode", "scripted"]


def test_tune_with_scripted_replies_runs_a_search(asara, world, tmp_path):
    replies(tmp_path, 4, 8, 16)
    found = from_json(asara(*LLM, "--json"))
    assert found["searches"][0]["counts"] == {"passed": 3, "no proposal": 1}
    assert "avx512(tile=8) is 1.44x" in found["sentences"][0]["sentence"]


def test_tune_interrupted_with_a_language_model_prints_its_options_to_continue(asara, world, tmp_path):
    replies(tmp_path, 4, 8, 16)

    def press(number: int) -> None:
        if number == 2:
            world.on_call = lambda number: None
            raise KeyboardInterrupt

    world.on_call = press
    command = asara(*LLM).err.partition("continue with: asara ")[2].split()
    assert command[command.index("--mode") + 1 : command.index("--mode") + 4] == ["scripted", "--tape", "ready.jsonl"]
    again = asara(*command, "--json")
    assert from_json(again)["searches"][0]["counts"] == {"passed": 3, "no proposal": 1}


def test_tune_with_the_tape_of_another_search_prints_one_sentence(asara, world, tmp_path):
    (tmp_path / "ready.jsonl").write_text('{"request":"ab","reply":"{}","reason":"","failed_on":"","tokens":0}\n')
    answer = asara(*LLM[:-1], "replay")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("asara: ready.jsonl has no reply to request ")
    assert answer.err.endswith("recorded for another history, seed or prompt\n")
    assert answer.err.count("\n") == 1


def test_tune_gives_each_search_and_workload_a_session(asara, world):
    found = from_json(asara(*TUNE, "--workload", "causal", "--workload", "long", "--searches", 2, "--json"))
    assert [each["session"] for each in found["sentences"]] == [
        f"{name}/fp32/forward avx512 random seed {seed}" for name in ("causal", "long") for seed in (0, 1)
    ]
    assert [each["tried"] for each in found["searches"]] == [5, 5, 5, 5]


@pytest.mark.parametrize("moment", [1, 3, 5, 6, 8, 10])
def test_tune_resumed_after_an_interrupt_gives_the_same_trials(asara, world, tmp_path, moment):
    whole = [line for line in _tuned(asara, "whole.jsonl", tmp_path) if line.kind != "session"]

    def press(number: int) -> None:
        if number == moment:
            world.on_call = lambda number: None
            raise KeyboardInterrupt

    world.seen.clear()
    world.on_call = press
    answer = asara(*TUNE, "--out", "kept.jsonl")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"asara: interrupted; {min(moment - 1, 5)} trials are in kept.jsonl")
    command = answer.err.partition("continue with: asara ")[2].split()
    again = asara(*command)
    assert (again.code, again.err) == (0, "")
    lines = [line for line in read(tmp_path / "kept.jsonl") if line.kind != "session"]
    aa = [line for line in lines if isinstance(line, FinalMeasurement) and line.role == "A/A"]
    assert len(aa) == 2, "each start runs an A/A test"
    assert [line for line in lines if line not in aa] == [line for line in whole if line not in aa]


def _tuned(asara, name, tmp_path):
    assert asara(*TUNE, "--out", name).code == 0
    return read(tmp_path / name)


def test_tune_resumed_after_completion_repeats_the_conclusion_without_trials(asara, world, tmp_path):
    _tuned(asara, "kernels.jsonl", tmp_path)
    before = (tmp_path / "kernels.jsonl").read_bytes()
    world.seen.clear()
    answer = asara(*TUNE, "--resume")
    assert "is 1.44x" in answer.out
    assert world.seen == []
    assert (tmp_path / "kernels.jsonl").read_bytes() == before


def test_tune_resumed_after_inconclusive_measurements_repeats_them(asara, world, tmp_path):
    world.restless = (8,)
    first = asara(*TUNE)
    assert first.code == 0
    assert "the re-measured winner is inconclusive" in " ".join(first.out.split())
    assert "No result for winner avx512 against sdpa" in " ".join(first.out.split())
    world.restless = ()
    world.seen.clear()
    again = asara(*TUNE, "--resume")
    assert "is 1.44x" in again.out
    assert "No result" not in again.out
    assert [candidate.values for candidate in world.seen] == [{"tile": 8}] * 2


def test_tune_resumed_with_another_budget_is_refused(asara, world, tmp_path):
    _tuned(asara, "kernels.jsonl", tmp_path)
    before = (tmp_path / "kernels.jsonl").read_bytes()
    answer = asara("kernels", "tune", "--proposer", "random", "--budget", 7, "--resume")
    assert (answer.code, answer.out) == (2, "")
    assert "was started with --budget 5, not 7" in answer.err
    assert (tmp_path / "kernels.jsonl").read_bytes() == before


def test_tune_resumed_on_another_machine_is_refused(asara, world, tmp_path):
    _tuned(asara, "kernels.jsonl", tmp_path)
    content = (tmp_path / "kernels.jsonl").read_text().replace("Imaginary 9000", "Imaginary 8000")
    (tmp_path / "kernels.jsonl").write_text(content)
    answer = asara(*TUNE, "--resume")
    assert (answer.code, answer.out) == (2, "")
    assert "was started on Imaginary 8000, and this machine is Imaginary 9000" in answer.err


def test_tune_and_measure_interrupted_at_the_start_leave_no_file(asara, world, tmp_path, monkeypatch):
    def press(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tests.support.kernel_fakes.FakeBench.measure_self_noise", press)
    for command in (TUNE, ["kernels", "measure"]):
        answer = asara(*command)
        assert (answer.code, answer.out) == (2, "")
        assert "nothing was written" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_tune_tries_no_candidate_twice(asara, world, tmp_path):
    lines = _tuned(asara, "kernels.jsonl", tmp_path)
    digests = [line.digest for line in lines if isinstance(line, Trial)]
    assert len(set(digests)) == len(digests) == 5
