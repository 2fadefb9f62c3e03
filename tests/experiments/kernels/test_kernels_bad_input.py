"""Tests of invalid input of the kernel commands: one sentence, exit code 2, and no file is written."""

import pytest

FILES = {
    "empty.jsonl": "",
    "words.jsonl": "not a trace\n",
    "broken.jsonl": '{"kind":"session"}\n',
    "empty.cpp": " \n",
    "good.cpp": 'extern "C" int attention();\n',
    "a.jsonl": "",
    "number.jsonl": "5\n",
    "other.jsonl": '{"kind":"x"}\n',
}
BAD = {
    "unknown workload": ("measure --workload caussal", ["--workload caussal", "did you mean 'causal'"]),
    "unknown workload of a search": ("tune --workload x", ["--workload x", "short, long, causal, wide, decode"]),
    "unknown dtype": ("measure --dtype fp64", ["--dtype fp64", "fp32, bf16, fp16"]),
    "unknown pass": ("tune --pass backwards", ["--pass backwards", "did you mean 'backward'"]),
    "decode is never trained": ("measure --workload decode --pass both", ["decode is forward only"]),
    "a trace that is there": ("measure --out a.jsonl", ["--out a.jsonl", "already exists"]),
    "measured into a folder": ("measure --out .", ["--out = . is a folder; allowed: a file"]),
    "a search into a trace that is there": ("tune --out a.jsonl", ["--out a.jsonl", "--resume"]),
    "a search into a folder": ("tune --out .", ["--out = . is a folder; allowed: a file"]),
    "resume of nothing": ("tune --resume", ["--resume", "no trace kernels.jsonl"]),
    "resume of nothing, named": ("tune --resume --out b.jsonl", ["no trace b.jsonl"]),
    "resume of another search": ("tune --resume --out empty.jsonl", ["empty.jsonl contains no search", "none"]),
    "resume of no trace": ("tune --resume --out words.jsonl", ["words.jsonl", "line 1"]),
    "no budget": ("tune --budget 0", ["--budget"]),
    "no search": ("tune --searches 0", ["--searches"]),
    "negative seed": ("tune --seed -1", ["--seed"]),
    "unknown family": ("tune --family avx51", ["--family avx51", "avx512"]),
    "foreign is no family to tune": ("tune --family foreign", ["--family foreign"]),
    "a family that cannot": ("tune --family avx512 --dtype bf16", ["it supports fp32, not bf16"]),
    "a family without parameters": ("tune --family eager", ["eager has no parameters to tune"]),
    "nothing that can": ("tune --dtype bf16", ["nothing to tune here", "avx512", "portable"]),
    "unknown proposer": ("tune --proposer evolv", ["'evolv'", "did you mean 'evolve'"]),
    "no endpoint": ("tune --proposer llm", ["ASARA_LLM_BASE_URL is not set"]),
    "unknown mode": ("tune --proposer llm --mode dead", ["'dead'", "replay"]),
    "no replies to read out": ("tune --proposer llm --mode scripted --tape words.jsonl", ["words.jsonl, line 1"]),
    "no tape": ("tune --proposer llm --mode replay", ["tape"]),
    "missing trace": ("report missing.jsonl", ["missing.jsonl", "No such file"]),
    "a trace that is a folder": ("report .", ["directory"]),
    "a trace without lines": ("report empty.jsonl", ["empty.jsonl", "no line"]),
    "not a trace": ("report words.jsonl", ["words.jsonl, line 1: not a line of a trace\n"]),
    "a source for a trace": ("report good.cpp", ["good.cpp, line 1: not a line of a trace\n"]),
    "a number for a trace": ("report number.jsonl", ["number.jsonl, line 1: not a line of a trace\n"]),
    "a line of another kind": ("report other.jsonl", ["other.jsonl, line 1: not a line", "(there is no kind 'x')\n"]),
    "a line that is not whole": (
        "report broken.jsonl",
        ["broken.jsonl, line 1:", "(session, session: Field required)\n"],
    ),
    "missing source": ("verify missing.cpp", ["missing.cpp", "No such file"]),
    "empty source": ("verify empty.cpp", ["empty.cpp", "empty"]),
    "a source that is no text": ("verify binary.cpp", ["binary.cpp", "UTF-8"]),
    "a source without an end": ("verify huge.cpp", ["huge.cpp", "1,000,001 bytes"]),
    "unknown workload to verify": ("verify good.cpp --workload longg", ["did you mean 'long'"]),
    "worth of an unknown scenario": ("worth --scenario labb", ["'labb'", "did you mean 'lab'"]),
    "worth without kernels": ("worth --set kernels__measurements=uncalibrated", ["uncalibrated"]),
    "worth of no runs": ("worth --seeds 0", ["--seeds"]),
    "unknown command": ("tunne", ["'tunne'"]),
}


@pytest.mark.parametrize("case", BAD)
def test_kernels_with_bad_input_prints_one_sentence_and_exits_with_2(asara, world, tmp_path, monkeypatch, case):
    monkeypatch.delenv("ASARA_LLM_BASE_URL", raising=False)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "binary.cpp").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "huge.cpp").write_bytes(b"x" * 1_000_001)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*")}
    line, fragments = BAD[case]
    answer = asara("kernels", *line.split())
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("asara: ")
    assert answer.err.count("\n") == 1
    for fragment in fragments:
        assert fragment in answer.err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*")} == before
    assert world.seen == []
