"""Define `asara show`, which opens a run in the browser."""
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
    from experiments.window.default_link import set_default
    from experiments.window.server import LOOPBACK, create_server, open_socket

    link, base = checked_link(scenario, settings or [], seed)
    web_server = create_server(host)
    with open_socket(host, port) as listener:
        address = page_address(host, listener.getsockname()[1])
        if host not in LOOPBACK:
            warn_of_host(host)
        set_default(link, base)
        print(f"asara: the page is open at {address} (Ctrl-C stops the server)", flush=True)
        if not no_browser:
            threading.Thread(target=_open_browser, args=(address,), daemon=True).start()
        try:
            web_server.run(sockets=[listener])
        except KeyboardInterrupt:
            return
    if not web_server.started:
        raise InputError("the server could not start; try another --port")


def checked_link(scenario: str, settings: list[str], seed: int) -> tuple[Link, Scenario]:
    """Return the link of the request and its scenario without changes, after a test that the World can be built."""
    from experiments.cli.arguments import load_scenario
    from experiments.window.permalink import Link
    from experiments.window.timeline import release_world
    from sim.world import World

    base, chosen = load_scenario(scenario, []), load_scenario(scenario, settings)
    release_world(World(chosen, seed))
    return Link(chosen.name, chosen, seed), base


def page_address(host: str, port: int) -> str:
    """Return the address of the page that a browser on this machine can open."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/"


def warn_of_host(host: str) -> None:
    """Print a warning that other machines can use the page."""
    print(
        f"asara: warning: with --host {host}, everyone who can reach this machine can use the page, its processor and "
        "its memory. There is no password and no encryption.",
        file=sys.stderr,
        flush=True,
    )


def _open_browser(address: str) -> None:
    """Open the page in a browser, if there is one; the address is printed in any case."""
    import contextlib
    import webbrowser

    with contextlib.suppress(webbrowser.Error, OSError):
        webbrowser.open(address)
