"""The map of files in architecture.md is complete and correct, and the README's scenario loads."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("sim", "agents", "hardware", "experiments")
MAP = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")


def test_readme_scenario_loads(tmp_path):
    from sim.scenario.model import Scenario

    (block,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "tight.toml"
    path.write_text(block)
    assert Scenario.load(path).researcher.experiment_scaling == 1.0


def files_named(page: str) -> list[str]:
    """Return the files, folders and patterns in the first cell of each row of a table.

    They stand in backticks. A name without a folder belongs to the folder that was named before it.
    """
    found: list[str] = []
    for cell in re.findall(r"^\| ([^|]*) \|", page, re.MULTILINE):
        folder = ""
        for name in re.findall(r"`([\w*./]+)`", cell):
            if "/" in name:
                folder = name.rpartition("/")[0]
                found.append(name)
            elif "." in name:
                found.append(f"{folder}/{name}")
    return found


def unmapped(files: Iterable[str], named: Iterable[str]) -> list[str]:
    """Return the files that are neither named nor in a folder that is named."""
    rows = set(named)
    folders = tuple(name for name in rows if name.endswith("/"))
    return [file for file in files if file not in rows and not file.startswith(folders)]


def test_files_named_row_with_several_files_returns_each():
    rows = """
| file | noun |
| `sim/world.py` | `World`, `not/this.py` |
| `hardware/kernels/elf64.py`, `abi.py` | both |
| `hardware/kernels/native/` | folder |
| `hardware/kernels/measurements/*.jsonl` | pattern |
| a word, `asara`, `asara kernels` | no file |
"""
    assert files_named(rows) == [
        "sim/world.py",
        "hardware/kernels/elf64.py",
        "hardware/kernels/abi.py",
        "hardware/kernels/native/",
        "hardware/kernels/measurements/*.jsonl",
    ]


def test_unmapped_file_beside_named_ones_is_returned():
    files = ["sim/world.py", "sim/new.py", "sim/fluid/api.py"]
    assert unmapped(files, ["sim/world.py", "sim/fluid/"]) == ["sim/new.py"]


def test_module_map_contains_every_module():
    modules = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    files = [path.relative_to(ROOT).as_posix() for path in modules if path.name != "__init__.py"]
    assert unmapped(files, files_named(MAP)) == [], "name them in docs/explanation/architecture.md"


@pytest.mark.parametrize("package", PACKAGES)
def test_module_map_has_no_row_for_a_whole_package(package):
    """Such a row would cover every module, and the test above could not fail."""
    assert f"{package}/" not in files_named(MAP)


@pytest.mark.parametrize("name", files_named(MAP))
def test_module_map_names_existing_files_only(name):
    assert list(ROOT.glob(name.rstrip("/"))), f"{name} is on the map of docs/explanation/architecture.md only"
