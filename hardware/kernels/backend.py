"""Define the interface of a backend, which calls candidates in the worker process."""

from typing import Any, NamedTuple, Protocol

from hardware.kernels.problem import Problem, Shape


class CallRequest(NamedTuple):
    """Shape, problem and number of slots of the next calls."""

    shape: Shape
    problem: Problem
    slots: int


class Backend(Protocol):
    """Calls candidates on the slots of the shared buffers."""

    def load(self, message: dict[str, Any]) -> None:
        """Load a candidate."""

    def bind_buffers(self, request: CallRequest) -> None:
        """Prepare the calls of a shape on the shared buffers."""

    def prepare(self) -> None:
        """Run the untimed part: the forward pass, if only the backward pass is timed."""

    def run(self) -> None:
        """Call the candidate on every slot."""

    def store_outputs(self) -> None:
        """Ensure that all results are in the output buffer."""
