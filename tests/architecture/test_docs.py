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


def test_every_file_that_the_map_names_exists():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([a-z]+/[a-z_]+\.py)`", page, re.MULTILINE)
    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).is_file()] == []
