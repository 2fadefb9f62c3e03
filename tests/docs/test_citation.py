"""The citation file has the version and licence of the package, and only fields of the format's schema."""

import tomllib

import pytest
import yaml

from tests.support.doc_pages import ROOT

NEEDED = {"cff-version", "message", "title", "authors"}
"""Source: the Citation File Format, version 1.2.0."""


@pytest.fixture
def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_citation_has_the_name_version_and_licence_of_the_package(citation):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (citation["title"], citation["version"]) == (project["name"], project["version"])
    assert citation["license"] == project["license"]


def test_citation_has_all_required_fields(citation):
    assert citation.keys() >= NEEDED
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"] == [{"name": "The asara developers"}]
    for reference in citation["references"]:
        assert reference.keys() >= {"type", "title", "authors"}
        assert all(author.keys() == {"family-names", "given-names"} for author in reference["authors"])


def test_citation_names_the_titles_that_shipped_priors_name(citation):
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "experiments" / "priors").glob("*.toml"))
    assert len(citation["references"]) == 2
    for reference in citation["references"]:
        families = " and ".join(author["family-names"] for author in reference["authors"])
        assert f"{families}, {reference['title']} ({reference['institution']['name']}, {reference['year']})" in sources
