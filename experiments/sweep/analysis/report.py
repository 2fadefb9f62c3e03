"""Build the report on a sweep: its question, results in sentences, figures, tables, and failed runs."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations as combinations_of
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from experiments.plotting.captions import footer_text
from experiments.progress import OnProgress, Progress, ignore_progress
from experiments.storage.atomic import to_json, to_json_values
from experiments.sweep.analysis import (
    convergence,
    day_tornado,
    explosion_probability,
    fan_chart,
    lever_effects,
    limiting_resource,
    policy_front,
    race_outcomes,
    scenario_discovery,
    sensitivity,
    time_to_gain,
)
from experiments.sweep.analysis.combinations import (
    MAX_DRAWN,
    MAX_LISTED,
    Combination,
    combinations,
    omission_note,
    select_for_figure,
    stack_tables,
)
from experiments.sweep.analysis.figure_frame import png, svg
from experiments.sweep.analysis.html import TableView, render_page, report_picture, table_view
from experiments.sweep.analysis.labels import RETURNS, phrase, with_reading
from experiments.sweep.analysis.sweep_data import (
    ASARA,
    EXPLOSIVE,
    FACTORS,
    ONE_BY_ONE,
    SPEEDING_UP,
    RunOutcome,
    Sweep,
    has_road,
    reported_gain,
)
from experiments.text.number_format import pluralize
from sim.growth import reading_of_r

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_PLANES: Final = 3
"""Pairs of parameters that are select_for_figure, the strongest ones; the tables hold all."""
SUMMARY: Final = "analysis.json"
MAX_LISTED_FAILURES: Final = 10
"""Maximum number of reasons for failed runs that are listed; for others only the number of runs is shown."""
_QUESTION_KEYS: Final = ("question", "description")


class ReportSection(NamedTuple):
    """A section of the report: a heading, sentences, a figure with its caption, and a table."""

    name: str
    """Name of its files, without ending."""
    heading: str
    """Heading; sections with the same heading are shown together."""
    sentences: list[str]
    figure: Figure | None
    caption: str
    table: pa.Table | None
    slide: Figure | None = None
    """The figure in the shape of a slide, for the PNG file; None if that shows the figure itself."""


def parts(sweep: Sweep, outcome: str | None = None) -> Iterator[ReportSection]:
    """Yield the sections of the report in order; a section that the design does not allow has the reason in its place.

    ``outcome``: the outcome whose sensitivity is shown; by default all outcomes. One-at-a-time designs do not fill the
    space of parameters, so they have no maps, regions or convergence.
    """
    if sweep.labs:
        yield from _race_sections(sweep)
        return
    if policy_front.has_front(sweep):
        yield _policy_section(sweep)
    if has_road(sweep) and sweep.sampling != ONE_BY_ONE and outcome in (None, ASARA):
        yield _asara_section(sweep)
    yield from _fan_sections(sweep)
    yield from _probability_sections(sweep)
    yield _time_section(sweep)
    if sweep.levers:
        yield from _lever_sections(sweep)
    yield from _limit_sections(sweep)
    yield from _sensitivity_sections(sweep, outcome)
    if sweep.sampling == ONE_BY_ONE:
        return
    yield from _region_sections(sweep)
    table = convergence.convergence_table(sweep)
    sentences = [convergence.convergence_sentence(sweep, table)]
    yield ReportSection(
        "convergence",
        "Are there enough runs?",
        sentences,
        convergence.convergence_figure(sweep, table),
        f"Estimates as runs accumulate, with their 95% intervals.{omission_note(combinations(sweep), MAX_LISTED)}",
        table,
    )


def summary_paragraph(sweep: Sweep) -> str:
    """Return the results of a sweep as one paragraph; every number is for one combination of levers."""
    sentences = [f"{name} is {' / '.join(moved)}." for name, moved in sweep.coupled.items() if name in sweep.levers]
    if sweep.labs:
        return " ".join([*sentences, *race_outcomes.race_sentences(sweep)])
    sentences += [
        explosion_probability.sentence(sweep),
        explosion_probability.rest_sentence(sweep),
        explosion_probability.limit_sentence(sweep),
    ]
    sentences.append(explosion_probability.strongest_parameter(sweep))
    if has_road(sweep):
        sentences += day_tornado.day_sentences(sweep)
    if policy_front.has_front(sweep):
        sentences += policy_front.front_sentences(sweep)
    sentences += time_to_gain.time_sentences(sweep)
    if sweep.levers:
        sentences.append(lever_effects.strongest_lever_sentence(lever_effects.lever_effects(sweep)))
    if sweep.systematic:
        sentences.append(
            f"Shares are of the points of a {sweep.sampling} design; they are not probabilities of real outcomes."
        )
    return " ".join(sentence for sentence in sentences if sentence)


def reading(sweep: Sweep) -> str:
    """Return the meaning of r in a sweep that varies it, for each growth__returns_to; empty without a penalty."""
    if RETURNS not in {*sweep.varied, *(name for moved in sweep.coupled.values() for name in moved)}:
        return ""
    return " ".join(
        reading_of_r(name, f"p = {low:g}" if low == high else f"p = {low:.3g} to {high:.3g}")
        for name, (low, high) in sweep.readings.items()
    )


def summary(sweep: Sweep) -> dict[str, Any]:
    """Return the numbers of a report as plain values for each combination of levers; None if not finite."""
    found: dict[str, Any] = {
        "name": sweep.manifest.get("name", ""),
        "runs": sweep.asked,
        "with_result": sweep.n,
        "missing": sweep.missing,
        "statuses": dict(sweep.statuses),
        "failures": [each._asdict() for each in sweep.failures],
        "verdict": summary_paragraph(sweep),
        "reading_of_r": reading(sweep),
    }
    found |= race_outcomes.race_numbers(sweep) if sweep.labs else _numbers(sweep)
    content: dict[str, Any] = to_json_values(found)
    return content


def _numbers(sweep: Sweep) -> dict[str, Any]:
    """Return the numbers that a report has for runs of one lab."""
    column, why = reported_gain(sweep)
    return {
        "combinations": [_combination_summary(each, column) for each in combinations(sweep)],
        "gain": {"factor": FACTORS[column], "note": why},
        "levers": [each._asdict() for each in lever_effects.lever_effects(sweep)],
        "regions": _region_summaries(sweep),
        "policies": policy_front.front_table(sweep).to_pylist() if policy_front.has_front(sweep) else [],
        "asara_day": [_asara_summary(each) for each in combinations(sweep)] if has_road(sweep) else [],
    }


def _asara_summary(part: Combination) -> dict[str, Any]:
    """Return the mean day of ASARA and its swings in one combination of levers."""
    found = day_tornado.day_tornado(part.sweep)
    swings = [each._asdict() for each in found.swings]
    return {"levers": part.values, "mean": found.mean, "limit": found.limit, "swings": swings}


def _combination_summary(part: Combination, column: str) -> dict[str, Any]:
    """Return the numbers of one combination of levers."""
    indices = {outcome: sensitivity.sobol_first(part.sweep, outcome) for outcome in sensitivity.OUTCOMES}
    return {
        "levers": part.values,
        "explosion": _probability_summary(part.sweep, EXPLOSIVE),
        "speeding_up": _probability_summary(part.sweep, SPEEDING_UP),
        "long_run": dict(Counter(part.sweep.texts("long_run"))),
        "pace": dict(Counter(part.sweep.texts("pace"))),
        "days": time_to_gain.time_table(part.sweep, column).to_pylist(),
        "limited_by": limiting_resource.limiting_shares(part.sweep),
        "sobol": {
            outcome: {"note": note, "first": _indices_summary(each)} for outcome, (each, note) in indices.items()
        },
    }


def _probability_summary(sweep: Sweep, outcome: RunOutcome) -> dict[str, Any]:
    found = explosion_probability.probability(sweep, outcome=outcome)
    return found._asdict() | {"meaning": f"probability that {outcome.meaning}"}


def _region_summaries(sweep: Sweep) -> list[dict[str, Any]]:
    """Return the box of each combination of levers; an empty list for a one-at-a-time design."""
    return (
        []
        if sweep.sampling == ONE_BY_ONE
        else [_region_summary(each) for each in scenario_discovery.box_combinations(sweep)]
    )


def _region_summary(part: Combination) -> dict[str, Any]:
    box = scenario_discovery.find_explosion_box(part.sweep)
    return {
        "levers": part.values,
        "sentence": scenario_discovery.box_sentence(part.sweep, box),
        "bounds": box.bounds if box else None,
    }


def html(sweep: Sweep, found: list[ReportSection]) -> str:
    """Return the report as one page without external files."""
    name = str(sweep.manifest.get("name") or "sweep")
    sections: dict[str, list[ReportSection]] = {}
    for part in found:
        sections.setdefault(part.heading, []).append(part)
    return render_page(
        {
            "title": name,
            "questions": _headline(sweep),
            "verdict": summary_paragraph(sweep),
            "run_status": _run_status(sweep),
            "sections": [_section_view(heading, members) for heading, members in sections.items()],
            "design": _varied_table(sweep),
            "footer": _footer(sweep),
        }
    )


def _section_view(heading: str, members: Sequence[ReportSection]) -> dict[str, Any]:
    return {
        "heading": heading,
        "sentences": [sentence for part in members for sentence in part.sentences],
        "pictures": [report_picture(svg(p.figure, p.name), p.caption) for p in members if p.figure is not None],
        "tables": [
            {"name": p.name, "view": table_view(p.table)} for p in members if p.table is not None and p.table.num_rows
        ],
    }


def files(sweep: Sweep, on_progress: OnProgress = ignore_progress, outcome: str | None = None) -> dict[str, bytes]:
    """Return all files of the analysis by name: `report.html`, `analysis.json`, and CSV and PNG of each section.

    ``on_progress`` is called for each section. ``outcome``: the outcome whose sensitivity is shown; by
    default all outcomes.
    """
    found, content, footer = [], {}, figure_footer(sweep)
    for part in parts(sweep, outcome):
        on_progress(Progress(None, 1, part.name, "analysing"))
        found.append(part)
        if part.figure is not None:
            content[f"{part.name}.png"] = png(part.slide or part.figure, footer)
        if part.table is not None:
            content[f"{part.name}.csv"] = to_csv(part.table).encode()
    on_progress(Progress(None, 1, "report", "analysing"))
    content["report.html"] = html(sweep, found).encode()
    numbers = summary(sweep) | {"files": sorted([*content, SUMMARY])}
    content[SUMMARY] = f"{to_json(numbers)}\n".encode()
    return content


def stale_files(folder: Path, content: Collection[str]) -> list[Path]:
    """Return the files of an earlier analysis in a folder that are not part of this content."""
    try:
        listed = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))["files"]
        names = [name for name in listed if name == Path(name).name and name not in content]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [folder / name for name in names if (folder / name).is_file()]


def to_csv(table: pa.Table) -> str:
    """Return a table as CSV, with an empty cell for null."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(["" if value is None else value for value in row.values()] for row in table.to_pylist())
    return text.getvalue()


def _fan_sections(sweep: Sweep) -> Iterator[ReportSection]:
    closed = fan_chart.has_closed_form(sweep)
    law = " Dashed: the closed form at the same points, which contains only the law." if closed else ""
    quantiles = "Quantiles over runs, on a logarithmic scale."
    heading, note = "How far does software get?", omission_note(combinations(sweep))
    yield ReportSection(
        "fan",
        heading,
        [fan_chart.METHOD_NOTE],
        fan_chart.fan_figure(sweep),
        f"{quantiles}{law}{note}",
        fan_chart.fan_table(sweep),
    )
    if closed:
        yield ReportSection("fan-closed-form", heading, [], None, "", fan_chart.fan_table(sweep, closed=True))


def _race_sections(sweep: Sweep) -> Iterator[ReportSection]:
    """Yield the sections on runs of several labs."""
    first, lead, concentration, left_out = race_outcomes.sentences_by_topic(sweep)
    note = omission_note(race_outcomes.panel_combinations(sweep), race_outcomes.MAX_COLUMNS)
    yield ReportSection(
        "race-first",
        "Which lab is first?",
        [*first, race_outcomes.METHOD_NOTE],
        race_outcomes.race_figure(sweep),
        "Top: probability of each lab to reach the level first, with its 95% interval. Bottom: lead of the first lab "
        f"over the second, the median (dot) and 80% of the runs (bar).{note}",
        race_outcomes.first_table(sweep),
        race_outcomes.race_slide(sweep),
    )
    yield ReportSection("race-lead", "How large is the lead?", lead, None, "", race_outcomes.lead_table(sweep))
    yield ReportSection(
        "race-concentration",
        "How concentrated are software and compute?",
        concentration,
        None,
        "",
        race_outcomes.concentration_table(sweep),
    )
    yield ReportSection("race-left-out", "What is left out?", left_out, None, "", None)


def _policy_section(sweep: Sweep) -> ReportSection:
    """Return the section on what governance policies delay and cost."""
    fronts = policy_front.policy_fronts(sweep)
    factor = FACTORS[reported_gain(sweep)[0]]
    is_known = any(each.delay_pairs for front in fronts for each in front.effects[1:])
    note = omission_note([each.part for each in fronts], policy_front.MAX_PANELS)
    caption = (
        f"Delay of {factor:,} times the software against the software lost, by policy. {policy_front.HOW_TO_READ}{note}"
    )
    return ReportSection(
        "policies",
        "What does each policy delay, and what does it cost?",
        [*policy_front.front_sentences(sweep, fronts), policy_front.METHOD_NOTE],
        policy_front.front_figure(fronts) if is_known else None,
        caption,
        policy_front.front_table(sweep, fronts),
        policy_front.front_slide(sweep, fronts) if is_known else None,
    )


def _asara_section(sweep: Sweep) -> ReportSection:
    """Return the section on the parameters that move the day of full automation."""
    table = day_tornado.day_table(sweep)
    note = omission_note(combinations(sweep), day_tornado.MAX_PANELS)
    caption = (
        "Mean day of full automation in the lowest and in the highest third of each parameter, the largest swing "
        f"first. Vertical line: mean of all runs; grey: 95% intervals.{note}"
    )
    return ReportSection(
        "tornado-asara_day",
        "What moves the day of full automation most?",
        [*day_tornado.day_sentences(sweep), day_tornado.METHOD_NOTE],
        day_tornado.day_figure(sweep) if table.num_rows else None,
        caption,
        table,
        day_tornado.day_slide(sweep) if table.num_rows else None,
    )


def _probability_sections(sweep: Sweep) -> Iterator[ReportSection]:
    heading = "How probable is an explosion?"
    yield ReportSection(
        "probability",
        heading,
        [explosion_probability.sentence(sweep), explosion_probability.METHOD_NOTE],
        None,
        "",
        explosion_probability.probability_table(sweep),
    )
    if sweep.sampling == ONE_BY_ONE:
        return
    for number, (across, up) in enumerate(_ranked_pairs(sweep)):
        figure = explosion_probability.plane_figure(sweep, across, up) if number < MAX_PLANES else None
        others = combinations(sweep, (across, up))
        caption = (
            f"{explosion_probability.outcome_title(sweep, sweep.outcome)}, its 95% interval and the number of runs n; "
            f"a dashed edge marks an estimate from fewer than {explosion_probability.MIN_RUNS_FOR_ESTIMATE} runs."
            f"{omission_note(others, explosion_probability.MAX_PANELS)}"
        )
        table = explosion_probability.plane_table(sweep, across, up)
        yield ReportSection(f"probability-{across}-{up}", heading, [], figure, caption, table)


def _ranked_pairs(sweep: Sweep) -> list[tuple[str, str]]:
    """Return all pairs of the varied parameters, the strongest pair first."""
    ranked = explosion_probability.rank_parameters(sweep)[:6]
    return sorted(combinations_of(ranked, 2), key=lambda pair: sum(map(ranked.index, pair)))


def _time_section(sweep: Sweep) -> ReportSection:
    column, _ = reported_gain(sweep)
    caption = (
        f"Share of runs whose software has grown {FACTORS[column]:,}-fold by a day, with its 95% interval."
        f"{omission_note(combinations(sweep))}"
    )
    sentences = [" ".join(time_to_gain.time_sentences(sweep)), time_to_gain.METHOD_NOTE]
    heading = "How long does a large gain take?"
    return ReportSection(
        "time",
        heading,
        sentences,
        time_to_gain.time_figure(sweep, column),
        caption,
        time_to_gain.time_table(sweep, column),
    )


def _lever_sections(sweep: Sweep) -> Iterator[ReportSection]:
    effects, heading = lever_effects.lever_effects(sweep), "What do the levers do?"
    sentences = [*lever_effects.lever_sentences(effects), lever_effects.METHOD_NOTE]
    for outcome in lever_effects.OUTCOMES if effects else ():
        caption = f"Change of the {phrase(outcome)}."
        table = lever_effects.lever_table(sweep) if outcome == "explosion" else None
        figure = lever_effects.lever_figure(effects, outcome, sweep.reading)
        yield ReportSection(
            f"levers-{outcome}", heading, sentences if table is not None else [], figure, f"{caption} {_PAIRED}", table
        )


_PAIRED: Final = "Dots: mean over pairs of runs with the same random seed; bars: 95% intervals."


def _limit_sections(sweep: Sweep) -> Iterator[ReportSection]:
    alone = sweep.sampling == ONE_BY_ONE
    pair, heading = None if alone else explosion_probability.strongest_pair(sweep), "Which resource limits where?"
    figure = limiting_resource.limits_figure(sweep, *pair) if pair and len(set(sweep.texts("limited_by"))) > 1 else None
    table = limiting_resource.limits_table(sweep, *pair) if pair else None
    note = omission_note(combinations(sweep, pair), explosion_probability.MAX_PANELS) if pair else ""
    caption = (
        "The input of which 1% more brings the last doubling forward most. Each cell is divided between the inputs by "
        f"their share of its runs; the largest share is written in it.{note}"
    )
    yield ReportSection("limits", heading, [limiting_resource.limits_sentence(sweep)], figure, caption, table)


def _sensitivity_sections(sweep: Sweep, chosen: str | None = None) -> Iterator[ReportSection]:
    heading, one_by_one = "What matters most?", sweep.sampling == ONE_BY_ONE
    method = (
        "One parameter changes at a time and all others are at their base, so differences are exact."
        if one_by_one
        else "Runs of the lowest and the highest tenth of a parameter, or of its lowest and highest level, compared "
        "with all runs; grey: 95% intervals."
    )
    if not one_by_one and not sweep.uncertainties:
        sentence = "Only levers vary; their effects are shown above."
        yield ReportSection("tornado", heading, [sentence], None, "", None)
        return
    for outcome in sensitivity.tornado_outcomes(sweep, chosen):
        if outcome == ASARA and not one_by_one and has_road(sweep):
            continue  # it has its own section
        table = sensitivity.tornado_table(sweep, outcome)
        sentences = [
            sensitivity.constant_outcome_sentence(sweep, outcome),
            sensitivity.not_reached_sentence(sweep, outcome),
        ]
        if table.num_rows:
            figure = sensitivity.tornado_figure(sweep, outcome)
            note = "" if one_by_one else omission_note(combinations(sweep), sensitivity.MAX_PANELS)
            never = " Never: not reached by the end of the run." * outcome.startswith("days_to_")
            caption = f"Tornado of the {phrase(outcome)}. {method}{never}{note}"
            yield ReportSection(f"tornado-{outcome}", heading, sentences, figure, caption, table)
        elif any(sentences):
            yield ReportSection(f"tornado-{outcome}", heading, sentences, None, "", None)
    yield from _sobol_sections(sweep, heading, sensitivity.OUTCOMES if chosen is None else (chosen,))


def _sobol_sections(sweep: Sweep, heading: str, outcomes: tuple[str, ...]) -> Iterator[ReportSection]:
    parts, reported = combinations(sweep), set[str]()
    for outcome in outcomes:
        tables = []
        for at, part in enumerate(parts):
            found, why = sensitivity.sobol_first(part.sweep, outcome)
            if found is None:
                if why not in reported:
                    yield ReportSection(f"sobol-{outcome}", heading, [why], None, "", None)
                reported.add(why)
                continue
            tables.append((part.values, sensitivity.sobol_table(found)))
            if len(tables) > MAX_DRAWN:
                continue
            where = f" with {part.text}" * bool(part.values)
            caption = (
                f"First-order Sobol' indices of the {phrase(outcome)}{where}: the share of the variance that "
                "each parameter explains by itself. The remaining share is due to interactions. An index near 0, or "
                "slightly below, means no effect."
            )
            name = f"sobol-{outcome}" + f"-{at + 1}" * (len(parts) > 1)
            yield ReportSection(name, heading, [], sensitivity.sobol_figure(found, part.sweep.reading), caption, None)
        if tables:
            yield ReportSection(f"sobol-{outcome}", heading, [], None, "", stack_tables(tables))


def _region_sections(sweep: Sweep) -> Iterator[ReportSection]:
    parts, heading, tables = (
        scenario_discovery.box_combinations(sweep),
        f"Where are {sweep.outcome.plural} most frequent?",
        [],
    )
    for at, part in enumerate(parts):
        box = scenario_discovery.find_explosion_box(part.sweep)
        tables.append((part.values, scenario_discovery.box_table(part.sweep, box)))
        if part not in select_for_figure(parts):
            continue
        sentences = [f"With {part.text}: " * bool(part.values) + scenario_discovery.box_sentence(part.sweep, box)]
        sentences += [scenario_discovery.METHOD_NOTE] * (box is not None and at == 0)
        among = [*(box.bounds if box else ()), *explosion_probability.rank_parameters(part.sweep)]
        axes = [name for name in dict.fromkeys(among) if name in scenario_discovery.box_inputs(part.sweep)][:2]
        figure = scenario_discovery.box_figure(part.sweep, box, axes[0], axes[1]) if box and len(axes) == 2 else None
        where = f" with {part.text}" * bool(part.values)
        caption = f"Each run{where}, and the box, over two of the parameters."
        yield ReportSection("region" + f"-{at + 1}" * (len(parts) > 1), heading, sentences, figure, caption, None)
    yield ReportSection("region", heading, [omission_note(parts).strip()], None, "", stack_tables(tables))


def _headline(sweep: Sweep) -> list[str]:
    """Return the question of the design, its varied parameters, and the meaning of r."""
    design = sweep.manifest.get("design", {})
    question = next((str(design[key]) for key in _QUESTION_KEYS if isinstance(design, Mapping) and design.get(key)), "")
    varied = "; ".join(f"{with_reading(name, sweep.reading)} ({name})" for name in sweep.varied)
    varies = f"Varied: {varied}." if varied else "Only the random seed varies."
    return [text for text in (question, varies, reading(sweep)) if text]


def _run_status(sweep: Sweep) -> dict[str, Any]:
    """Return the number of runs with a result, and the reasons why others have none."""
    sentences = [f"{sweep.n:,} of {sweep.asked:,} runs have a result; the report is based on these."]
    if sweep.missing:
        sentences.append(f"{sweep.missing:,} runs are missing: the sweep has not finished.")
    bad = sum(failure.runs for failure in sweep.failures)
    if bad:
        sentences.append(f"{bad:,} runs have no result; if that depends on the parameters, the shares are biased.")
    names = ("status", "message", "runs", "first")
    shown = sweep.failures[:MAX_LISTED_FAILURES]
    rest = sum(failure.runs for failure in sweep.failures[MAX_LISTED_FAILURES:])
    return {
        "text": " ".join(sentences),
        "incomplete": bool(sweep.missing or bad),
        "failures": table_view(pa.table({name: [getattr(each, name) for each in shown] for name in names}))
        if shown
        else None,
        "other_failures": f"{rest:,}" if rest else "",
    }


def _varied_table(sweep: Sweep) -> TableView | None:
    """Return the table of the varied parameters and their values; None if none varies."""
    rows = [
        (name, "uncertain", sweep.label(name, 200), _format_distribution(sweep, name)) for name in sweep.uncertainties
    ]
    rows += [(name, "lever", sweep.label(name, 200), ", ".join(_lever_values(sweep, name))) for name in sweep.levers]
    if not rows:
        return None
    names = ("parameter", "kind", "meaning", "values")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return table_view(pa.table(columns))


def _format_distribution(sweep: Sweep, name: str) -> str:
    stated = sweep.manifest.get("uncertainties", {}).get(name)
    if not isinstance(stated, Mapping):
        return str(stated)
    kind = stated.get("distribution", "")
    return " ".join([str(kind), *(f"{key} {value}" for key, value in stated.items() if key != "distribution")])


def _lever_values(sweep: Sweep, name: str) -> list[str]:
    from experiments.sweep.analysis.binning import bin_parameter  # noqa: PLC0415

    return list(bin_parameter(sweep, name).labels)


def figure_footer(sweep: Sweep) -> str:
    """Return the footer of the figures of a sweep: runs, seed, engine, version and the digest of the design."""
    made = {name: str(sweep.manifest.get(name, "?")) for name in ("seed", "engine", "version")}
    return footer_text(
        f"n = {pluralize(sweep.n, 'run')}",
        f"seed {made['seed']}",
        f"engine {made['engine']}",
        by=made["version"],
        design=str(sweep.manifest.get("design_digest", "?")),
    )


def _footer(sweep: Sweep) -> str:
    content = sweep.manifest
    items = [
        f"asara {content.get('version', '?')}",
        f"engine {content.get('engine', '?')}",
        f"sampling {sweep.sampling}",
        f"{content.get('points', '?')} points",
        f"seed {content.get('seed', '?')}",
        *(f"{what} {str(content.get(f'{what}_digest', '?'))[:12]}" for what in ("design", "model")),
    ]
    return " · ".join(items)


def _indices_summary(found: sensitivity.Indices | None) -> dict[str, Any] | None:
    if found is None:
        return None
    rows = zip(found.names, found.first, found.half, strict=True)
    return {name: {"index": first, "half": half} for name, first, half in rows} | {"luck": found.replication_share}
