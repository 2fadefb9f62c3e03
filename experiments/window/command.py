"""`asara show`: the window on a page of the browser."""
# ruff: noqa: PLC0415

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.options import ScenarioName, Seed, Settings
from experiments.errors import InputError

if TYPE_CHECKING:
    from experiments.window.permalink import Link
    from sim.scenario.model import Scenario

PORT = 8765


def show(
    scenario: ScenarioName = "lab",
    settings: Settings = None,
    seed: Seed = 0,
    host: Annotated[
        str, typer.Option(help="Who can reach it: this machine alone, unless you say otherwise.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = PORT,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Step through a run in the browser: rewind it, and run on with another policy and the same luck."""
    from experiments.window.default_link import give
    from experiments.window.server import LOOPBACK, listen, server

    link, base = _link(scenario, settings or [], seed)
    window = server(host)
    with listen(host, port) as taken:
        address = _address(host, taken.getsockname()[1])
        if host not in LOOPBACK:
            _warn(host)
        give(link, base)
        print(f"asara: the window is open at {address} (Ctrl-C closes it)", flush=True)
        if not no_browser:
            threading.Thread(target=_open, args=(address,), daemon=True).start()
        try:
            window.run(sockets=[taken])
        except KeyboardInterrupt:
            return
    if not window.started:
        raise InputError("the server of the window could not start")


def _link(scenario: str, settings: list[str], seed: int) -> tuple[Link, Scenario]:
    """What was asked for, tried before anything is served, and its scenario without changes."""
    from experiments.cli.arguments import load_scenario
    from experiments.window.permalink import Link
    from experiments.window.timeline import forget
    from sim.world import World

    base, chosen = load_scenario(scenario, []), load_scenario(scenario, settings)
    forget(World(chosen, seed))
    return Link(chosen.name, chosen, seed), base


def _address(host: str, port: int) -> str:
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/"


def _warn(host: str) -> None:
    print(
        f"asara: warning: with --host {host} everybody who can reach this machine can use the window, its processor "
        "and its memory; it asks for no password and encrypts nothing",
        file=sys.stderr,
        flush=True,
    )


def _open(address: str) -> None:
    """Open the page where there is a browser; where there is none the address is printed already."""
    import contextlib
    import webbrowser

    with contextlib.suppress(webbrowser.Error, OSError):
        webbrowser.open(address)
