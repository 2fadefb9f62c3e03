"""Format the prompts of a language model: problem, machine, parameters and outcomes, without inputs and seeds.

The wording is part of the key of recorded replies: a change makes existing tapes unusable.
"""

from __future__ import annotations

from typing import Final

from hardware.kernels.abi import SYMBOL
from hardware.kernels.candidate import Candidate
from hardware.kernels.compiler import NATIVE_DIR
from hardware.kernels.proposers.base import History, TrialSummary

MAX_FASTEST: Final = 5
"""Number of the fastest candidates in a prompt."""
MAX_DIVERSE: Final = 4
"""Number of candidates in a prompt that differ most from the fastest."""
MAX_FAILURES: Final = 8
"""Number of the newest failures in a prompt."""
MAX_SOURCE_CHARACTERS: Final = 12_000
"""Longest source in a prompt [characters]."""

_TEMPLATE_FORM: Final = (
    'Parameters of a known template: {"family": "<name>", "parameters": {"<name>": <choice>, ...}, '
    '"expects": <number>, "why": "<one sentence>"}. Parameters left out keep their untuned value.'
)
_SOURCE_FORM: Final = (
    'A kernel of your own: {"source": "<a whole C++17 file>", "expects": <number>, "why": "<one sentence>"}. '
    f'It has one entry point, extern "C" int {SYMBOL}(const Attention* a), and includes "attention.h", which follows. '
    "It uses one thread, the C++ standard library and the instructions of the machine, and keeps nothing between calls."
)


def system_prompt(history: History) -> str:
    """Format the constant part of a search: task, form of the answer, problem, machine and parameters."""
    forms = [_TEMPLATE_FORM] if history.search_space.spaces else []
    forms += [_SOURCE_FORM] if history.source_allowed else []
    parts = [
        "You tune attention kernels for one machine. In each turn you propose one candidate; it is built, checked "
        "against float64 on inputs and lengths that you do not see, and timed on one thread against torch's "
        "scaled_dot_product_attention (SDPA). The aim is the highest speed-up over SDPA, as a geometric mean over the "
        "shapes. Only a candidate that is right on every input counts, and shapes that you do not see are timed later.",
        "Answer with one JSON object and nothing else, in "
        + ("one of these forms" if len(forms) > 1 else "this form")
        + ". expects is the speed-up over SDPA that you predict.\n"
        + "\n".join(f"- {form}" for form in forms),
        _format_problem(history),
        _format_machine(history),
        _format_parameters(history),
    ]
    if history.source_allowed:
        parts.append(f"attention.h:\n{(NATIVE_DIR / 'attention.h').read_text()}")
    return "\n\n".join(part for part in parts if part)


def user_prompt(history: History) -> str:
    """Format the part of one turn: fast and diverse candidates, failures and refusals."""
    best = _fastest(history)
    parts = [
        f"Trial {history.number} of {history.budget}.",
        _format_list("Fastest so far", [_format_trial(each) for each in best]),
        _format_list("Others that passed", [_format_trial(each) for each in _diverse(history, best)]),
        _format_list("Newest failures", [_format_failure(each) for each in _newest_failures(history)]),
        _format_source(best),
        _format_list("Refused in this turn, because it was tried before", [str(each) for each in history.refused]),
        history.complaint and f"Your last answer could not be used: {history.complaint}",
        "Propose a candidate that was not tried yet.",
    ]
    return "\n\n".join(part for part in parts if part)


def _format_problem(history: History) -> str:
    problem = history.problem
    return (
        f"Problem: {history.workload}. Attention {problem.direction} pass{'es' * (problem.direction == 'both')} in "
        f"{problem.dtype}, {'causal (the last query sees all keys)' if problem.causal else 'no mask'}. Shapes (batch x "
        f"heads x length x head size): {', '.join(map(str, history.shapes))}. Error against float64 at most "
        f"{problem.tolerance:g} times SDPA's own, {problem.worst_row:g} times in the worst row. At most "
        f"{problem.memory_mib} MiB besides inputs and outputs."
    )


def _format_machine(history: History) -> str:
    machine = history.machine
    caches = ", ".join(f"{name} {size} KiB" for name, size in machine.caches_kib.items())
    lines = [
        f"Machine: {machine.processor} ({machine.architecture}); compiler {machine.compiler or 'none'}.",
        f"Instruction sets: {', '.join(machine.instructions) or 'none of note'}. Caches: {caches or 'unknown'}.",
    ]
    if machine.roofline:
        rates = ", ".join(f"{dtype} {rate:.4g}" for dtype, rate in machine.roofline.gflops.items())
        copy = machine.roofline.copy_gbs
        lines.append(f"One core at most: {rates} billion operations a second; copies {copy:.3g} GB/s.")
    return "\n".join(lines)


def _format_parameters(history: History) -> str:
    lines = []
    for family, space in history.search_space.spaces.items():
        lines.append(f"Family {family}, parameters and choices (not all combinations are allowed):")
        lines += [
            f"- {name}: {', '.join(map(str, choices))} (untuned: {space.default[name]})"
            for name, choices in space.choices.items()
        ] or ["- none"]
    return "\n".join(lines)


def _format_list(title: str, items: list[str]) -> str:
    return "\n".join([f"{title}:", *(f"- {item}" for item in items)]) if items else ""


def _fastest(history: History) -> list[TrialSummary]:
    passed = [each for each in history.tried if each.score is not None]
    return sorted(passed, key=lambda each: -(each.score or 0.0))[:MAX_FASTEST]


def _diverse(history: History, best: list[TrialSummary]) -> list[TrialSummary]:
    """Return candidates that passed and differ most from the fastest and from each other."""
    rest = [each for each in history.tried if each.score is not None and each not in best]
    chosen: list[TrialSummary] = []
    while rest and len(chosen) < MAX_DIVERSE:
        shown = [each.candidate for each in best + chosen]
        chosen.append(max(rest, key=lambda each: min(_parameter_distance(each.candidate, other) for other in shown)))
        rest.remove(chosen[-1])
    return chosen


def _parameter_distance(one: Candidate, other: Candidate) -> int:
    """Return the number of parameters in which two candidates differ; different families differ in all."""
    if one.family != other.family:
        return max(len(one.parameters), len(other.parameters)) + 1
    return sum(a != b for a, b in zip(one.parameters, other.parameters, strict=True)) + (one.source != other.source)


def _newest_failures(history: History) -> list[TrialSummary]:
    return [each for each in history.tried if each.score is None][-MAX_FAILURES:]


def _format_trial(tried: TrialSummary) -> str:
    shapes = ", ".join(f"{shape}: {ratio:.2f}" for shape, ratio in tried.by_shape)
    return f"{tried.candidate}: {tried.score:.2f}" + (f" ({shapes})" if len(tried.by_shape) > 1 else "")


def _format_failure(tried: TrialSummary) -> str:
    failed = f" on {tried.failed_on}" if tried.failed_on else ""
    complaint = f": {tried.complaint[:300]}" if tried.complaint else ""
    return f"{tried.candidate}: {tried.status}{failed}{complaint}"


def _format_source(best: list[TrialSummary]) -> str:
    """Format the source of the fastest untrusted candidate, as a start for new ones."""
    source = next((each.candidate.source for each in best if each.candidate.source), "")
    name = next((str(each.candidate) for each in best if each.candidate.source), "")
    return f"Source of {name}:\n{source[:MAX_SOURCE_CHARACTERS]}" if source else ""
