"""The summary of a test run lists what the machine could not test; in CI a missing program fails the test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SKIPS = """
import pytest

@pytest.mark.parametrize("n", [1, 2])
def test_browser(n):
    pytest.skip("chromium is not installed")

@pytest.mark.skipif(True, reason="the processor has no avx512f")
def test_processor():
    pass

@pytest.mark.xfail(strict=True)
def test_known_failure():
    assert False
"""
MODULE = """
import pytest

pytest.importorskip("no_such_package", reason="no_such_package is not installed")
"""


def run_tests(folder: Path, ci: str, **files: str) -> tuple[int, str]:
    """Run the tests of some files under the hooks of tests/conftest.py; return the exit code and the output."""
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "."]
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": paths, "CI": ci}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    return done.returncode, done.stdout


@pytest.mark.slow
def test_summary_after_skips_counts_them_by_reason(tmp_path):
    code, shown = run_tests(tmp_path, "", test_skips=SKIPS, test_module=MODULE)
    assert code == 0
    assert "NOT TESTED HERE: 4 tests were skipped" in shown
    assert "     2  chromium is not installed\n" in shown
    assert "     1  the processor has no avx512f\n" in shown
    assert "     1  no_such_package is not installed\n" in shown


@pytest.mark.slow
def test_skip_in_ci_fails_unless_the_processor_lacks_a_feature(tmp_path):
    code, shown = run_tests(tmp_path, "true", test_skips=SKIPS)
    assert code == 1
    assert "2 failed, 1 skipped, 1 xfailed" in shown
    assert "Skipped in CI, where every test must run: chromium is not installed. Install what is missing" in shown
    assert "NOT TESTED HERE: 1 tests were skipped" in shown
    assert "     1  the processor has no avx512f\n" in shown


@pytest.mark.slow
def test_skipped_module_in_ci_is_an_error(tmp_path):
    code, shown = run_tests(tmp_path, "true", test_module=MODULE)
    assert code == 2
    assert "Skipped in CI, where every test must run: no_such_package is not installed." in shown
