"""What `asara kernels ...` does, behind its options; each function returns the exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from experiments.cli.arguments import check_file, check_folder, load_scenario
from experiments.cli.interrupts import GracefulInterrupt
from experiments.cli.progress import ProgressCallback, progress
from experiments.cli.terminal import print_json, print_text
from experiments.errors import InputError
from experiments.kernels import console, full_report, measurement_sessions, tuning
from experiments.kernels.figure import panels, picture
from experiments.kernels.full_report import read_traces, shipped_traces
from experiments.kernels.kernel_value import worth as worth_of
from experiments.kernels.measurement_sessions import InMemoryTrace, KernelEnvironment, NoisyMachineError, TrialVerdict
from experiments.kernels.result_tables import claim, fresh, held_out_gain, rows
from experiments.kernels.search_tables import searches
from experiments.plotting.captions import footer_text
from experiments.storage.atomic import json_file, plain, write_files
from hardware.kernels.compiler import BuildError
from hardware.kernels.machine import Machine
from hardware.kernels.problem import DIRECTIONS, DTYPES, NAMES, Problem, Workload
from hardware.kernels.problem import workload as standard
from hardware.kernels.proposers.endpoint import EndpointError
from hardware.kernels.proposers.recording import NotOnTapeError, TapeError
from hardware.kernels.proposers.registry import UnknownProposerError
from hardware.kernels.proposers.registry import proposer as proposer_named
from hardware.kernels.sandbox import SandboxError
from hardware.kernels.search import Progress, SearchError
from hardware.kernels.trace import FinalMeasurement, Line, Trace, TraceError, Trial
from sim.world import World

FAILED: Final = 1
"""Exit code of what was asked properly and came to nothing: a machine too noisy, a source that is not right."""
LARGEST_SOURCE: Final = 1_000_000
"""Bytes of a foreign file."""
_TO_BLAME: Final = (
    TraceError,
    SearchError,
    UnknownProposerError,
    EndpointError,
    TapeError,
    NotOnTapeError,
    BuildError,
    SandboxError,
)


@contextmanager
def plainly() -> Iterator[None]:
    """Turn what the input is to blame for into the one sentence that says so."""
    try:
        yield
    except _TO_BLAME as error:
        raise InputError(str(error)) from None


def named(names: Sequence[str], dtype: str | None, direction: str) -> list[Workload]:
    """Return the workloads that were asked for, all that have this pass if none was; fp32 where no dtype is named.

    Raises InputError for a name that there is not, with the near one.
    """
    for option, word, known in (
        ("--dtype", dtype, DTYPES),
        ("--pass", direction, DIRECTIONS),
        *(("--workload", name, NAMES) for name in names),
    ):
        if word is not None and word not in known:
            near = get_close_matches(word, known, n=1)
            meant = f"; did you mean '{near[0]}'?" if near else ""
            raise InputError(f"{option} {word}: there are {', '.join(known)}{meant}")
    chosen = names or [name for name in NAMES if direction == "forward" or name != "decode"]
    try:
        return [standard(name, dtype or "fp32", direction) for name in dict.fromkeys(chosen)]  # type: ignore[arg-type]
    except ValueError as error:
        raise InputError(str(error)) from None


def _print_json(content: Any) -> None:
    print_json(plain(content))


def _too_noisy(error: NoisyMachineError) -> int:
    print(f"asara: {error}", file=sys.stderr)
    return FAILED


def machine(lab: KernelEnvironment, as_json: bool) -> int:
    """Say what this machine has."""
    lacking = ""
    try:
        found = lab.survey(True)
    except BuildError as error:
        found, lacking = lab.survey(False), str(error)
    problems = [Problem(dtype, direction, causal=False) for dtype in DTYPES for direction in DIRECTIONS]
    reasons = {f"{each.dtype} {each.direction}": measurement_sessions.usable(lab, found, each) for each in problems}
    families = {name: {problem: why[name] for problem, why in reasons.items()} for name in lab.families}
    isolation = lab.isolation()
    if as_json:
        kept = {"name": isolation.name, "detail": isolation.detail, "foreign_allowed": isolation.foreign_allowed}
        content = {"machine": found.model_dump(mode="json"), "isolation": kept, "families": families}
        _print_json(content | {"roofline_missing": lacking or None})
    else:
        console.show_machine(found, f"{isolation.name} ({isolation.detail})", families)
        if lacking:
            print_text(f"The roofline was not measured, and nothing can be timed without it: {lacking}")
    return 0


def measure(lab: KernelEnvironment, asked: Sequence[Workload], out: Path | None, as_json: bool) -> int:
    """Time every usable family on some workloads; what was measured before an interruption is told all the same."""
    lines: Trace | InMemoryTrace = InMemoryTrace()
    try:
        with plainly():
            shipped = read_traces(shipped_traces())
            found = lab.survey(True)
            lines = Trace(out) if out is not None else lines
            with progress() as tell:
                for each in asked:
                    _measure_one(lab, lines, each, found, shipped, tell)
    except NoisyMachineError as error:
        if lines.lines:
            _say_measured(lines, as_json)
        return _too_noisy(error)
    except KeyboardInterrupt:
        if lines.lines:
            _say_measured(lines, as_json)
        kept = f"what was measured so far is in {out}" if lines.lines and out else "nothing was written"
        raise InputError(f"interrupted; {kept}") from None
    _say_measured(lines, as_json)
    return 0


def _measure_one(
    lab: KernelEnvironment,
    lines: measurement_sessions.TraceSink,
    asked: Workload,
    found: Any,
    shipped: Any,
    tell: ProgressCallback,
) -> None:
    tasks = measurement_sessions.family_tasks(lab, found, asked, shipped)
    with lab.bench(asked, found) as bench:
        measurement_sessions.measure_families(
            lines, asked, bench, tasks, lambda text: tell(f"{asked.full_name}: {text}", None)
        )


def _say_measured(lines: measurement_sessions.TraceSink, as_json: bool) -> None:
    table = rows(fresh(lines.lines))
    failed = _failed(lines.lines)
    if as_json:
        _print_json({"rows": table, "failed": failed})
        return
    console.show_rows(table)
    _say_failed(failed)


def _failed(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """What was measured afresh and is no result, for whatever reason; of the same thing the last word counts."""
    last = {
        (line.session, line.role, line.digest, line.against): line
        for line in lines
        if isinstance(line, FinalMeasurement)
    }
    kept = ("session", "role", "family", "parameters", "against", "status", "reason")
    return [{name: getattr(line, name) for name in kept} for line in last.values() if line.status != "passed"]


def _say_failed(failed: Sequence[dict[str, Any]]) -> None:
    for each in failed:
        what = f"{each['role']} {each['family']} against {each['against']}"
        print_text(f"No result for {what}: {each['status']}, {each['reason']}")


def check_new_file(out: Path | None) -> None:
    """Refuse a trace that is there already, or that cannot be written."""
    if out is not None:
        if out.is_file():
            raise InputError(f"--out {out}: it is there already, and a trace is never written over")
        check_file(out)


class SearchOptions(NamedTuple):
    """The options of a search, as they were typed."""

    names: Sequence[str]
    dtype: str | None
    direction: str
    family: str | None
    proposer: str
    mode: str
    tape: Path | None
    budget: int
    seed: int
    searches: int


def tune(lab: KernelEnvironment, typed: SearchOptions, out: Path, resume: bool, as_json: bool) -> int:
    """Search, measure the winners afresh, and say what may be claimed."""
    named(typed.names, typed.dtype, typed.direction)
    check_file(out)
    with plainly():
        who = proposer_named(typed.proposer, typed.mode, typed.tape)  # type: ignore[arg-type]  # it checks the mode
        tuning.check_place(out, resume)
        found = lab.survey(True)
        asked = _decided(lab, found, typed, out)
        if resume:
            tuning.check_sessions(asked, found)
        try:
            with progress() as tell:
                trace = Trace(out)
                said = tuning.run(
                    asked,
                    trace,
                    lab,
                    found,
                    who,
                    lambda name, trial, progress: tell(search_text(name, progress), progress.trials / progress.budget),
                    lambda text: tell(text, None),
                )
        except NoisyMachineError as error:
            return _too_noisy(error)
        except KeyboardInterrupt:
            raise InputError(_how_to_go_on(asked)) from None
    _say_tuned(asked, trace, said, as_json)
    return 0


def _decided(lab: KernelEnvironment, found: Machine, typed: SearchOptions, out: Path) -> tuning.TuningRequest:
    names = [each.name for each in named(typed.names or ["causal"], typed.dtype, typed.direction)]
    direction: Any = typed.direction
    dtype, family = tuning.choose(lab, found, names, typed.dtype, direction, typed.family)  # type: ignore[arg-type]
    return tuning.TuningRequest(
        tuple(names),
        dtype,
        direction,
        family,
        typed.proposer,
        typed.budget,
        typed.seed,
        typed.searches,
        out,
        typed.mode,
        typed.tape,
    )


def search_text(name: str, progress: Progress) -> str:
    """Return one line on how far a search is: best so far, counts by status, what was spent."""
    best = "none passed yet" if progress.score is None else f"best {progress.score:.2f}x"
    counts = ", ".join(f"{number} {status}" for status, number in progress.statuses.items())
    tokens = f" · {progress.tokens:,} tokens" if progress.tokens else ""
    return f"{name}: {progress.trials} of {progress.budget} · {best} · {counts}{tokens} · {progress.cpu_s:,.0f} CPU-s"


def _how_to_go_on(asked: tuning.TuningRequest) -> str:
    if not asked.out.exists():
        return "interrupted before anything was tried; nothing was written"
    tried = sum(isinstance(line, Trial) for line in Trace(asked.out).lines)
    return f"interrupted; {tried} candidates that were tried are in {asked.out}; go on with: {asked.command}"


def _say_tuned(asked: tuning.TuningRequest, trace: Trace, said: Sequence[tuning.Sentence], as_json: bool) -> None:
    ours = [line for line in trace.lines if getattr(line, "session", None) in asked.sessions]
    sources = [line for line in trace.lines if line.kind == "source"]
    table, found = rows(fresh([*sources, *ours])), searches(ours)
    failed = _failed(ours)
    if as_json:
        content = {"trace": str(asked.out), "sentences": said, "rows": table, "searches": found, "failed": failed}
        _print_json(content)
        return
    console.show_rows(table)
    _say_failed(failed)
    for search in found:
        console.show_spent(search)
    for each in said:
        print_text(f"{each.session}: {each.sentence}")
    print_text(f"Written to {asked.out}; `asara kernels report {asked.out}` shows all of it.")


def report(traces: Sequence[Path], only: Sequence[str], out: Path | None, as_json: bool) -> int:
    """Print every table of some traces, or of some workloads in them, and write them with the picture."""
    paths = list(traces) or shipped_traces()
    if not paths:
        raise InputError("no measurements come with this version: name a trace, as `asara kernels tune` writes it")
    with plainly():
        lines = full_report.of_workloads(read_traces(paths), only)
    if out is not None:
        check_folder(out)
    found = full_report.report(lines)
    files: dict[str, bytes] = {}
    if out is not None:
        files[full_report.REPORT] = json_file(plain(found))
        if drawn := panels(found.searches, fresh(lines), found.fits):
            traced = sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
            files[full_report.PICTURE] = picture(drawn, footer_text(f"searches: {len(found.searches)}", trace=traced))
        write_files(out, files)
    if as_json:
        _print_json(found)
        return 0
    console.show_report(found)
    if out is not None:
        print_text(f"Written to {out}: {', '.join(files)}.")
    return 0


def verify(lab: KernelEnvironment, source: Path, asked: Sequence[Workload], as_json: bool) -> int:
    """Try one foreign source on some workloads: 0 if it passed on all of them."""
    text = read_source(source)
    isolation = lab.isolation()
    if not isolation.foreign_allowed:
        raise InputError(f"{source}: foreign source does not run here ({isolation.detail})")
    verdicts: list[TrialVerdict] = []
    noisy: NoisyMachineError | None = None
    try:
        with plainly(), progress() as tell:
            found = lab.survey(True)
            for each in asked:
                tell(f"{each.full_name}: {source}", None)
                with lab.bench(each, found) as bench:
                    verdicts.append(measurement_sessions.verify(text, each, bench))
    except NoisyMachineError as error:
        noisy = error
    except KeyboardInterrupt:
        raise InputError("interrupted; nothing was written") from None
    _say_verdicts(source, verdicts, as_json)
    if noisy is not None:
        return _too_noisy(noisy)
    return 0 if all(verdict.status == "passed" for verdict in verdicts) else FAILED


def _say_verdicts(source: Path, verdicts: Sequence[TrialVerdict], as_json: bool) -> None:
    if not verdicts:
        return
    told = [(verdict, _how_fast(verdict, source.name)) for verdict in verdicts]
    if as_json:
        _print_json({"source": str(source), "verdicts": [_verdict(verdict, fast) for verdict, fast in told]})
    else:
        for verdict, fast in told:
            console.show_verdict(verdict, fast)


def worth(scenario: str, settings: Sequence[str], seeds: int, as_json: bool) -> int:
    """Say what measured kernels are worth to a lab."""
    chosen = load_scenario(scenario, settings, None)
    with progress() as tell, GracefulInterrupt() as interrupt:

        def watch(done: int, total: int, world: World) -> bool:
            interrupt.clock = world.clock
            tell(f"{done} of {total} runs are over; this one is at day {world.now:,.0f}", done / total)
            return interrupt.happened

        found = worth_of(chosen, range(seeds), watch)
    if as_json:
        _print_json(found)
    else:
        console.show_worth(found)
    if interrupt.happened:
        raise InputError(f"interrupted after {len(found.seeds)} of {seeds} pairs of runs")
    return 0


def read_source(path: Path) -> str:
    """Return the text of a foreign file. Raises InputError for what cannot be one."""
    content = path.read_bytes()
    if len(content) > LARGEST_SOURCE:
        raise InputError(f"{path}: {len(content):,} bytes are no kernel; at most {LARGEST_SOURCE:,}")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text in UTF-8") from None
    if not text.strip():
        raise InputError(f"{path}: it is empty")
    return text


def _how_fast(verdict: TrialVerdict, name: str) -> str:
    if verdict.status != "passed":
        return (
            "How fast was not measured." if not verdict.outcome.timed else "How fast is not told of what did not pass."
        )
    return claim(name, held_out_gain(verdict.outcome.timed))


def _verdict(verdict: TrialVerdict, fast: str) -> dict[str, Any]:
    timed = verdict.outcome.timed
    gains = {"over_sdpa": held_out_gain(timed), "on_tuned": held_out_gain(timed, held_out=False)}
    errors = [each.error for each in timed if each.error is not None]
    kept = {name: getattr(verdict, name) for name in ("workload", "isolation", "status", "right", "safe", "reason")}
    passed = verdict.status == "passed"
    return kept | (gains if passed else dict.fromkeys(gains)) | {"error": max(errors, default=None), "sentence": fast}
