"""The kernel of the tutorial passes, and fails at huge logits after the change that the tutorial suggests."""

import re

import pytest

from hardware.kernels import compiler, sandbox, seccomp
from hardware.kernels.candidate import Candidate
from hardware.kernels.machine import Machine, Roofline, detect_machine
from hardware.kernels.problem import Problem, Shape, Workload
from hardware.kernels.trace import TrialOutcome
from tests.support.doc_pages import blocks, text_of

pytest.importorskip("torch", reason="torch is not installed: there is nothing to compare with")

from hardware.kernels import evaluator
from hardware.kernels.timing import TimingBudget

pytestmark = [
    pytest.mark.skipif(compiler.find_compiler() is None, reason="there is no C++ compiler"),
    pytest.mark.skipif(not seccomp.is_available(), reason="this kernel or processor has no seccomp filter"),
]
WORK = Workload(
    "tiny",
    Problem("fp32", "forward", causal=True, memory_mib=64),
    (Shape(1, 2, 96, 96, 32),),
    (Shape(1, 2, 77, 77, 32),),
)
PAGE = text_of("docs/tutorials/4-first-kernel.md")
(SOURCE,) = (block.text for block in blocks(PAGE) if block.language == "cpp")
((LINE, CARELESS),) = re.findall(r"replace\s`([^`]+)`\sby\s`([^`]+)`", PAGE)


@pytest.fixture(scope="module")
def machine() -> Machine:
    """Return this machine with a roofline that no kernel reaches."""
    roofline = Roofline(gflops={"fp32": 1e6, "bf16": 1e6, "fp16": 1e6}, copy_gbs=1e6)
    return detect_machine(roofline=False).model_copy(update={"roofline": roofline})


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time few pairs, because the speed does not matter here."""
    monkeypatch.setattr(evaluator, "QUICK_BUDGET", TimingBudget(min_rounds=1, max_rounds=1, min_pairs=3, max_pairs=3))


def evaluated(source: str, machine: Machine) -> TrialOutcome:
    with evaluator.KernelEvaluator(
        WORK, machine, confine_untrusted=sandbox.detect_isolation().untrusted_allowed
    ) as bench:
        return bench.evaluate(Candidate("foreign", (), source))


@pytest.mark.usefixtures("brief")
def test_tutorial_kernel_passes(machine):
    assert evaluated(SOURCE, machine).status == "passed"


@pytest.mark.usefixtures("brief")
def test_tutorial_kernel_without_running_maximum_is_unstable_at_large_logits(machine):
    assert SOURCE.count(LINE) == 1
    found = evaluated(SOURCE.replace(LINE, CARELESS), machine)
    assert (found.status, found.failed_on) == ("unstable", "huge logits")
