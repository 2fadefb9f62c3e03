"""The summary of a test run lists what the machine could not test."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_summary_after_skips_counts_them_by_reason(tmp_path):
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_skips.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_browser(n): pytest.skip('chromium is not installed')\n"
        "@pytest.mark.skipif(True, reason='no shared data')\n"
        "def test_data(): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "."]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ, cwd=tmp_path)
    assert "NOT TESTED HERE: 3 tests were skipped" in answer.stdout
    assert "     2  chromium is not installed\n     1  no shared data\n" in answer.stdout
