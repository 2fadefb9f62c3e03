"""Draw the picture of docs/explanation/lab-policies.md: `python -m experiments.docs_build.policy_picture FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from experiments.policy.figure import policy_picture
from sim.scenario.model import Scenario

HORIZON_DAYS = 365.0
"""Length of the runs [days]."""
SEED = 1


def main(image: Path) -> None:
    """Run the default lab under both policies, and write the picture."""
    lab = Scenario.load("lab").replace(run__horizon_days=HORIZON_DAYS, run__max_doublings=30)
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(policy_picture(lab, SEED))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
