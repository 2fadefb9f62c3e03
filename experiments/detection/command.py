"""Declare `asara detect`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import AsJson, Settings, path_argument


def detect(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SCENARIO...",
            help="Shipped scenarios (see `asara scenarios`) or TOML files, of one lab each. If left out: "
            "toy-explosion, toy-fizzle, returns-3 and returns-0.7.",
            show_default=False,
        ),
    ] = None,
    settings: Settings = None,
    detector: Annotated[
        list[str] | None,
        typer.Option(
            "--detector",
            metavar="NAME[=THRESHOLD]",
            help="Detector to judge: pace (or pace=THRESHOLD@DAYS), cusum, shiryaev-roberts, change-point, sprt, or a "
            "published rule. May be repeated. If left out: pace over two windows, cusum and the published rules.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=100_000, help="Number of runs of each scenario, with seeds from 0.")
    ] = 20,
    level: Annotated[
        str,
        typer.Option(
            metavar="LEVEL", help="Level that an alarm should precede: doublings (10), or a multiple (1000x)."
        ),
    ] = "1000x",
    times: Annotated[
        float, typer.Option(help="Pace that counts as fast and that detectors look for, relative to the reference.")
    ] = 5.0,
    window_days: Annotated[float, typer.Option(metavar="DAYS", help="Window of the detector pace.")] = 182.5,
    reference_doubling_days: Annotated[
        float, typer.Option(metavar="DAYS", help="Doubling time of the reference, also before day 0.")
    ] = 182.5,
    detector_noise: Annotated[
        float | None,
        typer.Option(
            metavar="DOUBLINGS",
            help="Standard deviation of the progress between two readings, as detectors with a model assume it. If "
            "left out: that of the readings, at least 0.1.",
        ),
    ] = None,
    years_before: Annotated[
        float, typer.Option(metavar="YEARS", help="Years of readings at the reference pace before day 0.")
    ] = 2.0,
    base_rate: Annotated[
        float, typer.Option(metavar="RATE", help="How often the pace becomes fast, per year, for the precision.")
    ] = 0.1,
    singular_probability: Annotated[
        float, typer.Option(metavar="SHARE", help="Probability that a run is singular, for the precision.")
    ] = 0.5,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Number of processes on this machine; one for each core if left out."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=path_argument, metavar="DIR", help="Write detect.json and detect.png into this folder."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge which alarm on the pace of software rings in time.

    The command runs scenarios without orders and reads their software as a regulator would. It prints false alarms,
    delay, missed share, precision and the time before a level for each detector, against two truths.
    """
    from experiments.detection.actions import judge_detectors

    judge_detectors(
        scenarios or ["toy-explosion", "toy-fizzle", "returns-3", "returns-0.7"],
        settings or [],
        seeds,
        detector or [],
        (times, window_days, reference_doubling_days),
        detector_noise,
        level,
        years_before,
        base_rate,
        singular_probability,
        workers,
        out,
        as_json,
    )
