"""The server of the window: Solara's, which Mesa's own window runs on too, behind a guard."""

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
"""Names of this machine that only this machine can use."""
ASSETS = Path(__file__).parent / "assets"
TURN_SECONDS = 5e-4
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
"""What Solara reads when it is imported. No telemetry; a window whose browser went away is freed after ten minutes."""

_PLACES = ("/static/", "/jupyter/nbextensions/", "/jupyter/api/kernels/", "/_solara/api/close/")
"""Beside the page itself and the libraries it loads, all that a browser has to ask for."""
_LIBRARIES = "/_solara/cdn/"
_PLAIN = re.compile(r"[\w@./+-]{1,400}", re.ASCII)
"""Names that a file of a library has."""


OTHER_NAME = (
    b"not here: this window answers to the names of its own machine only. Behind a proxy, let the proxy set the Host "
    b"header to 127.0.0.1, or start it with `asara show --host`\n"
)
"""Answer to a request that names another host."""


class Guard:
    """Passes on what a browser has to ask for, and refuses all else.

    ``hosts``: names under which the server may be addressed; None for any. A page of another origin may not open a
    connection, and no library is fetched from elsewhere: what is not in ``libraries`` is not found.
    """

    def __init__(self, app: App, libraries: Path, hosts: frozenset[str] | None) -> None:
        self._app = app
        self._libraries = libraries.resolve()
        self._hosts = hosts

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        kind = scope["type"]
        if kind not in ("http", "websocket") or self.allows(scope):
            await self._app(scope, receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"not here\n" if self._is_own(scope) else OTHER_NAME})

    def allows(self, scope: Message) -> bool:
        """Return whether a request may pass."""
        if not self._is_own(scope):
            return False
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if scope["type"] == "websocket" and headers.get(b"origin", "").partition("://")[2] != host:
            return False
        return self._is_known(scope["path"])

    def _is_own(self, scope: Message) -> bool:
        """Whether a request names this server by a name that it answers to."""
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        return self._hosts is None or _name_of(host) in self._hosts

    def _is_known(self, path: str) -> bool:
        if path.startswith(_LIBRARIES):
            if not _PLAIN.fullmatch(path):
                return False
            file = (self._libraries / path.removeprefix(_LIBRARIES)).resolve()
            return file.is_relative_to(self._libraries) and file.is_file()
        return path == "/" or path.startswith(_PLACES)


def _name_of(host: str) -> str:
    """The name in a Host header, without the port."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0 is any free one. Raises InputError if that cannot be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise InputError(f"--host {host}: no such address on this machine; 127.0.0.1 is this machine alone") from None
    # By this protocol asyncio knows TCP, and sends at once: else each small message would wait 40 ms for the last one.
    taken = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen()
    except OSError as error:
        taken.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise InputError(f"--host {host} --port {port}: cannot be used ({reason}); --port 0 takes a free one") from None
    return taken


def prepare() -> None:
    """Set what Solara reads at import, and where the style is. Raises InputError if its packages are not installed."""
    os.environ.update(SETTINGS)
    try:
        import solara.server.settings  # noqa: PLC0415
        import solara_assets  # noqa: F401, PLC0415
    except ImportError:
        raise InputError("the window needs more packages: install asara with its extra 'viz'") from None
    solara.server.settings.telemetry.mixpanel_enable = False  # whoever imported it before this
    solara.server.settings.assets.extra_locations = [str(ASSETS)]


def share_processor() -> None:
    """Let the threads of this process take turns of half a millisecond.

    A step takes and leaves the interpreter's lock many times. Beside a thread that computes, each time costs a turn,
    which Python makes 5 ms long.
    """
    sys.setswitchinterval(TURN_SECONDS)


def server(host: str) -> uvicorn.Server:
    """Return the server of the window, for a socket that :func:`listen` returned for this host."""
    prepare()
    share_processor()
    import solara.server.settings  # noqa: PLC0415
    import solara.server.starlette  # noqa: PLC0415
    import uvicorn  # noqa: PLC0415

    # Solara warns at each page that its cookie is good for this site only, which is what a window needs.
    warnings.filterwarnings("ignore", message="Cookies with samesite=none", category=UserWarning)
    libraries = solara.server.settings.assets.proxy_cache_dir
    guard = Guard(solara.server.starlette.app, libraries, LOOPBACK if host in LOOPBACK else None)
    config = uvicorn.Config(guard, log_level="error", access_log=False, lifespan="on", timeout_graceful_shutdown=1)
    return uvicorn.Server(config)
