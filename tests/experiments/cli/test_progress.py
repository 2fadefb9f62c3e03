"""Test the progress of long work without a terminal: few lines, for any text."""

from experiments.cli.progress import show_progress
from experiments.progress import Progress, count_progress


def printed(capsys, reports, *options, **named):
    with show_progress(*options, **named) as on_progress:
        for report in reports:
            on_progress(report)
    return capsys.readouterr().err.splitlines()


def test_progress_in_a_log_has_a_line_for_each_fifth(capsys):
    days = [Progress(day, 1000, f"{day // 100} of 10 runs; day {day % 100}") for day in range(1000)]
    assert printed(capsys, days) == [days[at].what for at in (0, 200, 400, 600, 800)]


def test_progress_of_another_task_starts_again(capsys):
    searches = [Progress(1, 1, f"{trial} of 1", f"seed {seed}") for seed in (0, 1) for trial in (1, 1)]
    assert printed(capsys, searches) == ["seed 0: 1 of 1", "seed 1: 1 of 1"]


def test_progress_without_a_share_is_printed_on_each_change(capsys):
    reports = [Progress(None, 1, text) for text in ("one", "one", "two", "one")]
    assert printed(capsys, reports) == ["one", "two", "one"]


def test_progress_with_none_prints_nothing(capsys):
    assert printed(capsys, [count_progress(done, 10, "worlds") for done in range(11)], "none") == []


def test_progress_at_intervals_has_rate_time_left_and_details(capsys):
    times = iter([0.0, 0.0, 0.0, 0.0, *[40.0] * 3])
    reports = [count_progress(done, 100, "runs", "long run of these runs: 20 fizzle") for done in (10, 30)]
    assert printed(capsys, reports, "intervals", with_rate=True, clock=lambda: next(times)) == [
        "30 of 100 runs · 0.5 a second · 2 min left · long run of these runs: 20 fizzle"
    ]


def test_progress_of_unknown_length_has_no_share():
    assert [Progress(None, 4, "text").share, Progress(1, 4, "text").share] == [None, 0.25]
