"""The import graph of the packages has no circle; imports under TYPE_CHECKING count."""

from pathlib import Path

import grimp
import networkx as nx
import pytest

PACKAGES = ("sim", "agents", "hardware", "experiments")


def circles_of(*packages: str) -> list[list[str]]:
    """Return each group of modules that import each other, directly or through others."""
    graph = grimp.build_graph(*packages, cache_dir=None, exclude_type_checking_imports=False)
    arrows = nx.DiGraph()
    for module in graph.modules:
        arrows.add_edges_from((module, imported) for imported in graph.find_modules_directly_imported_by(module))
    return sorted(sorted(group) for group in nx.strongly_connected_components(arrows) if len(group) > 1)


@pytest.fixture(scope="module")
def circles() -> list[list[str]]:
    return circles_of(*PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_of_a_package_do_not_import_each_other_in_a_circle(package: str, circles: list[list[str]]) -> None:
    assert [group for group in circles if any(module.split(".")[0] == package for module in group)] == []


def test_circle_through_a_type_checking_import_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "sample_with_circle"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "upper.py").write_text("from sample_with_circle import middle\n")
    (package / "middle.py").write_text("import sample_with_circle.lower\n")
    (package / "lower.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sample_with_circle.upper import Thing\n"
    )
    (package / "leaf.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    names = ("lower", "middle", "upper")
    assert circles_of("sample_with_circle") == [[f"sample_with_circle.{name}" for name in names]]
