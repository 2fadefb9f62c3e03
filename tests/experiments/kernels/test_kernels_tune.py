"""`asara kernels tune` on a machine whose answers are known."""

import json

import pytest

from hardware.kernels.trace import FinalMeasurement, Trial, read
from tests.support.kernel_fakes import FAMILIES, from_json

TUNE = ["kernels", "tune", "--budget", 5, "--proposer", "random"]


def test_tune_ends_with_the_winner_measured_afresh_and_a_sentence(asara, world, tmp_path):
    answer = asara(*TUNE)
    assert (answer.code, answer.err) == (0, "")
    assert answer.progress[0] == "causal/fp32/forward avx512 random seed 0: sdpa against itself"
    assert any("5 of 5" in line and "best" in line and "CPU-s" in line for line in answer.progress)
    words = " ".join(answer.out.split())
    claim = "avx512(tile=8) is 1.44x [1.44, 1.44] as fast as torch's SDPA on shapes that no search has seen."
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


def test_tune_takes_the_best_family_and_dtype_that_the_machine_has(asara, world, monkeypatch):
    found = from_json(asara(*TUNE, "--json"))
    assert {row["workload"] for row in found["rows"]} == {"causal/fp32/forward"}
    assert from_json(asara(*TUNE, "--family", "portable", "--out", "b.jsonl", "--json"))["rows"][0]["workload"] == (
        "causal/fp16/forward"
    )


def test_without_a_gain_none_is_claimed(asara, world, monkeypatch):
    monkeypatch.setattr("tests.support.kernel_fakes.GAINS", dict.fromkeys((1, 2, 4, 8, 16), 1.1))
    found = from_json(asara(*TUNE, "--json"))
    assert found["sentences"][0]["sentence"].startswith("No gain is proved: avx512(tile=")


def test_a_search_in_which_nothing_passes_says_so(asara, world):
    world.on_call = lambda number: None
    FAMILIES["avx512"]._choices = {"tile": (2,)}
    try:
        found = from_json(asara(*TUNE, "--json"))
    finally:
        FAMILIES["avx512"]._choices = {"tile": (1, 2, 4, 8, 16)}
    assert found["sentences"][0]["sentence"] == "No gain is proved: no candidate passed."


def replies(folder, *tiles):
    lines = [json.dumps({"family": "avx512", "parameters": {"tile": tile}}) for tile in tiles]
    (folder / "ready.jsonl").write_text("\n".join([*lines, json.dumps("I do not know.")]) + "\n")


LLM = ["kernels", "tune", "--budget", 4, "--proposer", "llm", "--tape", "ready.jsonl", "--mode", "scripted"]


def test_ready_replies_drive_a_search(asara, world, tmp_path):
    replies(tmp_path, 4, 8, 16)
    found = from_json(asara(*LLM, "--json"))
    assert found["searches"][0]["counts"] == {"passed": 3, "no proposal": 1}
    assert "avx512(tile=8) is 1.44x" in found["sentences"][0]["sentence"]


def test_a_search_of_a_language_model_goes_on_as_it_was_asked_for(asara, world, tmp_path):
    replies(tmp_path, 4, 8, 16)

    def press(number: int) -> None:
        if number == 2:
            world.on_call = lambda number: None
            raise KeyboardInterrupt

    world.on_call = press
    command = asara(*LLM).err.partition("go on with: asara ")[2].split()
    assert command[command.index("--mode") + 1 : command.index("--mode") + 4] == ["scripted", "--tape", "ready.jsonl"]
    again = asara(*command, "--json")
    assert from_json(again)["searches"][0]["counts"] == {"passed": 3, "no proposal": 1}


def test_a_tape_of_another_search_is_one_sentence(asara, world, tmp_path):
    (tmp_path / "ready.jsonl").write_text('{"request":"ab","reply":"{}","reason":"","failed_on":"","tokens":0}\n')
    answer = asara(*LLM[:-1], "replay")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("asara: ready.jsonl has no reply to request ")
    assert answer.err.endswith("recorded for another history, seed or prompt\n")
    assert answer.err.count("\n") == 1


def test_repeated_searches_and_workloads_are_sessions_of_their_own(asara, world):
    found = from_json(asara(*TUNE, "--workload", "causal", "--workload", "long", "--searches", 2, "--json"))
    assert [each["session"] for each in found["sentences"]] == [
        f"{name}/fp32/forward avx512 random seed {seed}" for name in ("causal", "long") for seed in (0, 1)
    ]
    assert [each["tried"] for each in found["searches"]] == [5, 5, 5, 5]


@pytest.mark.parametrize("moment", [1, 3, 5, 6, 8, 10])
def test_an_interrupted_search_goes_on_where_it_was(asara, world, tmp_path, moment):
    whole = [line for line in _tuned(asara, "whole.jsonl", tmp_path) if line.kind != "session"]

    def press(number: int) -> None:
        if number == moment:
            world.on_call = lambda number: None
            raise KeyboardInterrupt

    world.seen.clear()
    world.on_call = press
    answer = asara(*TUNE, "--out", "kept.jsonl")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(
        f"asara: interrupted; {min(moment - 1, 5)} candidates that were tried are in kept.jsonl"
    )
    command = answer.err.partition("go on with: asara ")[2].split()
    again = asara(*command)
    assert (again.code, again.err) == (0, "")
    lines = [line for line in read(tmp_path / "kept.jsonl") if line.kind != "session"]
    aa = [line for line in lines if isinstance(line, FinalMeasurement) and line.role == "A/A"]
    assert len(aa) == 2, "the machine is held against itself each time"
    assert [line for line in lines if line not in aa] == [line for line in whole if line not in aa]


def _tuned(asara, name, tmp_path):
    assert asara(*TUNE, "--out", name).code == 0
    return read(tmp_path / name)


def test_what_is_over_is_told_again_and_not_tried_again(asara, world, tmp_path):
    _tuned(asara, "kernels.jsonl", tmp_path)
    before = (tmp_path / "kernels.jsonl").read_bytes()
    world.seen.clear()
    answer = asara(*TUNE, "--resume")
    assert "is 1.44x" in answer.out
    assert world.seen == []
    assert (tmp_path / "kernels.jsonl").read_bytes() == before


def test_what_noise_left_open_is_measured_again(asara, world, tmp_path):
    world.restless = (8,)
    first = asara(*TUNE)
    assert first.code == 0
    assert "came out as inconclusive" in " ".join(first.out.split())
    assert "No result for winner avx512 against sdpa" in " ".join(first.out.split())
    world.restless = ()
    world.seen.clear()
    again = asara(*TUNE, "--resume")
    assert "is 1.44x" in again.out
    assert "No result" not in again.out
    assert [candidate.values for candidate in world.seen] == [{"tile": 8}] * 2


def test_another_budget_is_another_search(asara, world, tmp_path):
    _tuned(asara, "kernels.jsonl", tmp_path)
    before = (tmp_path / "kernels.jsonl").read_bytes()
    answer = asara("kernels", "tune", "--proposer", "random", "--budget", 7, "--resume")
    assert (answer.code, answer.out) == (2, "")
    assert "was begun with --budget 5, not 7" in answer.err
    assert (tmp_path / "kernels.jsonl").read_bytes() == before


def test_a_search_does_not_go_on_on_another_machine(asara, world, tmp_path):
    _tuned(asara, "kernels.jsonl", tmp_path)
    content = (tmp_path / "kernels.jsonl").read_text().replace("Imaginary 9000", "Imaginary 8000")
    (tmp_path / "kernels.jsonl").write_text(content)
    answer = asara(*TUNE, "--resume")
    assert (answer.code, answer.out) == (2, "")
    assert "was begun on Imaginary 8000, and this is Imaginary 9000" in answer.err


def test_an_interrupt_before_anything_was_tried_leaves_nothing(asara, world, tmp_path, monkeypatch):
    def press(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tests.support.kernel_fakes.FakeBench.aa", press)
    for command in (TUNE, ["kernels", "measure"]):
        answer = asara(*command)
        assert (answer.code, answer.out) == (2, "")
        assert "nothing was written" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_no_candidate_is_tried_twice(asara, world, tmp_path):
    lines = _tuned(asara, "kernels.jsonl", tmp_path)
    digests = [line.digest for line in lines if isinstance(line, Trial)]
    assert len(set(digests)) == len(digests) == 5
