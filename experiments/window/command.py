"""Declare `asara show`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli.options import ScenarioName, Seed, Settings

DEFAULT_PORT = 8765


def show(
    scenario: ScenarioName = "lab",
    settings: Settings = None,
    seed: Seed = 0,
    host: Annotated[
        str, typer.Option(help="Address to listen on; the default serves this machine only.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 selects a free one.")
    ] = DEFAULT_PORT,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address without opening a browser.")
    ] = False,
) -> None:
    """Step through a run in the browser: play, rewind, and branch with other parameters and the same seed."""
    from experiments.window.actions import serve_page

    serve_page(scenario, settings or [], seed, host, port, opens_browser=not no_browser)
