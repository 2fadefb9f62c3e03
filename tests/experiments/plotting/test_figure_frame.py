"""What all pictures share: title, footer, shape, and the same bytes for the same figure."""

import struct

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.cli.run_table import show_result
from experiments.monte_carlo.figure import mc_picture
from experiments.monte_carlo.priors import load_priors
from experiments.monte_carlo.runner import run_study
from experiments.monte_carlo.summary import summarize
from experiments.plotting.captions import footer_text
from experiments.plotting.frame import add_title, footed, render
from experiments.plotting.run_figure import run_figure, run_picture
from experiments.plotting.style import STYLE
from experiments.text.scenario_changes import changes_of, changes_text, titled
from sim.fluid.api import run_fluid
from sim.runner import run
from sim.scenario.model import Scenario

SHORT = Scenario.load("toy-explosion").replace(run__horizon_days=20.0)


@pytest.fixture(scope="module")
def short():
    return run(SHORT, 3)


def text_of(svg: bytes) -> str:
    """An SVG with its text, which matplotlib writes in comments beside the letters' outlines."""
    return svg.decode()


def size_of(png: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def drawn() -> Figure:
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    figure.subplots().plot([0, 1], [0, 1])
    return figure


def test_footer_text_names_items_version_and_short_digests():
    assert footer_text("seed 3", "", by="9.9", run="a" * 64, prior="") == f"seed 3 · asara 9.9 · run digest {'a' * 12}"


def test_footer_of_a_figure_lies_below_its_panels_and_is_removed_afterwards():
    figure = drawn()
    with footed(figure, "word " * 60):
        FigureCanvasAgg(figure).draw()
        text = figure.texts[0].get_window_extent()
        panel = figure.axes[0].get_tightbbox()
        assert text.y1 <= panel.y0
        assert text.y0 >= 0
        assert text.x1 <= figure.bbox.x1
    assert figure.texts == []
    assert figure.get_layout_engine().get()["rect"] == (0, 0, 1, 1)


def test_title_of_a_figure_lies_above_its_panels():
    figure = drawn()
    add_title(figure, "a title", "first sentence\n" + "word " * 80)
    FigureCanvasAgg(figure).draw()
    boxes = [text.get_window_extent() for text in figure.texts]
    assert min(box.y0 for box in boxes) >= figure.axes[0].get_tightbbox().y1
    assert max(box.x1 for box in boxes) <= figure.bbox.x1


def test_render_of_a_figure_in_all_forms_gives_the_same_bytes():
    for form in ("png", "svg", "pdf"):
        first, second = (render(drawn, "footer", STYLE, form) for _ in range(2))
        assert first == second


@pytest.mark.slow
def test_run_picture_states_seed_engine_version_and_digest(short):
    found = text_of(run_picture(short, "svg"))
    assert "seed 3 · engine world · asara 0." in found
    assert f"run digest {short.digest[:12]}" in found
    fluid = run_fluid(SHORT)
    assert "no seed · engine fluid" in text_of(run_picture(fluid, "svg"))


def test_run_picture_with_changes_names_them_in_its_title():
    result = run_fluid(Scenario.load("lab").replace(cluster__gpus=2048, run__horizon_days=10.0))
    found = text_of(run_picture(result, "svg"))
    assert "lab: GPUs 2,048 (1,024), horizon days 10 (730)" in found
    assert "lab: " not in text_of(run_picture(result, "svg", changes=[]))


def test_wide_picture_of_a_run_has_the_shape_of_a_slide(short):
    width, height = size_of(run_picture(short, shape="wide"))
    assert width * 9 == height * 16
    labels = [axes.get_ylabel() for axes in run_figure(short, "wide").axes]
    assert labels == ["software (day 0: 1×)", "researchers", "GPUs in use"]


def test_changes_of_returns_the_differences_from_the_base():
    lab = Scenario.load("lab")
    assert changes_of(lab) == []
    changed = lab.replace(growth__r=1.5, training__required=False, cluster__queue="sjf", researcher__initial=9)
    assert changes_text(changes_of(changed)) == (
        "growth r 1.5 (1.4), researcher initial 9 (0), queue sjf (easy), training required no (yes)"
    )
    assert titled(changed, changes_of(changed, changed)) == "lab"
    own = changed.model_copy(update={"name": "mine"})
    assert changes_of(own) == []
    assert next(change.parameter for change in changes_of(own, lab.replace(growth__r=1.5))) == "researcher__initial"


def test_changes_text_counts_changes_after_the_first():
    changes = changes_of(Scenario.load("toy-explosion"), Scenario.load("lab"))
    assert changes_text(changes).endswith(f"and {len(changes) - 4} more")


def test_mc_pictures_with_and_without_retraining_have_different_titles():
    found = {}
    for name in ("successor", "successor-retraining"):
        priors = load_priors(name)
        worlds = run_study(priors.study, 500, 0)
        summary = summarize(priors, 500, 0, *worlds)
        found[name] = text_of(mc_picture(summary, priors.study, *worlds, form="svg"))
        assert f"n = 500 worlds · seed 0 · asara 0.1.0 · prior digest {priors.digest[:12]}" in found[name]
    assert "successor: law without retraining" in found["successor"]
    assert "successor-retraining: law with the damping of retraining" in found["successor-retraining"]


@pytest.mark.parametrize(("weight", "shown"), [(1.0, False), (0.5, True)])
def test_run_prints_duplicates_only_if_they_count_less(short, capsys, weight, shown):
    scenario = short.scenario.replace(literature__duplicate_weight=weight)
    show_result(short._replace(scenario=scenario, duplicate_share=0.25, toes_exponent=0.9))
    words = " ".join(capsys.readouterr().out.split())
    said = "Duplicates: 25.0% of the papers, each of which counts as 0.5 of a paper. As the team changed, the new"
    assert (said in words) is shown
    assert ("Duplicates" in words) is shown


def test_changes_text_writes_large_numbers_in_full():
    changed = Scenario.load("lab").replace(run__stop_at_researchers=1048576.0)
    assert changes_text(changes_of(changed)) == "stop at researchers 1,048,576 (0)"


def test_run_heading_with_changes_marks_the_description_as_unchanged(asara):
    answer = asara("run", "toy-explosion", "--until", 5)
    words = " ".join(answer.out.split())
    assert (
        "toy-explosion (seed 0), changed: horizon days 5 (730). toy-explosion without changes: The toy model" in words
    )
    assert "changed" not in asara("run", "toy-explosion", "--set", "run__horizon_days=730.0").out


@pytest.mark.parametrize("option", [("--shape", "wide"), ("--format", "svg")])
@pytest.mark.parametrize("command", [("run", "toy-explosion"), ("mc", "successor", "--n", 100)])
def test_picture_options_without_a_folder_are_refused(asara, command, option):
    answer = asara(*command, *option)
    assert answer.code == 2
    assert f"{option[0]} applies to the files in --out" in answer.err


def test_mc_with_another_format_replaces_its_earlier_picture(asara, tmp_path):
    assert asara("mc", "successor", "--n", 200, "--out", "out").code == 0
    answer = asara("mc", "successor", "--n", 200, "--out", "out", "--format", "pdf", "--shape", "wide")
    assert "mc.json, mc.csv, mc.pdf" in answer.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mc.csv", "mc.json", "mc.pdf"]
