"""The page on the Python API describes every public name of the packages, under a heading of its own."""

import re

import pytest

import hardware.cluster
import sim
import sim.fluid
import sim.scenario
import sim.testing
from tests.support.doc_pages import text_of

PACKAGES = [sim, sim.scenario, sim.fluid, sim.testing, hardware.cluster]


def documented(page: str, package: str) -> set[str]:
    """Return the names that have a heading in the section of a package."""
    section = re.search(rf"^## `{re.escape(package)}`$(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    return set(re.findall(r"^### `(\w+)", section.group(1), re.MULTILINE)) if section else set()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_page_has_a_heading_for_each_public_name_and_no_other(package):
    assert documented(text_of("docs/reference/python-api.md"), package.__name__) == set(package.__all__)


def test_names_in_the_section_of_another_package_are_ignored():
    page = "## `sim`\n\n### `run(seed)`\n\n`World` here.\n\n## `sim.fluid`\n\n### `fluid`\n"
    assert documented(page, "sim") == {"run"}
    assert documented(page, "sim.fluid") == {"fluid"}
    assert documented(page, "sim.testing") == set()
