"""Carry out the commands of `asara kernels`; each function of a command returns the exit code."""

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
from experiments.cli.progress import show_progress
from experiments.cli.terminal import print_json, print_text
from experiments.errors import InputError
from experiments.kernels import console, full_report, measurement_sessions, tuning
from experiments.kernels.figure import build_panels, searches_picture
from experiments.kernels.full_report import read_traces, shipped_traces
from experiments.kernels.kernel_value import estimate_kernel_value
from experiments.kernels.measurement_sessions import InMemoryTrace, KernelEnvironment, NoisyMachineError, TrialVerdict
from experiments.kernels.result_tables import claim_sentence, held_out_gain, kernel_rows, remeasured_kernels
from experiments.kernels.search_tables import search_rows
from experiments.plotting.captions import footer_text
from experiments.progress import OnProgress, Progress
from experiments.storage.atomic import json_file, to_json_values, write_files
from hardware.kernels.compiler import BuildError
from hardware.kernels.machine import Machine
from hardware.kernels.problem import DIRECTIONS, DTYPES, NAMES, Problem, Workload
from hardware.kernels.problem import workload as standard_workload
from hardware.kernels.proposers.endpoint import EndpointError
from hardware.kernels.proposers.recording import NotOnTapeError, TapeError
from hardware.kernels.proposers.registry import UnknownProposerError
from hardware.kernels.proposers.registry import proposer as make_proposer
from hardware.kernels.sandbox import SandboxError
from hardware.kernels.search import SearchError
from hardware.kernels.trace import FinalMeasurement, Line, Trace, TraceError, Trial

FAILED: Final = 1
"""Exit code of a valid command without a result: the machine is too noisy, or a kernel did not pass."""
MAX_SOURCE_BYTES: Final = 1_000_000
"""Largest file with untrusted source [bytes]."""
_INPUT_ERRORS: Final = (
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
def explain_input_errors() -> Iterator[None]:
    """Convert errors that the input causes into InputError, which prints one sentence."""
    try:
        yield
    except _INPUT_ERRORS as error:
        raise InputError(str(error)) from None


def resolve_workloads(names: Sequence[str], dtype: str | None, direction: str) -> list[Workload]:
    """Return the named workloads, or all workloads that have this pass; the default dtype is fp32.

    Raises InputError for an unknown name, with the closest known one.
    """
    for option, word, known in (
        ("--dtype", dtype, DTYPES),
        ("--pass", direction, DIRECTIONS),
        *(("--workload", name, NAMES) for name in names),
    ):
        if word is not None and word not in known:
            near = get_close_matches(word, known, n=1)
            meant = f"; did you mean '{near[0]}'?" if near else ""
            raise InputError(f"{option} {word} is unknown; allowed: {', '.join(known)}{meant}")
    chosen = names or [name for name in NAMES if direction == "forward" or name != "decode"]
    try:
        return [standard_workload(name, dtype or "fp32", direction) for name in dict.fromkeys(chosen)]  # type: ignore[arg-type]
    except ValueError as error:
        raise InputError(str(error)) from None


def _print_json(content: Any) -> None:
    print_json(to_json_values(content))


def _report_noise(error: NoisyMachineError) -> int:
    print(f"asara: {error}", file=sys.stderr)
    return FAILED


def machine(environment: KernelEnvironment, as_json: bool) -> int:
    """Print the hardware of this machine and the families that it can run."""
    roofline_error = ""
    try:
        found = environment.detect_machine(True)
    except BuildError as error:
        found, roofline_error = environment.detect_machine(False), str(error)
    problems = [Problem(dtype, direction, causal=False) for dtype in DTYPES for direction in DIRECTIONS]
    reasons = {
        f"{each.dtype} {each.direction}": measurement_sessions.unavailable_reasons(environment, found, each)
        for each in problems
    }
    families = {name: {problem: why[name] for problem, why in reasons.items()} for name in environment.families}
    isolation = environment.detect_isolation()
    if as_json:
        kept = {"name": isolation.name, "detail": isolation.detail, "foreign_allowed": isolation.untrusted_allowed}
        content = {"machine": found.model_dump(mode="json"), "isolation": kept, "families": families}
        _print_json(content | {"roofline_missing": roofline_error or None})
    else:
        console.show_machine(found, f"{isolation.name} ({isolation.detail})", families)
        if roofline_error:
            print_text(f"The roofline could not be measured, and timing needs it: {roofline_error}")
    return 0


def measure(environment: KernelEnvironment, asked: Sequence[Workload], out: Path | None, as_json: bool) -> int:
    """Time every available family on some workloads; an interrupted run still prints its measurements."""
    lines: Trace | InMemoryTrace = InMemoryTrace()
    try:
        with explain_input_errors():
            shipped = read_traces(shipped_traces())
            found = environment.detect_machine(True)
            lines = Trace(out) if out is not None else lines
            with show_progress() as on_progress:
                for each in asked:
                    _measure_one(environment, lines, each, found, shipped, on_progress)
    except NoisyMachineError as error:
        if lines.lines:
            _print_measured(lines, as_json)
        return _report_noise(error)
    except KeyboardInterrupt:
        if lines.lines:
            _print_measured(lines, as_json)
        kept = f"the measurements so far are in {out}" if lines.lines and out else "nothing was written"
        raise InputError(f"interrupted; {kept}") from None
    _print_measured(lines, as_json)
    return 0


def _measure_one(
    environment: KernelEnvironment,
    lines: measurement_sessions.TraceSink,
    asked: Workload,
    found: Any,
    shipped: Any,
    on_progress: OnProgress,
) -> None:
    tasks = measurement_sessions.family_tasks(environment, found, asked, shipped)
    with environment.open_evaluator(asked, found) as evaluator:
        measurement_sessions.measure_families(lines, asked, evaluator, tasks, on_progress)


def _print_measured(lines: measurement_sessions.TraceSink, as_json: bool) -> None:
    table = kernel_rows(remeasured_kernels(lines.lines))
    failed = _failed_measurements(lines.lines)
    if as_json:
        _print_json({"rows": table, "failed": failed})
        return
    console.show_kernel_rows(table)
    _print_failed(failed)


def _failed_measurements(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Return the re-measurements without a result; of repeated measurements only the last one counts."""
    last = {
        (line.session, line.role, line.digest, line.against): line
        for line in lines
        if isinstance(line, FinalMeasurement)
    }
    kept = ("session", "role", "family", "parameters", "against", "status", "reason")
    return [{name: getattr(line, name) for name in kept} for line in last.values() if line.status != "passed"]


def _print_failed(failed: Sequence[dict[str, Any]]) -> None:
    for each in failed:
        measurement = f"{each['role']} {each['family']} against {each['against']}"
        print_text(f"No result for {measurement}: {each['status']}, {each['reason']}")


def check_new_file(out: Path | None) -> None:
    """Raise InputError if the trace already exists or cannot be written."""
    if out is not None:
        if out.is_file():
            raise InputError(f"--out {out} already exists, and a trace is never overwritten; name a new file")
        check_file(out)


class SearchOptions(NamedTuple):
    """The options of `asara kernels tune`, as typed."""

    names: Sequence[str]
    dtype: str | None
    direction: str
    family: str | None
    proposer: str
    mode: str
    tape: Path | None
    budget: int
    seed: int
    search_rows: int


def tune(environment: KernelEnvironment, options: SearchOptions, out: Path, resume: bool, as_json: bool) -> int:
    """Search, re-measure the winners and print the conclusions."""
    resolve_workloads(options.names, options.dtype, options.direction)
    check_file(out)
    with explain_input_errors():
        proposer = make_proposer(options.proposer, options.mode, options.tape)  # type: ignore[arg-type]  # it checks the mode
        tuning.check_trace_file(out, resume)
        found = environment.detect_machine(True)
        asked = _complete_request(environment, found, options, out)
        if resume:
            tuning.check_sessions(asked, found)
        try:
            with show_progress() as on_progress:
                trace = Trace(out)
                conclusions = tuning.run_searches(
                    asked,
                    trace,
                    environment,
                    found,
                    proposer,
                    on_progress,
                )
        except NoisyMachineError as error:
            return _report_noise(error)
        except KeyboardInterrupt:
            raise InputError(_resume_hint(asked)) from None
    _print_tuned(asked, trace, conclusions, as_json)
    return 0


def _complete_request(
    environment: KernelEnvironment, found: Machine, options: SearchOptions, out: Path
) -> tuning.TuningRequest:
    names = [each.name for each in resolve_workloads(options.names or ["causal"], options.dtype, options.direction)]
    direction: Any = options.direction
    dtype, family = tuning.choose_family(environment, found, names, options.dtype, direction, options.family)  # type: ignore[arg-type]
    return tuning.TuningRequest(
        tuple(names),
        dtype,
        direction,
        family,
        options.proposer,
        options.budget,
        options.seed,
        options.search_rows,
        out,
        options.mode,
        options.tape,
    )


def _resume_hint(asked: tuning.TuningRequest) -> str:
    if not asked.out.exists():
        return "interrupted before the first trial; nothing was written"
    tried = sum(isinstance(line, Trial) for line in Trace(asked.out).lines)
    return f"interrupted; {tried} trials are in {asked.out}; continue with: {asked.resume_command}"


def _print_tuned(
    asked: tuning.TuningRequest, trace: Trace, conclusions: Sequence[tuning.SearchConclusion], as_json: bool
) -> None:
    ours = [line for line in trace.lines if getattr(line, "session", None) in asked.session_names]
    sources = [line for line in trace.lines if line.kind == "source"]
    table, found = kernel_rows(remeasured_kernels([*sources, *ours])), search_rows(ours)
    failed = _failed_measurements(ours)
    if as_json:
        content = {
            "trace": str(asked.out),
            "sentences": conclusions,
            "rows": table,
            "searches": found,
            "failed": failed,
        }
        _print_json(content)
        return
    console.show_kernel_rows(table)
    _print_failed(failed)
    for search in found:
        console.show_search_cost(search)
    for each in conclusions:
        print_text(f"{each.session}: {each.sentence}")
    print_text(f"Written to {asked.out}; `asara kernels report {asked.out}` prints the full report.")


def report(traces: Sequence[Path], only: Sequence[str], out: Path | None, as_json: bool) -> int:
    """Print all tables of some traces, optionally for some workloads only, and write them with the figure."""
    paths = list(traces) or shipped_traces()
    if not paths:
        raise InputError("this version contains no measurements; name a trace that `asara kernels tune` wrote")
    with explain_input_errors():
        lines = full_report.select_workloads(read_traces(paths), only)
    if out is not None:
        check_folder(out)
    found = full_report.build_report(lines)
    files: dict[str, bytes] = {}
    if out is not None:
        files[full_report.REPORT_FILE] = json_file(to_json_values(found))
        if drawn := build_panels(found.searches, remeasured_kernels(lines), found.fits):
            traced = sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
            files[full_report.PICTURE_FILE] = searches_picture(
                drawn, footer_text(f"searches: {len(found.searches)}", trace=traced)
            )
        write_files(out, files)
    if as_json:
        _print_json(found)
        return 0
    console.show_report(found)
    if out is not None:
        print_text(f"Written to {out}: {', '.join(files)}.")
    return 0


def verify(environment: KernelEnvironment, source: Path, asked: Sequence[Workload], as_json: bool) -> int:
    """Check one untrusted source on some workloads; return 0 if it passed on all of them."""
    text = read_source(source)
    isolation = environment.detect_isolation()
    if not isolation.untrusted_allowed:
        raise InputError(f"{source}: untrusted source cannot run on this machine ({isolation.detail})")
    verdicts: list[TrialVerdict] = []
    noisy: NoisyMachineError | None = None
    try:
        with explain_input_errors(), show_progress() as on_progress:
            found = environment.detect_machine(True)
            for each in asked:
                on_progress(Progress(None, 1, str(source), each.full_name))
                with environment.open_evaluator(each, found) as evaluator:
                    verdicts.append(measurement_sessions.verify_source(text, each, evaluator))
    except NoisyMachineError as error:
        noisy = error
    except KeyboardInterrupt:
        raise InputError("interrupted; nothing was written") from None
    _print_verdicts(source, verdicts, as_json)
    if noisy is not None:
        return _report_noise(noisy)
    return 0 if all(verdict.status == "passed" for verdict in verdicts) else FAILED


def _print_verdicts(source: Path, verdicts: Sequence[TrialVerdict], as_json: bool) -> None:
    if not verdicts:
        return
    described = [(verdict, _speed_sentence(verdict, source.name)) for verdict in verdicts]
    if as_json:
        _print_json(
            {"source": str(source), "verdicts": [_verdict_record(verdict, fast) for verdict, fast in described]}
        )
    else:
        for verdict, fast in described:
            console.show_verdict(verdict, fast)


def worth(scenario: str, settings: Sequence[str], seeds: int, as_json: bool) -> int:
    """Print how many days measured kernels save a lab."""
    chosen = load_scenario(scenario, settings, None)
    with show_progress() as on_progress, GracefulInterrupt() as interrupt:
        found = estimate_kernel_value(chosen, range(seeds), on_progress, interrupt.should_stop)
    if as_json:
        _print_json(found)
    else:
        console.show_kernel_value(found)
    if interrupt.happened:
        raise InputError(f"interrupted after {len(found.seeds)} of {seeds} pairs of runs")
    return 0


def read_source(path: Path) -> str:
    """Return the text of an untrusted source file. Raises InputError if it is empty, too large or not UTF-8."""
    content = path.read_bytes()
    if len(content) > MAX_SOURCE_BYTES:
        raise InputError(f"{path} has {len(content):,} bytes; allowed: at most {MAX_SOURCE_BYTES:,}")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a UTF-8 text file") from None
    if not text.strip():
        raise InputError(f"{path} is empty")
    return text


def _speed_sentence(verdict: TrialVerdict, name: str) -> str:
    if verdict.status != "passed":
        return (
            "The speed was not measured."
            if not verdict.outcome.timed
            else "The speed is not reported, because the kernel did not pass."
        )
    return claim_sentence(name, held_out_gain(verdict.outcome.timed))


def _verdict_record(verdict: TrialVerdict, fast: str) -> dict[str, Any]:
    timed = verdict.outcome.timed
    gains = {"over_sdpa": held_out_gain(timed), "on_tuned": held_out_gain(timed, held_out=False)}
    errors = [each.error for each in timed if each.error is not None]
    kept = {name: getattr(verdict, name) for name in ("workload", "isolation", "status", "right", "safe", "reason")}
    passed = verdict.status == "passed"
    return kept | (gains if passed else dict.fromkeys(gains)) | {"error": max(errors, default=None), "sentence": fast}
