"""Names of classes are unique in the packages, so that a name in a message or a page leads to one place."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("sim", "agents", "hardware", "experiments")


def places_of_classes(sources: dict[str, str]) -> dict[str, list[str]]:
    """Return the modules of each class name; ``sources``: text by the name of the module."""
    found: dict[str, list[str]] = defaultdict(list)
    for module, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(module)
    return found


def test_places_of_classes_finds_duplicate_names():
    sources = {"a.py": "class Run: ...\nclass Job: ...", "b.py": "def f():\n    class Run: ..."}
    assert {name: at for name, at in places_of_classes(sources).items() if len(at) > 1} == {"Run": ["a.py", "b.py"]}


def test_class_names_are_unique():
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    found = places_of_classes({str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths})
    assert {name: at for name, at in found.items() if len(at) > 1} == {}
