"""Write the comparison of governance policies as one HTML page, from page.html.jinja and the style of reports."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from experiments.governance.figure import policies_drawing
from experiments.governance.study import GovernanceStudy
from experiments.governance.table import TextTable, headline, longest_sentence, sentences, tables
from experiments.plotting.captions import footer_text
from experiments.sweep.analysis import html
from experiments.sweep.analysis.html import TableCell, TableColumn, TableView, report_picture
from experiments.text.number_format import pluralize

CAPTION: Final = (
    "Left: discovered software over days, the median of the seeds under each policy with a band from 10% to 90%, and "
    "below it the days under orders. Right: days gained and the change of software, relative to the run without a "
    "regulator of the same seed."
)
_REPORT: Final = Path(html.__file__).parent
DEFINITIONS: Final = (
    ("Level", "Discovered software of the lab, or of the first lab, relative to that of day 0."),
    (
        "Days gained",
        "Day on which the level is reached with the policy, less that without a regulator for the same seed. ≥: some "
        "runs end before the level and count with their last day.",
    ),
    (
        "Warning",
        "Alarm of a rule with a condition. Rules that hold from day 0 on do not warn. The share is of the seeds that "
        "reach the level.",
    ),
    ("Lead time", "Time from the first warning to the level in the same run, delays by orders included."),
    (
        "Cost",
        "Software [doublings] and papers with the policy less those without a regulator, when the latter run ends.",
    ),
    ("Days under orders", "Time in which orders restrict a lab. A lab that does not comply is restricted once found."),
)
"""Terms of the page and their definitions."""


def policies_page(found: GovernanceStudy) -> str:
    """Return the complete page, without scripts and external files."""
    css = Markup((_REPORT / "report.css").read_text(encoding="utf-8"))
    return _template().render(
        css=css,
        title=f"Governance policies: {found.scenario}",
        asked=f"{headline(found)}.",
        verdict=longest_sentence(found),
        picture=report_picture(policies_drawing(found), CAPTION),
        tables=[(each.title, _view(each)) for each in tables(found)],
        sentences=sentences(found)[1:],
        policies=found.policies,
        definitions=DEFINITIONS,
        footer=footer_text(
            pluralize(len(found.seeds), "seed"), "engine world", by=version("asara"), scenario=found.digest
        ),
    )


def _view(table: TextTable) -> TableView:
    columns = [TableColumn(title, at == 0) for at, title in enumerate(table.columns)]
    rows = [[TableCell(text, "text" if at == 0 else "") for at, text in enumerate(row)] for row in table.rows]
    return TableView(columns, rows, "")


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent, _REPORT]),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html.jinja")
