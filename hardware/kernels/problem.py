"""Define attention problems (shapes, dtype, mask, pass, tolerance, limits) and the standard workloads."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

Dtype = Literal["fp32", "bf16", "fp16"]
Direction = Literal["forward", "backward", "both"]
DTYPES: Final = get_args(Dtype)
DIRECTIONS: Final = get_args(Direction)
BYTES: Final = {"fp32": 4, "bf16": 2, "fp16": 2}
"""Dtype → size of one number [bytes]."""
EPSILON: Final = {"fp32": 2.0**-24, "bf16": 2.0**-9, "fp16": 2.0**-11}
"""Dtype → largest relative error of rounding to nearest."""


class Shape(NamedTuple):
    """One call of attention: q is (batch, heads, queries, head_size), k and v (batch, heads, keys, head_size)."""

    batch: int
    heads: int
    queries: int
    keys: int
    head_size: int

    def __str__(self) -> str:
        lengths = f"{self.queries}" if self.queries == self.keys else f"{self.queries}x{self.keys}"
        return f"{self.batch}x{self.heads}x{lengths}x{self.head_size}"


class Problem(NamedTuple):
    """Requirements that each candidate for a workload must meet, for every shape.

    With ``causal`` the last query sees all keys: query i sees key j if j - keys <= i - queries. A query that sees no
    key has output 0 and passes no gradient on. The softmax scale is head_size^-0.5.
    """

    dtype: Dtype
    direction: Direction
    causal: bool
    tolerance: float = 3.0
    """Allowed error, as a multiple of the error of torch's scaled_dot_product_attention in the same dtype."""
    worst_row: float = 5.0
    """Allowed error of the worst row, as a multiple of SDPA's."""
    memory_mib: int = 1024
    """Memory that a candidate may use besides inputs and outputs [MiB]."""


class Workload(NamedTuple):
    """A named problem, with the shapes for tuning and the held-out shapes that no search uses."""

    name: str
    problem: Problem
    tuned: tuple[Shape, ...]
    held_out: tuple[Shape, ...]

    @property
    def full_name(self) -> str:
        """Workload, dtype and pass: ``causal/bf16/both``."""
        return f"{self.name}/{self.problem.dtype}/{self.problem.direction}"


def _square(batch: int, heads: int, length: int, head_size: int = 64) -> Shape:
    return Shape(batch, heads, length, length, head_size)


def _decode(batch: int, heads: int, keys: int) -> Shape:
    return Shape(batch, heads, 1, keys, 64)


_SHAPES: Final[dict[str, tuple[tuple[Shape, ...], tuple[Shape, ...]]]] = {
    "short": ((_square(4, 8, 128), _square(2, 8, 256)), (_square(4, 8, 160), _square(2, 6, 200))),
    "long": ((_square(1, 4, 1024), _square(1, 2, 2048)), (_square(1, 3, 1536), _square(1, 4, 1111))),
    "causal": (
        (_square(1, 8, 512), _square(1, 4, 1024)),
        (_square(2, 4, 384), _square(1, 4, 768), _square(1, 2, 1536)),
    ),
    "wide": ((_square(1, 4, 512, 128), _square(1, 2, 1024, 128)), (_square(1, 4, 384, 128), _square(1, 2, 777, 128))),
    "decode": ((_decode(8, 8, 1024), _decode(4, 8, 2048)), (_decode(8, 8, 1536), _decode(2, 8, 3001))),
}
NAMES: Final = tuple(_SHAPES)
"""Standard workloads: short and long sequences, a causal mask, wide heads, and decoding with one query row."""


def workload(name: str, dtype: Dtype = "fp32", direction: Direction = "forward") -> Workload:
    """Return a standard workload. Raises ValueError for an unknown name, dtype or pass."""
    for word, known in ((name, NAMES), (dtype, DTYPES), (direction, DIRECTIONS)):
        if word not in known:
            raise ValueError(f"{word!r} is unknown; allowed: {', '.join(known)}")
    if name == "decode" and direction != "forward":
        raise ValueError("decode is forward only, because training does not use single query rows; use --pass forward")
    tuned, held_out = _SHAPES[name]
    return Workload(name, Problem(dtype, direction, causal=name == "causal"), tuned, held_out)


def visible_pairs(shape: Shape, causal: bool) -> int:
    """Return the number of (query, key) pairs of one head that are not masked."""
    if not causal:
        return shape.queries * shape.keys
    seen = (min(shape.keys, max(0, i + 1 + shape.keys - shape.queries)) for i in range(shape.queries))
    return sum(seen)


def flops(shape: Shape, problem: Problem) -> float:
    """Return the floating-point operations of the matrix products that attention requires.

    The forward pass has two products of ``2 head_size`` operations a pair. The backward pass has five, because the
    scores are computed again.
    """
    products = {"forward": 2, "backward": 5, "both": 7}[problem.direction]
    heads = shape.batch * shape.heads
    return 2.0 * products * heads * visible_pairs(shape, problem.causal) * shape.head_size


def traffic(shape: Shape, problem: Problem) -> float:
    """Return the size of inputs and outputs, each moved once [bytes]."""
    long, short = shape.keys, shape.queries
    forward = 2 * long + 2 * short  # k, v; q, out
    backward = 4 * long + 4 * short  # k, v, dk, dv; q, out, dout, dq
    rows = {"forward": forward, "backward": backward, "both": forward + backward}[problem.direction]
    return float(rows * shape.batch * shape.heads * shape.head_size * BYTES[problem.dtype])
