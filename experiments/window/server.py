"""Run the server of the page: Solara's server, which Mesa uses too, behind a request guard."""

from __future__ import annotations

import os
import re
import socket
import sys
import warnings
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors import InputError

if TYPE_CHECKING:
    import uvicorn

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""Names that only this machine can use for itself."""
ASSETS = Path(__file__).parent / "assets"
THREAD_SWITCH_SECONDS = 5e-4
SETTINGS: Mapping[str, str] = {
    "SOLARA_APP": "experiments.window.app",
    "SOLARA_ASSETS_FONTAWESOME_ENABLED": "False",
    "SOLARA_KERNEL_CULL_TIMEOUT": "10m",
    "SOLARA_MODE": "production",
    "SOLARA_TELEMETRY_MIXPANEL_ENABLE": "False",
    "SOLARA_TELEMETRY_SERVER_USER_ID": "none",
    "SOLARA_THEME_SHOW_BANNER": "False",
    "SOLARA_THEME_TITLE": "asara",
    "SOLARA_THEME_VARIANT": "light",
}
"""Settings that Solara reads at import. No telemetry; a page without a browser is freed after ten minutes."""

_ALLOWED_PATHS = ("/static/", "/jupyter/nbextensions/", "/jupyter/api/kernels/", "/_solara/api/close/")
"""Paths that a browser needs besides the page itself and the libraries."""
_LIBRARY_PATH = "/_solara/cdn/"
_LIBRARY_FILE = re.compile(r"[\w@./+-]{1,400}", re.ASCII)
"""Characters of the path of a library file."""


UNKNOWN_HOST_ANSWER = (
    b"not found: this server accepts only the names of its own machine. Behind a proxy, set the Host header to "
    b"127.0.0.1, or start the server with `asara show --host`\n"
)
"""Answer to a request that names another host."""


class RequestGuard:
    """Pass on the requests that the page needs, and refuse all others.

    ``hosts`` are the allowed names of the server; None for any. A page of another origin cannot open a connection.
    Libraries are not fetched from other servers: a file that is not in ``libraries`` is not found.
    """

    def __init__(self, app: App, libraries: Path, hosts: frozenset[str] | None) -> None:
        self._app = app
        self._library_folder = libraries.resolve()
        self._hosts = hosts

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request of the ASGI protocol."""
        kind = scope["type"]
        if kind not in ("http", "websocket") or self.allows(scope):
            await self._app(scope, receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
            await send(
                {
                    "type": "http.response.body",
                    "body": b"not found\n" if self._is_known_host(scope) else UNKNOWN_HOST_ANSWER,
                }
            )

    def allows(self, scope: Message) -> bool:
        """Return whether a request may pass."""
        if not self._is_known_host(scope):
            return False
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if scope["type"] == "websocket" and headers.get(b"origin", "").partition("://")[2] != host:
            return False
        return self._is_allowed_path(scope["path"])

    def _is_known_host(self, scope: Message) -> bool:
        """Return whether a request names an allowed host."""
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        return self._hosts is None or _host_name(host) in self._hosts

    def _is_allowed_path(self, path: str) -> bool:
        if path.startswith(_LIBRARY_PATH):
            if not _LIBRARY_FILE.fullmatch(path):
                return False
            file = (self._library_folder / path.removeprefix(_LIBRARY_PATH)).resolve()
            return file.is_relative_to(self._library_folder) and file.is_file()
        return path == "/" or path.startswith(_ALLOWED_PATHS)


def _host_name(host: str) -> str:
    """Return the name in a Host header, without the port."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def open_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 selects a free port. Raises InputError if the address cannot be used."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise InputError(
            f"--host {host}: no such address on this machine. Use 127.0.0.1 to serve this machine only."
        ) from None
    # With this protocol asyncio recognizes TCP and sends at once. Otherwise small messages would wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise InputError(
            f"--host {host} --port {port}: cannot be used ({reason}). Use --port 0 for a free port."
        ) from None
    return listener


def configure_solara() -> None:
    """Set what Solara reads at import, and the folder of the style. Raises InputError if packages are missing."""
    os.environ.update(SETTINGS)
    try:
        import solara.server.settings  # noqa: PLC0415
        import solara_assets  # noqa: F401, PLC0415
    except ImportError:
        raise InputError("`asara show` needs additional packages; install asara with its extra 'viz'") from None
    solara.server.settings.telemetry.mixpanel_enable = False  # in case Solara was imported earlier
    solara.server.settings.assets.extra_locations = [str(ASSETS)]


def shorten_thread_switches() -> None:
    """Switch between the threads of this process every half millisecond.

    A step takes and releases the interpreter's lock many times. Beside a computing thread, each time costs a switch
    interval, which is 5 ms by default.
    """
    sys.setswitchinterval(THREAD_SWITCH_SECONDS)


def create_server(host: str) -> uvicorn.Server:
    """Return the server of the page, for a socket that :func:`open_socket` returned for this host."""
    configure_solara()
    shorten_thread_switches()
    import solara.server.settings  # noqa: PLC0415
    import solara.server.starlette  # noqa: PLC0415
    import uvicorn  # noqa: PLC0415

    # Solara warns on each page that its cookie is valid for this site only, which is intended here.
    warnings.filterwarnings("ignore", message="Cookies with samesite=none", category=UserWarning)
    libraries = solara.server.settings.assets.proxy_cache_dir
    guard = RequestGuard(solara.server.starlette.app, libraries, LOOPBACK if host in LOOPBACK else None)
    config = uvicorn.Config(guard, log_level="error", access_log=False, lifespan="on", timeout_graceful_shutdown=1)
    return uvicorn.Server(config)
