"""Tests use public names only, so that code can be rearranged without changes to tests."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [path for folder in ("tests", "sim/testing") for path in sorted((ROOT / folder).rglob("*.py"))]
PUBLIC = {
    "_replace": "namedtuple",
    "_asdict": "namedtuple",
    "_fields": "namedtuple",
    "_repr_html_": "display protocol of IPython",
    "_exit": "os._exit, documented by Python",
}
"""Names with an underscore that are public, and where they are documented."""
ALLOWED = {("tests/hardware/kernels/test_torch_families.py", "torch._inductor")}
"""File and name of each exception. torch._inductor: torch has no public way to switch its cache of compilations off."""
_PRIVATE = re.compile(r"_[a-z]\w*", re.IGNORECASE)
_PATH_TO_PRIVATE = re.compile(r"(?:\w+\.)*_[a-z]\w*", re.IGNORECASE)


def _is_private(name: str) -> bool:
    return bool(_PRIVATE.fullmatch(name)) and name not in PUBLIC


def _own_names(node: ast.ClassDef) -> set[str]:
    """Return the private names that a class defines: methods, class attributes and attributes set on ``self``."""
    found = {each.name for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store):
            found.add(each.attr)
        elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            found.add(each.id)
    return found


def _called_name(node: ast.Call) -> str:
    """Return the last name of the called function; empty if it has none."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def private_names(source: str) -> list[str]:
    """Return the private names of other modules and classes that a source reads, imports or replaces."""
    tree = ast.parse(source)
    own = {
        id(each): _own_names(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for each in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr):
            on_self = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not (on_self and node.attr in own.get(id(node), set())):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            parts = [part for part in module.split(".") if _is_private(part)]
            found += [module] if parts else []
            found += [f"{module}.{alias.name}" for alias in node.names if _is_private(alias.name)]
        elif isinstance(node, ast.Import):
            found += [each.name for each in node.names if any(map(_is_private, each.name.split(".")))]
        elif isinstance(node, ast.Call) and _called_name(node) in ("setattr", "getattr"):
            texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
            found += [
                text
                for text in texts
                if isinstance(text, str) and _PATH_TO_PRIVATE.fullmatch(text) and _is_private(text.rpartition(".")[2])
            ]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_uses_no_private_name_of_another(path: Path) -> None:
    file = path.relative_to(ROOT).as_posix()
    found = [name for name in private_names(path.read_text(encoding="utf-8")) if (file, name) not in ALLOWED]
    assert found == [], "test public facts; if one is missing, add a small public property to the class"


def test_allowed_private_names_are_in_use() -> None:
    used = {(file, name) for file, _ in ALLOWED for name in private_names((ROOT / file).read_text(encoding="utf-8"))}
    assert used >= ALLOWED, "remove exceptions that no test needs"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("cluster._queue.head", "cluster._queue"),
        ("clock.queue[0]._ok = True", "clock.queue[0]._ok"),
        ("make()._stop()", "make()._stop"),
        ("from sim.fluid.api import _observe", "sim.fluid.api._observe"),
        ("from torch._inductor import config", "torch._inductor"),
        ("monkeypatch.setattr(machine, '_CACHES', 1)", "_CACHES"),
        ("monkeypatch.setattr('a.b._c', 1)", "a.b._c"),
        ("class Greedy(EasyBackfill):\n    def f(self):\n        return self._indexes", "self._indexes"),
    ],
)
def test_private_names_finds_each_kind_of_use(source: str, name: str) -> None:
    assert private_names(source) == [name]


@pytest.mark.parametrize(
    "source",
    [
        "found._replace(a=1)._asdict()",
        "result._repr_html_()",
        "os._exit(7)",
        "a.__dict__",
        "_helper(1)",
        "monkeypatch.setattr(machine, 'CACHES', 'index_0')",
        "class Lab:\n    def __init__(self):\n        self._names = {}\n    def f(self):\n        return self._names",
    ],
)
def test_private_names_accepts_public_and_own_names(source: str) -> None:
    assert private_names(source) == []
