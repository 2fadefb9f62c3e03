"""Tests that each known cheat is caught, or measured correctly."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from hardware.kernels import compiler, sandbox, seccomp, worker_client
from hardware.kernels.candidate import Candidate
from hardware.kernels.machine import Machine, Roofline
from hardware.kernels.problem import Problem, Shape, Workload
from tests.hardware.kernels.cheats.catalogue import CHEATS, Cheat

pytest.importorskip("torch", reason="torch is not installed: there is nothing to compare with")

from hardware.kernels import evaluator
from hardware.kernels.timing import TimingBudget

pytestmark = [
    pytest.mark.skipif(compiler.find_compiler() is None, reason="there is no C++ compiler"),
    pytest.mark.skipif(not seccomp.is_available(), reason="this kernel or processor has no seccomp filter"),
]

SHAPES = (Shape(1, 2, 160, 160, 32),), (Shape(1, 2, 96, 96, 32),)
PROBLEMS = {
    "forward": Problem("fp32", "forward", causal=False, memory_mib=64),
    "backward": Problem("fp32", "both", causal=False, memory_mib=64),
    "causal": Problem("fp32", "forward", causal=True, memory_mib=64),
}
OUT_OF_REACH = Roofline(gflops={"fp32": 1e6, "bf16": 1e6, "fp16": 1e6}, copy_gbs=1e6)
"""A roofline so high that no kernel counts as faster than the machine."""
BRIEF = TimingBudget(min_rounds=1, max_rounds=1, min_pairs=3, max_pairs=3)
NO_FASTER = 2.0
"""Speed-up over the plain kernel that does the same work; honest kernels differ by noise only."""
SWIFT_S = 1.0
"""Time after which a hanging kernel is stopped."""
ALSO_WITHOUT_BUBBLEWRAP = (
    "plain C++",
    "bf16 passed off as fp32",
    "no max subtraction",
    "cheap exp",
    "right only where 64 divides the length",
    "cache by pointer",
    "cache by content",
    "honest while it is validated",
    "lazy: computes when it is called again",
    "inputs set to zero",
    "inputs made writable, then set to zero",
    "a background thread",
    "a second thread for half of the work",
    "a child that does the work",
    "patches the clock in its own process",
    "runs another program",
    "opens a socket",
    "writes a file",
    "opens the inputs for writing",
    "maps the shared memories once more",
    "stops everybody",
    "aborts",
    "allocates without end",
    "never returns",
    "a forged answer on the control channel",
    "rewrites its caller: nothing is called",
    "rewrites its caller: computes when the result is fetched",
    "rewrites its caller: computes before it is asked",
    "rewrites its caller: answers first, computes then",
    "rewrites its caller: computes while it should wait",
    "does not compile",
    "no symbol",
)


class Benches(dict[tuple[str, bool], evaluator.KernelEvaluator]):
    """Evaluators by problem and confinement of untrusted source, created on first use."""

    def __init__(self, machine: Machine, open_until: ExitStack) -> None:
        super().__init__()
        self._open_until = open_until
        self.machine = machine.model_copy(update={"roofline": OUT_OF_REACH})
        self._plain: dict[tuple[str, bool], float] = {}

    def __missing__(self, key: tuple[str, bool]) -> evaluator.KernelEvaluator:
        problem, confined = key
        work = Workload("tiny", PROBLEMS[problem], *SHAPES)
        bench = evaluator.KernelEvaluator(work, self.machine, confine_untrusted=confined)
        self[key] = self._open_until.enter_context(bench)
        return self[key]

    def plain(self, key: tuple[str, bool]) -> float:
        """Return the speed-up over SDPA of the kernel on which every cheat is based."""
        if key not in self._plain:
            (plain,) = (each for each in CHEATS if each.name == "plain C++")
            outcome = self[key].evaluate(Candidate("foreign", (), plain.source))
            assert outcome.status == "passed", outcome.reason
            self._plain[key] = outcome.timed[0].speedup.ratio
        return self._plain[key]


@pytest.fixture(scope="module")
def benches(machine: Machine) -> Iterator[Benches]:
    with ExitStack() as stack:
        yield Benches(machine, stack)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time few pairs, because the speed does not matter here."""
    monkeypatch.setattr(evaluator, "QUICK_BUDGET", BRIEF)


def try_it(cheat: Cheat, benches: Benches, confined: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if "timed out" in cheat.expected:
        monkeypatch.setitem(worker_client.CALL_TIMEOUT, "native", SWIFT_S)
    problem = next((name for name in PROBLEMS if cheat.is_about(name)), "forward")
    outcome = benches[problem, confined].evaluate(Candidate("foreign", (), cheat.source))
    assert outcome.status in cheat.statuses, f"{cheat.name}: {outcome.status}, {outcome.reason}"
    if cheat.honest:
        assert outcome.timed[0].speedup.ratio < NO_FASTER * benches.plain((problem, confined))
    assert outcome.reason or outcome.status == "passed"


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.name)
def test_cheat_is_caught_or_measured_correctly(cheat, benches, monkeypatch):
    confined = sandbox.detect_isolation().untrusted_allowed
    if cheat.is_about("bubblewrap") and not confined:
        pytest.skip(sandbox.detect_isolation().detail)
    try_it(cheat, benches, confined, monkeypatch)


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("name", ALSO_WITHOUT_BUBBLEWRAP)
def test_cheats_without_bubblewrap_are_caught(name, benches, monkeypatch):
    (cheat,) = (cheat for cheat in CHEATS if cheat.name == name)
    try_it(cheat, benches, False, monkeypatch)


def test_search_after_a_crash_continues(benches):
    crash, plain = (next(each for each in CHEATS if each.name == name) for name in ("crashes", "plain C++"))
    bench = benches["forward", sandbox.detect_isolation().untrusted_allowed]
    found = [bench.evaluate(Candidate("foreign", (), each.source)).status for each in (plain, crash, plain)]
    assert found == ["passed", "wrong", "passed"]


def test_cheat_names_are_unique():
    assert Counter(cheat.name for cheat in CHEATS).most_common(1)[0][1] == 1
