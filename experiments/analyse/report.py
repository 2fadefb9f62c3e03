"""The report on a sweep: what was asked, what came of it in plain words, pictures, tables, and which runs failed."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from html import escape
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from experiments.analyse import convergence, fans, levers, limits, page, probabilities, regions, sensitivity, times
from experiments.analyse.names import label, percent, words
from experiments.analyse.pictures import png, svg
from experiments.analyse.sweep import EXPLOSIVE, FACTORS, ONE_BY_ONE, SPEEDING_UP, Sweep, threshold
from experiments.files import plain, to_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PLANES: Final = 3
"""Pairs of parameters that are drawn, the strongest ones; the tables hold all."""
SUMMARY: Final = "analysis.json"
_ASKED: Final = ("question", "description")


class Part(NamedTuple):
    """A piece of the report: a heading, words, a picture with its caption, a table."""

    name: str
    """Of its files, without ending."""
    heading: str
    """Of the section; parts of the same heading stand side by side."""
    sentences: list[str]
    figure: Figure | None
    caption: str
    table: pa.Table | None


def parts(sweep: Sweep) -> Iterator[Part]:
    """Yield the parts of the report on a sweep, in its order; those that its design cannot carry say so.

    One-at-a-time designs do not fill the space of parameters: they have no regions, and nothing that converges.
    """
    yield from _fans(sweep)
    yield from _planes(sweep)
    yield _time(sweep)
    if sweep.levers:
        yield from _levers(sweep)
    yield from _limits(sweep)
    yield from _sensitivity(sweep)
    if sweep.sampling == ONE_BY_ONE:
        return
    yield _regions(sweep)
    table = convergence.convergence_table(sweep)
    said = [convergence.convergence_sentence(sweep, table)]
    yield Part("convergence", "Are there enough runs?", said, convergence.convergence_figure(sweep, table),
               "Estimates as runs accumulate, with their 95% intervals.", table)  # fmt: skip


def verdict(sweep: Sweep) -> str:
    """Return the results of a sweep in one paragraph of plain words."""
    said = [
        probabilities.sentence(sweep),
        f"Long run: {_counts(sweep, 'long_run')}. Pace over the last part: {_counts(sweep, 'pace')}.",
        _limited(sweep),
    ]
    said.append(probabilities.strongest(sweep))
    said += times.time_sentences(sweep)[:2]
    if sweep.levers:
        said.append(levers.lever_words(levers.lever_effects(sweep)))
    if sweep.systematic:
        said.append(
            f"Shares are of the points of a {sweep.sampling} design, and not probabilities of what will happen."
        )
    return " ".join(sentence for sentence in said if sentence)


def _counts(sweep: Sweep, column: str) -> str:
    """The shares of the values of a column, the most frequent first."""
    return ", ".join(f"{percent(n / sweep.n)} {name}" for name, n in Counter(sweep.texts(column)).most_common())


def _limited(sweep: Sweep) -> str:
    """Which runs a growth limit keeps from an explosion, and when the law lets doublings get faster; or nothing."""
    fastest = sweep.numbers("fastest_doubling")
    limited = fastest[~np.isnan(fastest)]
    if not limited.size:
        return ""
    faster = limited[limited > 0]
    said = f"In {percent(limited.size / sweep.n)} of the runs a growth limit rules out an explosion in the long run"
    if not faster.size:
        return f"{said}, and doublings never get faster by the law."
    return (
        f"{said}; in {percent(faster.size / sweep.n)} doublings first get faster by the law, up to doubling "
        f"{np.median(faster):.0f} in the median of those (fastest_doubling)."
    )


def summary(sweep: Sweep) -> dict[str, Any]:
    """Return the figures of a report as plain values: None where there is no finite number."""
    explosive = probabilities.probability(sweep)
    speeding_up = probabilities.probability(sweep, outcome=SPEEDING_UP)
    column, why = threshold(sweep)
    box = regions.box_of(sweep)
    indices = {outcome: sensitivity.sobol_first(sweep, outcome) for outcome in sensitivity.OUTCOMES}
    found = {
        "name": sweep.manifest.get("name", ""), "runs": sweep.asked, "with_result": sweep.n, "missing": sweep.missing,
        "statuses": dict(sweep.statuses), "failures": [each._asdict() for each in sweep.failures],
        "verdict": verdict(sweep),
        "explosion": explosive._asdict() | {"meaning": f"probability that {EXPLOSIVE.meaning}"},
        "speeding_up": speeding_up._asdict() | {"meaning": f"probability that {SPEEDING_UP.meaning}"},
        "long_run": dict(Counter(sweep.texts("long_run"))), "pace": dict(Counter(sweep.texts("pace"))),
        "gain": {"factor": FACTORS[column], "note": why, "days": times.time_table(sweep, column).to_pylist()},
        "limited_by": limits.limited(sweep), "levers": [each._asdict() for each in levers.lever_effects(sweep)],
        "sobol": {outcome: {"note": note, "first": _first(each)} for outcome, (each, note) in indices.items()},
        "region": {"sentence": regions.box_sentence(sweep, box), "bounds": box.bounds if box else None},
    }  # fmt: skip
    told: dict[str, Any] = plain(found)
    return told


def html(sweep: Sweep, found: list[Part]) -> str:
    """Return the report as one page that needs nothing else."""
    name = str(sweep.manifest.get("name") or "sweep")
    body = [f"<header><h1>{escape(name)}</h1>", *_opening(sweep), "</header>", *_health(sweep)]
    sections: dict[str, list[Part]] = {}
    for part in found:
        sections.setdefault(part.heading, []).append(part)
    for heading, members in sections.items():
        body.append(page.heading(heading))
        body += [page.paragraph(sentence) for part in members for sentence in part.sentences]
        drawn = [page.picture(svg(p.figure, p.name), p.caption, p.caption) for p in members if p.figure is not None]
        body.append(page.pictures(drawn) if drawn else "")
        body += [page.table(p.table, f"Table: {p.name}") for p in members if p.table is not None and p.table.num_rows]
    return page.page(name, [*body, *_design(sweep), _footer(sweep)])


def files(sweep: Sweep, tell: Callable[[str], None] = lambda name: None) -> dict[str, bytes]:
    """Return all files of the analysis by name: `report.html`, `analysis.json`, and CSV and PNG of each part."""
    found, content = [], {}
    for part in parts(sweep):
        tell(part.name)
        found.append(part)
        if part.figure is not None:
            content[f"{part.name}.png"] = png(part.figure)
        if part.table is not None:
            content[f"{part.name}.csv"] = to_csv(part.table).encode()
    tell("report")
    content["report.html"] = html(sweep, found).encode()
    told = summary(sweep) | {"files": sorted([*content, SUMMARY])}
    content[SUMMARY] = f"{to_json(told)}\n".encode()
    return content


def stale(folder: Path, content: Collection[str]) -> list[Path]:
    """Return what an earlier analysis wrote into a folder and one with this content does not have."""
    try:
        listed = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))["files"]
        names = [name for name in listed if name == Path(name).name and name not in content]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [folder / name for name in names if (folder / name).is_file()]


def to_csv(table: pa.Table) -> str:
    """Return a table as CSV; nothing where there is no number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(["" if value is None else value for value in row.values()] for row in table.to_pylist())
    return text.getvalue()


def _fans(sweep: Sweep) -> Iterator[Part]:
    closed = fans.has_closed_form(sweep)
    law = " Dashed: the same points by the closed form, in which only the law decides." if closed else ""
    said = "Quantiles over runs, on a scale on which each step is the same factor."
    heading = "How far does software come?"
    yield Part("fan", heading, [fans.HOW], fans.fan_figure(sweep), f"{said}{law}", fans.fan_table(sweep))
    if closed:
        yield Part("fan-closed-form", heading, [], None, "", fans.fan_table(sweep, closed=True))
    for lever in sweep.levers[:2]:
        caption = f"The same for each level of {lever}.{law}"
        yield Part(f"fan-{lever}", heading, [], fans.fan_figure(sweep, lever), caption, None)


def _planes(sweep: Sweep) -> Iterator[Part]:
    heading = "How probable is an explosion?"
    yield Part("probability", heading, [probabilities.sentence(sweep), probabilities.HOW], None, "",
               probabilities.probability_table(sweep))  # fmt: skip
    for number, (across, up) in enumerate(_pairs(sweep)):
        figure = probabilities.plane_figure(sweep, across, up) if number < MOST_PLANES else None
        caption = f"Probability that {sweep.outcome.meaning}, its 95% interval and the number of runs n."
        table = probabilities.plane_table(sweep, across, up)
        yield Part(f"probability-{across}-{up}", heading, [], figure, caption, table)


def _pairs(sweep: Sweep) -> list[tuple[str, str]]:
    """All pairs of parameters that vary, the two strongest ones first."""
    ranked = probabilities.ranked(sweep)[:6]
    return sorted(combinations(ranked, 2), key=lambda pair: sum(map(ranked.index, pair)))


def _time(sweep: Sweep) -> Part:
    column, _ = threshold(sweep)
    caption = f"Share of runs whose software has grown {FACTORS[column]:,}-fold by a day, with its 95% interval."
    said = [" ".join(times.time_sentences(sweep)), times.HOW]
    heading = "How long does a large gain take?"
    return Part("time", heading, said, times.time_figure(sweep, column), caption, times.time_table(sweep, column))


def _levers(sweep: Sweep) -> Iterator[Part]:
    effects, heading = levers.lever_effects(sweep), "What do the levers do?"
    said = [*levers.lever_sentences(effects), levers.HOW]
    for outcome in levers.OUTCOMES if effects else ():
        caption = f"Change of the {words(outcome)}."
        table = levers.lever_table(sweep) if outcome == "explosion" else None
        figure = levers.lever_figure(effects, outcome)
        yield Part(
            f"levers-{outcome}", heading, said if table is not None else [], figure, f"{caption} {_PAIRED}", table
        )


_PAIRED: Final = "Dots: mean over pairs of runs under the same luck; bars: 95% intervals."


def _limits(sweep: Sweep) -> Iterator[Part]:
    pair, heading = probabilities.pair_of(sweep), "Which resource limits where?"
    figure = limits.limits_figure(sweep, *pair) if pair else None
    table = limits.limits_table(sweep, *pair) if pair else None
    caption = "What most of the researchers' time goes into in most runs of a cell."
    yield Part("limits", heading, [limits.limits_sentence(sweep)], figure, caption, table)


def _sensitivity(sweep: Sweep) -> Iterator[Part]:
    heading, alone = "What matters most?", sweep.sampling == ONE_BY_ONE
    how = ("One parameter changes at a time, all others are at their base: exact differences." if alone else
           "Means over the runs of the lowest and the highest tenth of a parameter, or its lowest and highest level; "
           "grey: 95% intervals.")  # fmt: skip
    for outcome in sensitivity.OUTCOMES:
        table = sensitivity.tornado_table(sweep, outcome)
        if table.num_rows:
            figure = sensitivity.tornado_figure(sweep, outcome)
            yield Part(f"tornado-{outcome}", heading, [], figure, f"Tornado of the {words(outcome)}. {how}", table)
    said: list[str] = []
    for outcome in sensitivity.OUTCOMES:
        found, why = sensitivity.sobol_first(sweep, outcome)
        if found is None:
            yield Part(f"sobol-{outcome}", heading, [why] * (why not in said), None, "", None)
            said.append(why)
            continue
        caption = (f"First-order Sobol' indices of the {words(outcome)}: what each explains by itself; what is left is "
                   "interactions. Around 0, slightly below included, means nothing.")  # fmt: skip
        figure, table = sensitivity.sobol_figure(found), sensitivity.sobol_table(found)
        yield Part(f"sobol-{outcome}", heading, [], figure, caption, table)


def _regions(sweep: Sweep) -> Part:
    box = regions.box_of(sweep)
    said = [regions.box_sentence(sweep, box), regions.HOW if box else ""]
    drawn = [*(box.bounds if box else ()), *(name for name in probabilities.ranked(sweep))]
    axes = [name for name in dict.fromkeys(drawn) if name in regions.box_inputs(sweep)][:2]
    figure = regions.box_figure(sweep, box, axes[0], axes[1]) if box and len(axes) == 2 else None
    caption = "Each run, and the box, drawn over two of the parameters."
    return Part(
        "region",
        f"Where are {sweep.outcome.plural} most frequent?",
        said,
        figure,
        caption,
        regions.box_table(sweep, box),
    )


def _opening(sweep: Sweep) -> list[str]:
    design = sweep.manifest.get("design", {})
    asked = next((str(design[key]) for key in _ASKED if isinstance(design, Mapping) and design.get(key)), "")
    varied = "; ".join(f"{words(name)} ({name})" for name in sweep.varied)
    return [
        page.paragraph(asked, "asked"),
        page.paragraph(f"Varied: {varied}." if varied else "Nothing but luck varies.", "asked"),
        page.paragraph(verdict(sweep), "verdict"),
    ]


def _health(sweep: Sweep) -> list[str]:
    """What became of the runs without a result: never left out in silence."""
    said = [f"{sweep.n:,} of {sweep.asked:,} runs have a result, and all that is shown is of these."]
    if sweep.missing:
        said.append(f"{sweep.missing:,} runs are missing: the sweep has not finished.")
    bad = sum(failure.runs for failure in sweep.failures)
    if bad:
        said.append(f"{bad:,} runs came to nothing; if that depends on the parameters, the shares are biased.")
    kind = "warning" if sweep.missing or bad else "prose"
    lines = [page.paragraph(" ".join(said), kind)]
    if sweep.failures:
        names = ("status", "message", "runs", "first")
        rows = {name: [getattr(each, name) for each in sweep.failures] for name in names}
        lines.append(page.table(pa.table(rows)))
    return lines


def _design(sweep: Sweep) -> list[str]:
    """What was varied, and how."""
    rows = [(name, "uncertain", label(name, 200), _distribution(sweep, name)) for name in sweep.uncertainties]
    rows += [(name, "lever", label(name, 200), ", ".join(_levels(sweep, name))) for name in sweep.levers]
    if not rows:
        return []
    names = ("parameter", "kind", "meaning", "values")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return [page.heading("What was varied"), page.table(pa.table(columns))]


def _distribution(sweep: Sweep, name: str) -> str:
    stated = sweep.manifest.get("uncertainties", {}).get(name)
    if not isinstance(stated, Mapping):
        return str(stated)
    kind = stated.get("distribution", "")
    return " ".join([str(kind), *(f"{key} {value}" for key, value in stated.items() if key != "distribution")])


def _levels(sweep: Sweep, name: str) -> list[str]:
    from experiments.analyse.bins import cut  # noqa: PLC0415

    return list(cut(sweep, name).labels)


def _footer(sweep: Sweep) -> str:
    said = sweep.manifest
    items = [f"asara {said.get('version', '?')}", f"engine {said.get('engine', '?')}", f"sampling {sweep.sampling}",
             f"{said.get('points', '?')} points", f"seed {said.get('seed', '?')}",
             *(f"{what} {str(said.get(f'{what}_digest', '?'))[:12]}" for what in ("design", "model"))]  # fmt: skip
    return f"<footer>{escape(' · '.join(items))}</footer>"


def _first(found: sensitivity.Indices | None) -> dict[str, Any] | None:
    if found is None:
        return None
    rows = zip(found.names, found.first, found.half, strict=True)
    return {name: {"index": first, "half": half} for name, first, half in rows} | {"luck": found.luck}
