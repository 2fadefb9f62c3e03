"""Carry out `asara show`: serve a run as a page of the browser."""

from __future__ import annotations

import contextlib
import sys
import threading
import webbrowser
from collections.abc import Sequence

from experiments.cli.arguments import load_scenario
from experiments.errors import InputError
from experiments.window.default_link import set_default
from experiments.window.permalink import Link
from experiments.window.server import LOOPBACK, create_server, open_socket
from sim.scenario.model import Scenario
from sim.world import World


def serve_page(scenario: str, settings: Sequence[str], seed: int, host: str, port: int, *, opens_browser: bool) -> None:
    """Serve the page of a run until Ctrl-C, and print its address.

    Raises InputError if the run or the address is not allowed.
    """
    link, base = checked_link(scenario, settings, seed)
    web_server = create_server(host)
    with open_socket(host, port) as listener:
        address = page_address(host, listener.getsockname()[1])
        if host not in LOOPBACK:
            warn_of_host(host)
        set_default(link, base)
        print(f"asara: the page is open at {address} (Ctrl-C stops the server)", flush=True)
        if opens_browser:
            threading.Thread(target=_open_browser, args=(address,), daemon=True).start()
        try:
            web_server.run(sockets=[listener])
        except KeyboardInterrupt:
            return
    if not web_server.started:
        raise InputError("the server could not start; try another --port")


def checked_link(scenario: str, settings: Sequence[str], seed: int) -> tuple[Link, Scenario]:
    """Return the link of the request and its scenario without changes, after a test that the World can be built."""
    base, chosen = load_scenario(scenario, []), load_scenario(scenario, settings)
    World(chosen, seed).close()
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
    with contextlib.suppress(webbrowser.Error, OSError):
        webbrowser.open(address)
