"""All benchmarks, one after another, each in a process of its own: `make bench`, some minutes.

Exits with 1 if any of them missed a limit, and says which.
"""

import subprocess
import sys
from pathlib import Path

PARTS = (
    "cluster",
    "logs",
    "growth_law",
    "scale",
    "several_labs",
    "window",
    "web_page",
    "pages",
    "commands",
    "sweep",
    "kernels",
)


def main() -> int:
    """Run all; return the exit code."""
    missed = [
        part
        for part in PARTS
        if subprocess.run([sys.executable, Path(__file__).with_name(f"{part}.py")], check=False).returncode
    ]
    print(f"limits missed in: {', '.join(missed)}" if missed else "every limit that could be measured holds")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
