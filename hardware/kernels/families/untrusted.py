"""Define the family of untrusted C++ source, which is compiled and called only in the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hardware.kernels import compiler, sandbox
from hardware.kernels.candidate import Candidate, ParameterSpace
from hardware.kernels.compiler import BuildError

if TYPE_CHECKING:
    from hardware.kernels.family import Kernel
    from hardware.kernels.machine import Machine
    from hardware.kernels.problem import Problem


class UntrustedFamily:
    """C++ source from outside asara."""

    name = "foreign"
    summary = "C++ source from outside, in the sandbox"
    backend: Literal["torch", "native"] = "native"
    lines = 0
    """The lines of each source are counted from its text."""

    def unavailable_reason(self, machine: Machine, problem: Problem) -> str | None:
        """Return the reason why untrusted source cannot run safely on this machine; None if it can."""
        isolation = sandbox.detect_isolation()
        if not isolation.untrusted_allowed:
            return isolation.detail
        return None if compiler.find_compiler() else "there is no C++ compiler: install g++, or name one in CXX"

    def space(self, machine: Machine, problem: Problem) -> ParameterSpace:
        """Return a space without choices, because the source is the candidate."""
        return ParameterSpace({}, {})

    def library(self, candidate: Candidate, problem: Problem) -> str:
        """Return the path of the compiled object. Raises BuildError."""
        if not candidate.source.strip():
            raise BuildError("there is no source")
        return str(sandbox.compile_untrusted(candidate.source))

    def kernel(self, candidate: Candidate, problem: Problem) -> Kernel:
        """Raise BuildError, because untrusted code is never loaded into this process."""
        raise BuildError("untrusted source runs in the sandbox only")


FAMILY = UntrustedFamily()
