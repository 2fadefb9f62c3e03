"""Print the results of the kernel commands on a terminal, as tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table

from experiments.cli.terminal import console, print_table, print_text
from experiments.kernels.curve_fits import CurveFit
from experiments.kernels.full_report import Report
from experiments.kernels.kernel_value import KernelValue
from experiments.kernels.measurement_sessions import TrialVerdict
from experiments.kernels.result_tables import KernelGap, KernelRow, Noise
from experiments.kernels.search_tables import Failures, PredictionAccuracy, SearchRow
from hardware.kernels.machine import Machine
from hardware.kernels.speedup_curve import CurveInterval
from hardware.kernels.statistics import Speedup

Column = tuple[str, str]
_FILE_COLUMNS = 128


def format_gain(value: Speedup | CurveInterval | None) -> str:
    """Format a speed-up with its interval: 1.42x [1.38, 1.45]."""
    if value is None:
        return "-"
    number, low, high = value
    if low is None or high is None or low == high:
        return f"{number:.2f}x"
    return f"{number:.2f}x [{low:.2f}, {high:.2f}]"


def show_machine(machine: Machine, isolation: str, families: Mapping[str, Mapping[str, str | None]]) -> None:
    """Print the hardware and roofline of a machine, and for each family what it can compute here or why it cannot."""
    facts = {
        "processor": machine.processor,
        "architecture": machine.architecture,
        "cores": str(machine.cores),
        "memory": f"{machine.memory_gib:g} GiB",
        "caches": ", ".join(f"{name} {size:,} KiB" for name, size in machine.caches_kib.items()) or "-",
        "instruction sets": ", ".join(machine.instructions) or "none that a family can use",
        "compiler": machine.compiler or "none",
        "accelerator": machine.accelerator or "none",
        "versions": ", ".join(f"{name} {version}" for name, version in machine.versions.items()),
        "isolation of untrusted source": isolation,
    }
    if machine.roofline is not None:
        rates = ", ".join(f"{dtype} {rate:,.0f}" for dtype, rate in machine.roofline.gflops.items())
        facts["roofline of one core"] = f"{rates} GF/s; copy {machine.roofline.copy_gbs:.1f} GB/s"
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, text in facts.items():
        table.add_row(name, text)
    _print_full_table(table)
    print_text()
    _show_families(families)


def _show_families(families: Mapping[str, Mapping[str, str | None]]) -> None:
    """Print which dtypes and passes each family supports.

    ``families``: name → dtype and pass → reason why it is not available, or None.
    """
    dtypes = list(dict.fromkeys(problem.split()[0] for reasons in families.values() for problem in reasons))
    table = _make_table(("family", "left"), *((dtype, "left") for dtype in dtypes))
    for name, reasons in families.items():
        cells = [
            [problem.split()[1] for problem, why in reasons.items() if why is None and problem.startswith(dtype)]
            for dtype in dtypes
        ]
        table.add_row(name, *(", ".join(cell) or "-" for cell in cells))
    _print_full_table(table)
    for name, reasons in families.items():
        for reason in dict.fromkeys(reason for reason in reasons.values() if reason is not None):
            at = [problem for problem, found in reasons.items() if found == reason]
            where = "any dtype and pass" if len(at) == len(reasons) else ", ".join(at)
            print_text(f"{name} is not available for {where}: {reason}")


def show_kernel_rows(rows: Sequence[KernelRow], kernels: bool = True) -> None:
    """Print the speed-up of each method, one table for each machine and workload.

    ``kernels``: whether to list the kernels below each table.
    """
    for machine, workload in dict.fromkeys((row.machine, row.workload) for row in rows):
        group = [row for row in rows if (row.machine, row.workload) == (machine, workload)]
        table = _make_table(
            ("method", "left"),
            ("over eager", "right"),
            ("over SDPA", "right"),
            ("tuned shapes", "right"),
            ("roofline", "right"),
            ("error", "right"),
            ("lines", "right"),
            ("parameters", "right"),
        )
        table.columns[0].no_wrap = True
        for row in group:
            table.add_row(*_cells(row))
        print_text(f"{workload} on {machine}")
        _print_full_table(table)
        for row in group:
            if kernels and row.parameters:
                print_text(f"  {row.method}: {row.candidate}")
        print_text()


def _method_label(row: KernelRow) -> str:
    searched = "search" in row.method or "tuner" in row.method
    return f"{row.method} ×{row.searches}" if searched and row.searches > 1 else row.method


def _cells(row: KernelRow) -> tuple[str, ...]:
    return (
        _method_label(row),
        format_gain(row.over_eager),
        format_gain(row.over_sdpa),
        format_gain(row.on_tuned),
        "-" if row.roofline is None else f"{row.roofline:.0%}",
        "-" if row.error is None else f"{row.error:.2g}",
        "-" if row.lines is None else f"{row.lines:,}",
        str(row.parameters),
    )


def show_report(report: Report) -> None:
    """Print all tables of a report."""
    if report.averages:
        _heading("Geometric mean over workloads, each with its best family, on held-out shapes")
        print_text()
        show_kernel_rows(report.averages, kernels=False)
    if report.rows:
        _heading("Speed-up by workload on held-out shapes, with 95% intervals")
        print_text()
        show_kernel_rows(report.rows)
    _show_gaps(report.gaps)
    _show_fits(report.fits)
    _show_searches(report.searches)
    _show_failures(report.failures)
    _show_forecasts(report.forecasts)
    _show_noise(report.noise)


def _show_gaps(gaps: Sequence[KernelGap]) -> None:
    table = _make_table(("workload", "left"), ("best kernel", "left"), ("gap", "right"), ("", "left"))
    for each in gaps:
        table.add_row(
            _workload_label(each, gaps),
            each.candidate,
            format_gain(each.gap),
            "significant" if each.proved else "not significant",
        )
    _print_titled("Kernel Gap: speed-up of the best validated kernel over torch's SDPA, on held-out shapes", table)


def _workload_label(record: KernelGap | CurveFit | Noise, records: Sequence[KernelGap | CurveFit | Noise]) -> str:
    """Return the workload, with the machine if the records come from several machines."""
    several = len({each.machine for each in records}) > 1
    return f"{record.workload}, {record.machine}" if several else record.workload


def _show_fits(fits: Sequence[CurveFit]) -> None:
    table = _make_table(
        ("workload", "left"),
        ("searches", "right"),
        ("tried", "right"),
        ("reached", "right"),
        ("ceiling", "right"),
        ("roofline", "right"),
        ("elasticity, first 20", "right"),
        ("elasticity, after 20", "right"),
    )
    for each in fits:
        table.add_row(
            _workload_label(each, fits),
            str(each.searches),
            str(each.tried),
            format_gain(each.reached),
            f"{each.ceiling:.2f}x",
            "-" if each.cap is None else f"{each.cap:.2f}x",
            _format_interval(each.early),
            "-" if each.late is None else _format_interval(each.late),
        )
    title = (
        "Speed-up by number of candidates, fitted to repeated searches and scaled to the re-measured winners; "
        "elasticity: doublings of speed per doubling of candidates"
    )
    _print_titled(title, table)
    for each in fits:
        print_text(f"{_workload_label(each, fits)}: {each.curve.description}.")


def _format_interval(value: CurveInterval) -> str:
    if value.low is None or value.high is None:
        return f"{value.value:.3f}"
    return f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"


def _show_searches(searches: Sequence[SearchRow]) -> None:
    table = _make_table(
        ("workload", "left"),
        ("proposer", "left"),
        ("seed", "right"),
        ("tried", "right"),
        ("best", "right"),
        ("by", "left"),
        ("CPU-seconds", "right"),
        ("tokens", "right"),
        ("", "left"),
    )
    for each in searches:
        best = f"{each.steps[-1][1]:.2f}x" if each.steps else "-"
        table.add_row(
            each.workload,
            each.proposer,
            str(each.seed),
            f"{each.tried} of {each.budget}",
            best,
            each.best,
            f"{each.cpu_s:,.0f}",
            f"{each.tokens:,}",
            "" if each.over else "incomplete",
        )
    _print_titled("Searches, with quick timings on the tuned shapes (the winners are re-measured)", table)


def _show_failures(found: Sequence[Failures]) -> None:
    statuses = list(dict.fromkeys(status for each in found for status in each.counts))
    table = _make_table(
        ("proposer", "left"), ("candidates", "right"), ("failed", "right"), *((status, "right") for status in statuses)
    )
    for each in found:
        failed = "-" if each.failed is None else f"{each.failed:.0%}"
        table.add_row(each.proposer, str(each.tried), failed, *(str(each.counts.get(name, 0)) for name in statuses))
    _print_titled("Candidates by status", table)


def _show_forecasts(found: Sequence[PredictionAccuracy]) -> None:
    table = _make_table(
        ("proposer", "left"), ("predictions", "right"), ("rank correlation", "right"), ("predicted / measured", "right")
    )
    for each in found:
        rank = "-" if each.rank_correlation is None else f"{each.rank_correlation:.2f}"
        table.add_row(each.proposer, str(each.pairs), rank, "-" if each.optimism is None else f"{each.optimism:.2f}")
    _print_titled("Predicted and measured speed-up of candidates that passed", table)


def _show_noise(found: Sequence[Noise]) -> None:
    table = _make_table(("workload", "left"), ("ratio", "right"))
    for each in found:
        table.add_row(_workload_label(each, found), format_ratio(each.ratio))
    _print_titled("A/A test: SDPA timed against itself; the ratio must be 1", table)


def format_ratio(ratio: Speedup) -> str:
    """Format a ratio near 1 with three decimals and its interval."""
    return f"{ratio.ratio:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"


def show_search_cost(search: SearchRow) -> None:
    """Print the cost of a search and its candidates by status."""
    counts = ", ".join(f"{number} {status}" for status, number in search.counts.items())
    tokens = f" and {search.tokens:,} tokens" if search.tokens else ""
    print_text(f"{search.session}: {search.tried} tried ({counts}) in {search.cpu_s:,.0f} CPU-seconds{tokens}.")


def show_verdict(verdict: TrialVerdict, speed_sentence: str) -> None:
    """Print whether an untrusted kernel is correct and safe, and its speed-up."""
    words = {True: "yes", False: "no", None: "unknown"}
    print_text(f"{verdict.workload}: {verdict.status}{': ' if verdict.reason else ''}{verdict.reason}")
    print_text(f"  correct: {words[verdict.right]}; safe: {words[verdict.safe]}; isolation: {verdict.isolation}")
    print_text(f"  {speed_sentence}")


def show_kernel_value(found: KernelValue) -> None:
    """Print how many days kernels save a lab."""
    print_text(found.sentence)
    table = _make_table(("ending", "left"), ("with kernels", "right"), ("without", "right"))
    for name, (with_kernels, without) in found.endings.items():
        table.add_row(name, str(with_kernels), str(without))
    _print_full_table(table)
    print_text(
        f"{found.scenario} with measurements {found.measurements} (SHA-256 {found.digest[:12]}; "
        f"{found.searches_description}): "
        f"at the end of the runs, kernels multiply the cluster's work rate by {found.work_rate:.3f}."
    )


def _heading(text: str) -> None:
    print_text()
    print_text(text)


def _print_titled(title: str, table: Table) -> None:
    """Print a table below its title, unless it is empty."""
    if table.row_count:
        _heading(title)
        _print_full_table(table)


def _make_table(*columns: Column) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title, justify in columns:
        table.add_column(title, justify=justify)  # type: ignore[arg-type]  # rich has a Literal type for them
    return table


def _print_full_table(table: Table) -> None:
    print_table(table, at_least=0 if console().is_terminal else _FILE_COLUMNS)  # long lines are not wrapped in a file
