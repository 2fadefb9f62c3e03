"""Test the import contracts of docs/explanation/architecture.md and the determinism of the simulation modules."""

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
PURE_SOURCES = [
    path
    for folder in ("sim", "agents", "hardware")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not path.is_relative_to(ROOT / "hardware" / "kernels")  # which measures a real machine
]
BANNED_MODULES = {"time", "random", "datetime", "uuid", "secrets"}
SEEDED = {"BitGenerator", "Generator", "PCG64", "PCG64DXSM", "Philox", "SeedSequence"}
"""Names of numpy.random that hold no state of the process: their users pass a seed."""


def test_import_contracts_are_kept(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0


@pytest.mark.parametrize("name", FOLDERS)
def test_package_is_imported_from_this_repository(name):
    """Another distribution also installs a package called agents."""
    assert Path(FOLDERS[name].__file__).parent == ROOT / name


@pytest.mark.parametrize("name", [*FOLDERS, "sim.scenario", "sim.fluid", "sim.testing", "hardware.cluster"])
def test_package_import_loads_no_submodule_and_no_heavy_library(name):
    script = (
        f"import sys, {name}; tops = ('sim', 'agents', 'hardware', 'experiments', 'mesa', 'torch');"
        f"print([each for each in sys.modules if each.split('.')[0] in tops and not '{name}'.startswith(each)])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize("package", [sim, sim.scenario, sim.fluid, sim.testing, hardware.cluster])
def test_public_names_of_a_package_can_be_loaded(package):
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing_such"):
        package.nothing_such  # noqa: B018


def test_growth_module_imports_no_package_of_the_repository_and_no_engine():
    tree = ast.parse((ROOT / "sim" / "growth.py").read_text())
    imported = {alias.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    imported |= {(n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not imported & {"mesa", "simpy", *FOLDERS}


def nondeterministic(source: str) -> list[str]:
    """Return the clocks and global random generators that a source imports or reads."""
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in BANNED_MODULES]
            found += [alias.name for alias in node.names if alias.name == "numpy.random"]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = {alias.name for alias in node.names}
            if module.split(".")[0] in BANNED_MODULES and (module, names) != ("datetime", {"date"}):
                found.append(module)
            if module == "numpy.random":
                found += [f"numpy.random.{alias.name}" for alias in node.names if alias.name not in SEEDED]
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == "date.today":
            found.append("date.today")
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np.random", "numpy.random"):
            found += [ast.unparse(node)] if node.attr not in SEEDED else []
    return found


@pytest.mark.parametrize("path", PURE_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_simulation_module_uses_no_clock_and_no_global_generator(path):
    """Both would make a run depend on more than its scenario and seed."""
    assert nondeterministic(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import time",
        "from datetime import datetime",
        "from datetime import date\ndate.today()",
        "import numpy as np\nnp.random.normal()",
        "import numpy as np\nnp.random.default_rng()",
        "from numpy.random import default_rng",
        "import numpy.random as chance",
        "from uuid import uuid4",
    ],
)
def test_nondeterministic_finds_clocks_and_global_generators(source):
    assert len(nondeterministic(source)) == 1
