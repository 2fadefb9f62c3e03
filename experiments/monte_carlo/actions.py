"""Carry out `asara mc`: draw worlds from priors, print the probabilities of outcomes, and write the files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from experiments.cli.arguments import check_folder, require_out
from experiments.cli.progress import show_progress
from experiments.cli.terminal import print_json, print_text
from experiments.monte_carlo.priors import load_priors
from experiments.monte_carlo.runner import run_study
from experiments.monte_carlo.summary import summarize, write
from experiments.monte_carlo.table import show_outcome


def sample_worlds(
    priors: str,
    n: int,
    seed: int,
    out: Path | None,
    picture: Literal["png", "svg", "pdf"] | None,
    shape: Literal["page", "wide"] | None,
    as_json: bool,
) -> None:
    """Draw ``n`` worlds from priors, print the results, and write them into ``out`` if it is given.

    Raises InputError if an argument is not allowed.
    """
    chosen = load_priors(priors)
    if out is not None:
        check_folder(out)
    else:
        require_out({"--format": picture, "--shape": shape})
    with show_progress("none") as on_progress:
        drawn, worlds = run_study(chosen.study, n, seed, on_progress=on_progress)
    found = summarize(chosen, n, seed, drawn, worlds)
    if out is not None:
        from experiments.monte_carlo.figure import mc_picture  # noqa: PLC0415 - matplotlib is slow to load

        form = picture or "png"
        names = write(out, found, mc_picture(found, chosen.study, drawn, worlds, form, shape or "page"), form)
    if as_json:
        print_json(found)
        return
    show_outcome(found)
    if out is not None:
        print_text(f"Written to {out}: {', '.join(names)}.")
