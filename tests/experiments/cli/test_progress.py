"""Test the progress of long work without a terminal: few lines, for any text."""

from experiments.cli.progress import progress


def shown(capsys, told):
    with progress() as tell:
        for text, share in told:
            tell(text, share)
    return capsys.readouterr().err.splitlines()


def test_progress_in_a_log_has_a_line_for_each_fifth(capsys):
    days = [(f"{day // 100} of 10 runs are over; this one is at day {day % 100}", day / 1000) for day in range(1000)]
    assert shown(capsys, days) == [days[at][0] for at in (0, 200, 400, 600, 800)]


def test_progress_of_another_piece_of_work_starts_again(capsys):
    searches = [(f"seed {seed}: {trial} of 1", 1.0) for seed in (0, 1) for trial in (1, 1)]
    assert shown(capsys, searches) == ["seed 0: 1 of 1", "seed 1: 1 of 1"]


def test_progress_without_a_share_is_printed_on_each_change(capsys):
    assert shown(capsys, [("one", None), ("one", None), ("two", None), ("one", None)]) == ["one", "two", "one"]
