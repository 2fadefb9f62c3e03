"""The map of files is the map of what there is, and the README's scenario loads; tests/docs has the rest."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_scenario_of_the_readme_loads(tmp_path):
    from sim.scenario.model import Scenario

    (block,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "tight.toml"
    path.write_text(block)
    assert Scenario.load(path).researcher.experiment_scaling == 1.0


def files_named(page: str) -> list[str]:
    """The backticked names of files, folders and patterns in the first cell of each row; one alone is of the folder
    that was named before it.
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


def test_a_row_may_name_any_file_and_several():
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


def test_every_file_that_the_map_names_exists():
    named = files_named((ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8"))
    assert len(named) > 60
    assert [name for name in named if "*" not in name and not (ROOT / name).exists()] == []
    assert [name for name in named if "*" in name and not (ROOT / name).parent.is_dir()] == []
