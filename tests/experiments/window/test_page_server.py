"""The server of the window: this machine alone unless somebody says otherwise, and nothing but the page."""

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.errors import InputError
from experiments.window import command, default_link, server
from sim.scenario.model import Scenario, ScenarioError


def guard(tmp_path: Path, hosts: frozenset[str] | None = server.LOOPBACK) -> server.Guard:
    (tmp_path / "lib").mkdir(exist_ok=True)
    (tmp_path / "lib" / "a.js").write_text("1")
    (tmp_path / "secret").write_text("2")
    return server.Guard(_answer, tmp_path, hosts)


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "passed"})


def request(path: str = "/", host: str = "127.0.0.1:8765", kind: str = "http", **headers: str) -> dict[str, Any]:
    named = {"host": host, **headers}
    return {"type": kind, "path": path, "headers": [(k.encode(), v.encode("latin-1")) for k, v in named.items()]}


def answers(to: server.Guard, asked: dict[str, Any]) -> list[dict[str, Any]]:
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
def test_what_a_page_asks_for_passes(tmp_path: Path, path: str) -> None:
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
def test_all_else_is_not_found(tmp_path: Path, path: str) -> None:
    start, body = answers(guard(tmp_path), request(path))
    assert start["status"] == 404
    assert body["body"] == b"not here\n"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "[fe80::1]:8765"])
def test_a_window_of_this_machine_has_no_other_name(tmp_path: Path, host: str) -> None:
    assert not guard(tmp_path).allows(request(host=host))
    assert guard(tmp_path, None).allows(request(host=host))


def test_request_for_another_host_is_told_about_the_proxy_and_the_option(tmp_path: Path) -> None:
    start, body = answers(guard(tmp_path), request(host="lab.example"))
    assert start["status"] == 404
    assert b"proxy" in body["body"] and b"asara show --host" in body["body"]


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "[::1]:8765", "[::1]"])
def test_names_of_this_machine(tmp_path: Path, host: str) -> None:
    assert guard(tmp_path).allows(request(host=host))


@pytest.mark.parametrize("hosts", [server.LOOPBACK, None])
def test_a_page_from_elsewhere_opens_no_connection(tmp_path: Path, hosts: frozenset[str] | None) -> None:
    path = "/jupyter/api/kernels/1/channels"
    own = request(path, kind="websocket", origin="http://127.0.0.1:8765")
    assert guard(tmp_path, hosts).allows(own)
    for origin in ({"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:1"}, {}):
        (refused,) = answers(guard(tmp_path, hosts), request(path, kind="websocket", **origin))
        assert refused == {"type": "websocket.close", "code": 1008}


def test_the_start_and_end_of_the_server_pass(tmp_path: Path) -> None:
    assert answers(guard(tmp_path), {"type": "lifespan"}) == [{"type": "passed"}]


def test_small_messages_are_sent_at_once() -> None:
    """asyncio turns Nagle's algorithm off for sockets that say that they are TCP, and for no others."""
    with server.listen("127.0.0.1", 0) as taken:
        assert taken.proto == socket.IPPROTO_TCP


def test_a_port_that_is_taken_is_told() -> None:
    with server.listen("127.0.0.1", 0) as first, pytest.raises(InputError, match=r"cannot be used \(Address already"):
        server.listen("127.0.0.1", first.getsockname()[1])


@pytest.mark.parametrize("host", ["no.such.host.invalid", "", "a" * 300, "\udcff"])
def test_a_host_that_there_is_not_is_told(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(InputError, match="no such address on this machine"):
        server.listen(host, 0)


def test_missing_packages_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "solara_assets", None)
    with pytest.raises(InputError, match="install asara with its extra 'viz'"):
        server.prepare()


def test_solara_reports_to_nobody() -> None:
    assert server.SETTINGS["SOLARA_TELEMETRY_MIXPANEL_ENABLE"] == "False"
    server.prepare()
    settings = sys.modules["solara.server.settings"]
    assert settings.assets.extra_locations == [str(server.ASSETS)]
    assert not settings.telemetry.mixpanel_enable


def test_everybody_is_warned_of_another_host(capsys: pytest.CaptureFixture[str]) -> None:
    command._warn("0.0.0.0")
    assert "everybody who can reach this machine" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "http://127.0.0.1:9/"), ("::1", "http://[::1]:9/"), ("0.0.0.0", "http://127.0.0.1:9/")],
)
def test_the_address_is_one_that_a_browser_can_open(host: str, address: str) -> None:
    assert command._address(host, 9) == address


def test_a_scenario_that_cannot_be_run_is_refused_before_anything_is_served() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'cluster__gpus'"):
        command._link("lab", ["cluster__gpu=3"], 0)
    with pytest.raises(ScenarioError, match="no scenario"):
        command._link("lub", [], 0)


def test_a_page_can_choose_what_is_shipped_and_what_the_command_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "mine.toml"
    own.write_text("[cluster]\ngpus = 64\n")
    monkeypatch.setattr(default_link, "_given", [])
    assert default_link.given().scenario == Scenario.load("lab")
    link, base = command._link(str(own), ["cluster__gpus_per_node=4"], 3)
    default_link.give(link, base)
    assert default_link.offered()[-1] == "mine"
    assert default_link.scenario_named("mine").cluster.gpus_per_node == 8
    assert default_link.opened("").link.scenario.cluster == link.scenario.cluster
    assert default_link.opened("?scenario=mine&seed=4&frame=2").link.seed == 4
    for name in (str(own), "../lab", "/etc/passwd", "", "x" * 1000):
        with pytest.raises(InputError, match="there is no scenario"):
            default_link.scenario_named(name)


@pytest.mark.parametrize(
    "query", ["?scenario=../x", "?frame=-1", "?a=b", "?scenario=lab&cluster__gpus=0", "?%", "?x" * 9000]
)
def test_a_link_that_cannot_be_read_is_explained(query: str) -> None:
    opening_ = default_link.opened(query)
    assert opening_.link == default_link.given()
    assert opening_.wrong.endswith((". This page opened without its link.", "? This page opened without its link."))
