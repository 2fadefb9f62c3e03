"""One HTML page without script or anything from elsewhere: text, pictures and tables that also fit a phone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from experiments.sweep.analysis.labels import format_value, percent

if TYPE_CHECKING:
    import pyarrow as pa

_CSS: Final = """
:root { color-scheme: light dark; --ink: #1b1b1c; --paper: #fefefe; --grid: #e5e5e6; --soft: #5e5e60; --card: #f4f5f7;
  --line: #d9dade; --accent: #0072B2; --data: #0072B2; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececee; --paper: #16181b; --grid: #34373c; --soft: #a6a8ad;
  --card: #1f2226; --line: #3a3d43; --accent: #56B4E9; --data: #2f97dd; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.55 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
header, .prose { max-width: 46rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0.4rem 0; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 0.4rem; }
p { margin: 0.6rem 0; overflow-wrap: anywhere; }
.asked, figcaption, .small { color: var(--soft); }
.verdict { border-left: 4px solid var(--accent); background: var(--card); padding: 0.7rem 1rem; margin: 1.2rem 0; }
.warning { border-left: 4px solid #E69F00; background: var(--card); padding: 0.5rem 1rem; margin: 1rem 0; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1.2rem 2.4rem; }
figure { margin: 0.8rem 0 0; max-width: 40rem; }
figcaption { font-size: 0.86rem; line-height: 1.45; }
svg.picture { display: block; width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.86rem; font-variant-numeric: tabular-nums; margin: 0.6rem 0; }
th, td { text-align: right; padding: 0.22rem 0.7rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child, th.text, td.text { text-align: left; padding-left: 0; }
.text { text-align: left; white-space: normal; padding-left: 0; }
td.long { min-width: 14rem; }
details { margin: 0.8rem 0; }
summary { cursor: pointer; color: var(--accent); font-size: 0.9rem; }
footer { margin-top: 3rem; font-size: 0.82rem; color: var(--soft); }
code { overflow-wrap: anywhere; }
"""
MAX_ROWS: Final = 40


def page(title: str, body: Sequence[str]) -> str:
    """Return a whole page."""
    head = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_CSS}</style>\n</head>\n'
    )
    return f"{head}<body>\n<main>\n{chr(10).join(body)}\n</main>\n</body>\n</html>\n"


def paragraph(text: str, kind: str = "prose") -> str:
    """Return a paragraph, or nothing for no text."""
    return f'<p class="{kind}">{escape(text)}</p>' if text else ""


def heading(text: str) -> str:
    """Return the heading of a section."""
    return f"<h2>{escape(text)}</h2>"


def picture(drawing: str, caption: str, alternative: str) -> str:
    """Return an SVG element with its caption, and words for those who cannot see it."""
    named = drawing.replace("<svg ", f'<svg role="img" aria-label="{escape(alternative, quote=True)}" ', 1)
    return f"<figure>\n{named}\n<figcaption>{escape(caption)}</figcaption>\n</figure>"


def pictures(found: Sequence[str]) -> str:
    """Return pictures side by side where there is room."""
    return f'<div class="pictures">\n{chr(10).join(found)}\n</div>'


def table(found: pa.Table, summary: str = "") -> str:
    """Return a table, its first rows where it is long; folded behind its summary if there is one."""
    names = found.column_names
    rows = found.slice(0, MAX_ROWS).to_pylist()
    head = "".join(_head(name, rows) for name in names)
    lines = ["".join(_cell(name, row[name]) for name in names) for row in rows]
    more = found.num_rows - len(rows)
    rest = f'<p class="small">{more:,} more rows are in the CSV file.</p>' if more > 0 else ""
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    whole = (
        f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>{rest}'
    )
    return f"<details><summary>{escape(summary)}</summary>\n{whole}\n</details>" if summary else whole


_SHARES: Final = (
    "probability",
    "p_long_run_singular",
    "p_speeding_up",
    "density",
    "coverage",
    "researchers",
    "experiments",
    "training",
)


def _head(name: str, rows: list[dict[str, Any]]) -> str:
    text = escape(name if "__" in name else name.replace("_", " "))
    return f'<th class="text">{text}</th>' if any(_is_text(row[name]) for row in rows) else f"<th>{text}</th>"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not value.replace(",", "").replace(".", "").isdigit()


def _cell(name: str, value: Any) -> str:
    if _is_text(value):
        return f'<td class="text{" long" * (len(value) > 24)}">{escape(value)}</td>'
    return f"<td>{escape(_text(name, value))}</td>"


def _text(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float) and not math.isfinite(value):
        return "not seen" if value > 0 else "–"
    if name in _SHARES and isinstance(value, float):
        return percent(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else format_value(value)
