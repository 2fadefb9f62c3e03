"""The arrows of docs/architecture.md, and that our folders are ours."""

import ast
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import agents
import experiments
import hardware
import sim

ROOT = Path(__file__).parents[2]
FOLDERS = {"sim": sim, "agents": agents, "hardware": hardware, "experiments": experiments}
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def test_import_contracts_are_kept(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0


@pytest.mark.parametrize("name", FOLDERS)
def test_the_folders_are_ours(name):
    """Another distribution also installs a package called agents."""
    assert Path(FOLDERS[name].__file__).parent == ROOT / name


@pytest.mark.parametrize("name", FOLDERS)
def test_packages_load_nothing_by_themselves(name):
    assert (ROOT / name / "__init__.py").read_text() == ""


def test_the_growth_law_imports_nothing_of_ours_and_no_engine():
    tree = ast.parse((ROOT / "sim" / "growth.py").read_text())
    imported = {alias.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    imported |= {(n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not imported & {"mesa", "simpy", *FOLDERS}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_reads_the_wall_clock_or_a_global_generator(path):
    """Both would make a run depend on more than its scenario and seed."""
    if path.is_relative_to(ROOT / "experiments") or path.is_relative_to(ROOT / "hardware" / "kernels"):
        return  # one writes files and talks to people, the other measures a real machine
    tree = ast.parse(path.read_text())
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    banned = ("time.", "random.", "np.random.", "numpy.random.", "datetime.", "uuid.")
    assert not [name for name in called if name.startswith(banned)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_stay_short(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno <= 60, f"{node.name} is {node.end_lineno - node.lineno} lines"
