"""Name the engines that can run a scenario."""

from typing import Literal

Engine = Literal["world", "fluid"]
"""`world`: agents and random numbers. `fluid`: the equations of their means."""
