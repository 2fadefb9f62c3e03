"""The server of the page: local by default, and no paths besides the page."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.errors import InputError
from experiments.window import actions, default_link, server
from sim.scenario.model import Scenario, ScenarioError


def guard(tmp_path: Path, hosts: frozenset[str] | None = server.LOOPBACK) -> server.RequestGuard:
    (tmp_path / "lib").mkdir(exist_ok=True)
    (tmp_path / "lib" / "a.js").write_text("1")
    (tmp_path / "secret").write_text("2")
    return server.RequestGuard(_answer, tmp_path, hosts)


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "passed"})


def request(path: str = "/", host: str = "127.0.0.1:8765", kind: str = "http", **headers: str) -> dict[str, Any]:
    named = {"host": host, **headers}
    return {"type": kind, "path": path, "headers": [(k.encode(), v.encode("latin-1")) for k, v in named.items()]}


def answers(to: server.RequestGuard, asked: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("a refusal reads nothing")

    asyncio.run(to(asked, receive, send))
    return sent


@pytest.mark.parametrize(
    "path", ["/", "/static/main.js", "/jupyter/nbextensions/x.js", "/_solara/cdn/lib/a.js", "/_solara/api/close/1"]
)
def test_guard_passes_the_requests_of_a_page(tmp_path: Path, path: str) -> None:
    assert answers(guard(tmp_path), request(path)) == [{"type": "passed"}]


@pytest.mark.parametrize(
    "path",
    [
        "/readyz",
        "/resourcez",
        "/etc/passwd",
        "/_solara/cdn/lib",
        "/_solara/cdn/",
        "/_solara/cdn/lib/b.js",
        "/_solara/cdn/../secret",
        "/_solara/cdn/lib/../../secret",
        "/_solara/api/evict/1",
        "/other",
        "/_solara/cdn/\x00",
        "/_solara/cdn/" + "a" * 5000,
    ],
)
def test_guard_refuses_other_paths(tmp_path: Path, path: str) -> None:
    start, body = answers(guard(tmp_path), request(path))
    assert start["status"] == 404
    assert body["body"] == b"not found\n"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "[fe80::1]:8765"])
def test_guard_of_a_local_server_refuses_other_hosts(tmp_path: Path, host: str) -> None:
    assert not guard(tmp_path).allows(request(host=host))
    assert guard(tmp_path, None).allows(request(host=host))


def test_guard_answer_to_another_host_names_proxy_and_option(tmp_path: Path) -> None:
    start, body = answers(guard(tmp_path), request(host="lab.example"))
    assert start["status"] == 404
    assert b"proxy" in body["body"] and b"asara show --host" in body["body"]


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "[::1]:8765", "[::1]"])
def test_guard_accepts_names_of_this_machine(tmp_path: Path, host: str) -> None:
    assert guard(tmp_path).allows(request(host=host))


@pytest.mark.parametrize("hosts", [server.LOOPBACK, None])
def test_guard_refuses_websockets_of_other_origins(tmp_path: Path, hosts: frozenset[str] | None) -> None:
    path = "/jupyter/api/kernels/1/channels"
    own = request(path, kind="websocket", origin="http://127.0.0.1:8765")
    assert guard(tmp_path, hosts).allows(own)
    for origin in ({"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:1"}, {}):
        (refused,) = answers(guard(tmp_path, hosts), request(path, kind="websocket", **origin))
        assert refused == {"type": "websocket.close", "code": 1008}


def test_guard_passes_lifespan_messages(tmp_path: Path) -> None:
    assert answers(guard(tmp_path), {"type": "lifespan"}) == [{"type": "passed"}]


def test_open_socket_is_a_tcp_socket() -> None:
    """asyncio disables Nagle's algorithm only for sockets with the TCP protocol number."""
    with server.open_socket("127.0.0.1", 0) as taken:
        assert taken.proto == socket.IPPROTO_TCP


def test_open_socket_on_a_used_port_raises() -> None:
    with (
        server.open_socket("127.0.0.1", 0) as first,
        pytest.raises(InputError, match=r"cannot be used \(Address already"),
    ):
        server.open_socket("127.0.0.1", first.getsockname()[1])


@pytest.mark.parametrize("host", ["no.such.host.invalid", "", "a" * 300, "\udcff"])
def test_open_socket_on_an_unknown_host_raises(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(InputError, match="no such address on this machine"):
        server.open_socket(host, 0)


def test_configure_solara_without_packages_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "solara_assets", None)
    with pytest.raises(InputError, match="install asara with its extra 'viz'"):
        server.configure_solara()


def test_configure_solara_disables_telemetry() -> None:
    assert server.SETTINGS["SOLARA_TELEMETRY_MIXPANEL_ENABLE"] == "False"
    server.configure_solara()
    settings = sys.modules["solara.server.settings"]
    assert settings.assets.extra_locations == [str(server.ASSETS)]
    assert not settings.telemetry.mixpanel_enable


def test_command_warns_of_another_host(capsys: pytest.CaptureFixture[str]) -> None:
    actions.warn_of_host("0.0.0.0")
    assert "everyone who can reach this machine" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "http://127.0.0.1:9/"), ("::1", "http://[::1]:9/"), ("0.0.0.0", "http://127.0.0.1:9/")],
)
def test_command_address_can_be_opened_by_a_browser(host: str, address: str) -> None:
    assert actions.page_address(host, 9) == address


def test_command_refuses_an_invalid_scenario() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'cluster__gpus'"):
        actions.checked_link("lab", ["cluster__gpu=3"], 0)
    with pytest.raises(ScenarioError, match="no scenario"):
        actions.checked_link("lub", [], 0)


@pytest.fixture
def _shipped_default() -> Iterator[None]:
    default_link.clear_default()
    yield
    default_link.clear_default()


@pytest.mark.usefixtures("_shipped_default")
def test_available_scenarios_are_the_shipped_ones_and_the_commands(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text("[cluster]\ngpus = 64\n")
    assert default_link.default_link().scenario == Scenario.load("lab")
    link, base = actions.checked_link(str(own), ["cluster__gpus_per_node=4"], 3)
    default_link.set_default(link, base)
    assert default_link.available_scenarios()[-1] == "mine"
    assert default_link.scenario_named("mine").cluster.gpus_per_node == 8
    assert default_link.link_from_query("").link.scenario.cluster == link.scenario.cluster
    assert default_link.link_from_query("?scenario=mine&seed=4&frame=2").link.seed == 4
    for name in (str(own), "../lab", "/etc/passwd", "", "x" * 1000):
        with pytest.raises(InputError, match="there is no scenario"):
            default_link.scenario_named(name)


@pytest.mark.parametrize(
    "query", ["?scenario=../x", "?frame=-1", "?a=b", "?scenario=lab&cluster__gpus=0", "?%", "?x" * 9000]
)
def test_link_from_an_invalid_query_explains_the_error(query: str) -> None:
    opening_ = default_link.link_from_query(query)
    assert opening_.link == default_link.default_link()
    assert opening_.error.endswith((". This page opened without its link.", "? This page opened without its link."))
