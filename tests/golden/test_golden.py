"""A change that moves the golden run must say so: `make golden`, with the reason in the commit."""

from tests.golden.renew import FILE, golden_ledger


def test_the_golden_run_has_not_moved():
    expected, found = FILE.read_text(encoding="utf-8").splitlines(), golden_ledger().splitlines()
    for number, (old, new) in enumerate(zip(expected, found, strict=False), start=1):
        assert new == old, f"line {number} of {FILE.name} has moved"
    assert len(found) == len(expected)


def test_the_golden_run_shows_what_a_lab_does():
    text = FILE.read_text(encoding="utf-8")
    for fact in ("PaperPublished", "SoftwareDoubled", "TrainingStarted", "Deployed", "Ended", "use='experiment'"):
        assert fact in text
    assert "failures=1" in text
