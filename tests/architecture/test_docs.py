"""Pages that commands make are up to date, and what the README says runs."""

import re
from pathlib import Path

from experiments.reference import parameters_page

ROOT = Path(__file__).parents[2]


def test_the_page_of_numbers_is_what_the_code_says():
    page = (ROOT / "docs" / "where-each-number-comes-from.md").read_text(encoding="utf-8")
    assert page == parameters_page(), "run `make docs`"


def test_the_python_of_the_readme_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_the_scenario_of_the_readme_loads(tmp_path):
    from sim.scenario import Scenario

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
| `sim/model.py` | `World`, `not/this.py` |
| `hardware/kernels/elf64.py`, `abi.py` | both |
| `hardware/kernels/native/` | folder |
| `hardware/measurements/*.jsonl` | pattern |
| a word, `asara`, `asara kernels` | no file |
"""
    assert files_named(rows) == [
        "sim/model.py", "hardware/kernels/elf64.py", "hardware/kernels/abi.py", "hardware/kernels/native/",
        "hardware/measurements/*.jsonl",
    ]  # fmt: skip


def test_every_file_that_the_map_names_exists():
    named = files_named((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    assert len(named) > 60
    assert [name for name in named if "*" not in name and not (ROOT / name).exists()] == []
    assert [name for name in named if "*" in name and not (ROOT / name).parent.is_dir()] == []
