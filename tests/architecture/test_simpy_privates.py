"""Only hardware/simpy_clock.py uses private attributes of SimPy's environment (decision 29)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("sim", "agents", "hardware", "experiments")
ALLOWED = ROOT / "hardware" / "simpy_clock.py"
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if path != ALLOWED]
PRIVATE = {"_now", "_eid", "_active_proc"}
"""Private attributes of the environment whose names no class of ours has."""
ENVIRONMENTS = {"env", "_env", "clock", "_clock"}
"""Names of variables and attributes that hold an environment; no attribute of them may be private."""


def private_uses(source: str) -> list[str]:
    """Return the expressions that use a private attribute of SimPy's environment."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value
        name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
        is_private = node.attr.startswith("_") and not node.attr.endswith("__")
        if node.attr in PRIVATE or (is_private and name in ENVIRONMENTS):
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_uses_no_private_attribute_of_the_environment(path: Path) -> None:
    assert private_uses(path.read_text(encoding="utf-8")) == []


def test_private_attributes_of_an_environment_are_found() -> None:
    source = "heappush(env._queue, (self._now, 1, next(self.env._eid), event))\nself._queue.push(env.now)"
    assert sorted(private_uses(source)) == ["env._queue", "self._now", "self.env._eid"]
    assert private_uses(ALLOWED.read_text(encoding="utf-8")) != []
