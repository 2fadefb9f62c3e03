"""Build the panel of papers and the papers they build on."""

from __future__ import annotations

from typing import Any

from experiments.text.number_format import format_count
from experiments.window.literature_view import CitationNetwork
from experiments.window.session import ViewState


def literature_props(state: ViewState) -> dict[str, Any]:
    """Return the values of the panel of papers."""
    network = state.frame.network
    places = {paper.number: place for place, paper in enumerate(network.papers)}
    return {
        "note": network.note,
        "papers": [
            [
                paper.number - network.papers_before_start,
                None if paper.day is None else round(paper.day, 1),
                paper.papers,
                paper.duplicates,
                paper.is_new,
            ]
            for paper in network.papers
        ],
        "edges": [[places[paper], places[earlier]] for paper, earlier in network.edges],
        "legend": [
            {"label": "published", "text": format_count(network.published)},
            {"label": "duplicates", "text": format_count(network.duplicates)},
        ],
        "hint": SINGLE_PAPERS_HINT if _shows_single_papers(network) else GROUPED_PAPERS_HINT,
        "empty": "" if network.papers else network.note,
    }


def _shows_single_papers(network: CitationNetwork) -> bool:
    return not network.papers or (bool(network.edges) and all(paper.papers == 1 for paper in network.papers))


SINGLE_PAPERS_HINT = "Each dot is a paper, the newest on the right. Lines lead to the papers that it builds on."
GROUPED_PAPERS_HINT = (
    "Each dot is one or more papers published at once (a cohort may publish many), the newest on the right. "
    "Citations of several papers at once are not recorded."
)
