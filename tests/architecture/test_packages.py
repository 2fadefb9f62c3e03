"""An installation contains every package: pyproject.toml names them one by one."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOP = ("agents", "experiments", "hardware", "sim")


def test_installation_contains_every_package() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = [path.parent.relative_to(ROOT) for top in TOP for path in (ROOT / top).rglob("__init__.py")]
    assert sorted(stated) == sorted(".".join(folder.parts) for folder in folders)
