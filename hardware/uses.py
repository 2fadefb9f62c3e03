"""Name the uses of GPUs."""

from enum import StrEnum
from typing import Final


class Use(StrEnum):
    """What a lab uses its GPUs for.

    A member equals its value as text. Its ``repr`` is that of the text, too, because digests contain the ``repr`` of
    records of jobs.
    """

    INFERENCE = "inference"
    """Researchers run on these GPUs."""
    EXPERIMENT = "experiment"
    """Experiments of researchers, and the timing of kernel candidates."""
    TRAINING = "training"
    """Training runs of new generations."""

    def __repr__(self) -> str:
        return repr(self.value)


BACKGROUND: Final = "background"
"""Use by others than the lab, whose jobs share the GPUs for experiments."""
