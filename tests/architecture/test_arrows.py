"""The arrows of docs/explanation/architecture.md, and that our folders are ours."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import agents
import experiments
import hardware
import hardware.cluster
import sim
import sim.fluid
import sim.scenario
import sim.testing

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


@pytest.mark.parametrize("name", [*FOLDERS, "sim.scenario", "sim.fluid", "sim.testing", "hardware.cluster"])
def test_import_of_a_package_loads_no_other_module_of_ours(name):
    script = (
        f"import sys, {name}; tops = ('sim', 'agents', 'hardware', 'experiments', 'mesa', 'torch');"
        f"print([each for each in sys.modules if each.split('.')[0] in tops and not '{name}'.startswith(each)])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize("package", [sim, sim.scenario, sim.fluid, sim.testing, hardware.cluster])
def test_every_public_name_of_a_package_can_be_loaded(package):
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing_such"):
        package.nothing_such  # noqa: B018


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
