"""Compute how many copies of a system the computing power runs that trained it, and how much they think.

Training takes ``C = 6 N D`` FLOP, with N parameters and D tokens. A copy takes ``2 N`` FLOP for each token that it
writes. The same computing power, which trained for t seconds, runs ``C/(t 2 N v) = 3 D/(t v)`` copies that write v
tokens per second. With a fixed ratio of tokens to parameters, x times the compute runs sqrt(x) times the copies. This
is the rule of Chinchilla (Hoffmann et al., arXiv 2203.15556). With a fixed size it runs x times the copies, and with
fixed tokens the same number.

All functions are pure. An argument of type ``Numbers`` is a float or a NumPy array of floats. A GB is 10^9 bytes.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NamedTuple, Self

import numpy as np
from annotated_types import Interval
from pydantic import BaseModel, model_validator

Numbers = Any
"""A float or a NumPy array of floats."""

FLOP_PER_TRAINING_TOKEN: Final = 6
"""FLOP per parameter and token of training: 2 forwards and 4 backwards. Source: Kaplan et al., arXiv 2001.08361."""
FLOP_PER_WRITTEN_TOKEN: Final = 2
"""FLOP per parameter and token that a copy writes, without attention over its context. Source: as above."""
SECONDS_PER_DAY: Final = 86_400
BYTES_PER_GB: Final = 1e9


class ScalingLaw(NamedTuple):
    """Loss of a language model, ``E + A/N^alpha + B/D^beta``, with N parameters and D tokens."""

    irreducible: float
    """E [nats per token]."""
    size_factor: float
    """A."""
    token_factor: float
    """B."""
    size_exponent: float
    """alpha."""
    token_exponent: float
    """beta."""

    def loss(self, parameters: Numbers, tokens: Numbers) -> Numbers:
        """Return the loss [nats per token]."""
        return (
            self.irreducible
            + self.size_factor * parameters**-self.size_exponent
            + self.token_factor * tokens**-self.token_exponent
        )


BESIROGLU: Final = ScalingLaw(1.8172, 482.01, 2085.43, 0.3478, 0.3658)
"""Source: Besiroglu et al., arXiv 2404.10102, a refit of the data of Hoffmann et al. It gives the 70 billion parameters
of Chinchilla at its 5.76e23 FLOP: 72.3 billion."""
HOFFMANN: Final = ScalingLaw(1.69, 406.4, 410.7, 0.34, 0.28)
"""Source: Hoffmann et al., arXiv 2203.15556, third approach. It gives 32.2 billion parameters at 5.76e23 FLOP and not
the published 70 billion, so it is here for comparison only."""


class ModelSize(NamedTuple):
    """Size of a model and of its training data."""

    parameters: Numbers
    tokens: Numbers
    """Tokens of training."""


class ResearchersStart(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Set the number of AI researchers of day 0 outright."""

    given_by: Annotated[Literal["researchers"], "name"] = "researchers"
    """What gives the number of AI researchers. `researchers`: the inference GPUs of day 0 run `researcher__initial` of
    them, or one for each `researcher__gpus_each` GPUs. `training compute`: on the day on which AIs do all research, the
    compute that trained them runs copies of them. Source: the report derives the second; the first is our choice."""


_READ_BY_RULE: Final = {"tokens_per_parameter": "ratio", "fixed_parameters": "size", "fixed_tokens": "tokens"}
"""Value of `size_rule` under which a parameter has an effect."""
_READ_WITH_CONTEXT: Final = (
    "cache_bytes_per_token",
    "gpu_memory_gb",
    "gpu_flop_per_second",
    "weights_share",
)
"""Parameters that have an effect only if the memory limits the copies."""


class StartParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of the day on which the compute that trained the first fully automated system runs copies of it."""

    given_by: Annotated[Literal["training compute"], "name"] = "training compute"
    copies_per_researcher: Annotated[float, Interval(ge=1e-9, le=1e15), "experts per researcher"] = 1000.0
    """Copies, in human experts that they do as much as, for which one simulated AI researcher stands. Source: our
    choice; the default lab is about a thousandth of the lab that trains with 1e27 FLOP."""
    training_flop: Annotated[float, Interval(ge=1e18, le=1e40), "FLOP"] = 1e27
    """Training compute, C, of the system that crosses the last threshold. Source: our choice; 1e26 to 1e27 give the
    report's "hundreds of thousands" to "millions" of copies; GPT-4 took 2.1e25 (Epoch AI)."""
    training_days: Annotated[float, Interval(ge=0.01, le=10_000), "days"] = 90.0
    """Length of the training run, t. The same GPUs run the copies afterwards. Source: our choice; large training runs
    last about three months."""
    size_rule: Annotated[Literal["chinchilla", "ratio", "size", "tokens"], "name"] = "chinchilla"
    """How compute is divided between parameters and tokens. `chinchilla`: least loss by the law of Besiroglu et al.
    `ratio`: `tokens_per_parameter`. `size`: `fixed_parameters`. `tokens`: `fixed_tokens`, if data are scarce. Source:
    arXiv 2404.10102; the report's footnote 16 assumes a fixed ratio."""
    tokens_per_parameter: Annotated[float, Interval(ge=1e-3, le=1e9), "tokens per parameter"] = 20.0
    """Ratio D/N under the rule `ratio`. Source: Hoffmann et al., arXiv 2203.15556, about 20."""
    fixed_parameters: Annotated[float, Interval(ge=1e3, le=1e20), "parameters"] = 1e12
    """Parameters, N, under the rule `size`. Source: our choice."""
    fixed_tokens: Annotated[float, Interval(ge=1e3, le=1e20), "tokens"] = 1e14
    """Tokens, D, under the rule `tokens`. Source: our choice."""
    tokens_per_second: Annotated[float, Interval(ge=1e-3, le=1e9), "tokens per second"] = 40 / 3
    """Speed of one copy, v. Source: the report's "about ten words per second" at 0.75 words a token."""
    serial_speed: Annotated[float, Interval(ge=1e-3, le=1e6), "times"] = 1.0
    """Speed at which copies run, relative to `tokens_per_second`: they write this many times as many papers per day.
    The number of copies falls in proportion, so that the tokens per second of all copies stay. With a parallelization
    penalty p, n copies of speed u are worth u n^p, so that fewer and faster copies are worth more. Source: our
    choice."""
    utilisation_ratio: Annotated[float, Interval(ge=1e-3, le=1e3), "ratio"] = 1.0
    """Utilisation of the GPUs when they serve copies, relative to that in training. Source: our choice; 1 is the usual
    arithmetic, while serving is often below training because it waits for memory."""
    thinking_seconds: Annotated[float, Interval(ge=1e-6, le=1e9), "AI-seconds per human-second"] = 1.0
    """Time that a copy thinks for as much useful work as one second of a human expert, at the start. Each doubling of
    software doubles the work of all copies, whether it shortens thinking or runs more of them. Source: our choice; the
    report imagines "thousands of seconds"."""
    context_tokens: Annotated[float, Interval(ge=0, le=1e12), "tokens"] = 0.0
    """Mean length of the context that each copy holds in GPU memory. 0: memory does not limit the copies. Source: our
    choice; the report ignores memory."""
    cache_bytes_per_token: Annotated[float, Interval(ge=1, le=1e9), "bytes per token"] = 516_096.0
    """Size of the key-value cache of a token. Source: Llama 3 405B (arXiv 2407.21783): 126 layers, 8 key-value heads of
    128 numbers, keys and values, 2 bytes each."""
    gpu_memory_gb: Annotated[float, Interval(ge=1e-3, le=1e6), "GB"] = 80.0
    """Memory of a GPU. Source: NVIDIA H100 SXM, 80 GB."""
    gpu_flop_per_second: Annotated[float, Interval(ge=1e6, le=1e24), "FLOP/s"] = 4e14
    """FLOP/s that training achieves on a GPU. Source: about 40% of the 989e12 of an H100 in BF16; Llama 3 405B achieved
    38 to 43%."""
    weights_share: Annotated[float, Interval(ge=0, le=0.99), "share"] = 0.5
    """Share of GPU memory that the weights occupy. Source: our choice; an instance of the model then has as many GPUs
    as hold the weights in half of their memory."""

    @model_validator(mode="after")
    def _check_effects(self) -> Self:
        """Refuse a parameter that differs from its default and has no effect."""
        for name, rule in _READ_BY_RULE.items():
            if self.size_rule != rule and self._differs(name):
                raise ValueError(
                    f"start__{name} = {getattr(self, name):g} is not read under start__size_rule = "
                    f"'{self.size_rule}'; allowed: its default. Set start__size_rule = '{rule}' to use it"
                )
        for name in _READ_WITH_CONTEXT:
            if self.context_tokens == 0 and self._differs(name):
                raise ValueError(
                    f"start__{name} = {getattr(self, name):g} has no effect with start__context_tokens = 0, because "
                    "memory does not limit the copies; allowed: its default. Set start__context_tokens above 0 to use "
                    "it"
                )
        return self

    def _differs(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    @property
    def researchers(self) -> float:
        """AI researchers that the compute runs on the day on which AIs do all research, not rounded.

        Each stands for `copies_per_researcher` copies, and works at `serial_speed`.
        """
        return float(start_from_params(self).experts) / self.serial_speed / self.copies_per_researcher

    @property
    def sentence(self) -> str:
        """Sentence on the copies that the training compute runs, and on what thinking costs them."""
        found = start_from_params(self)
        speed = f" at {self.serial_speed:g} times the speed" if self.serial_speed != 1 else ""
        thinking = ""
        if self.thinking_seconds > 1:
            thinking = (
                f" They think {self.thinking_seconds:,g} seconds for each second of a human; "
                f"{doublings_to_win_back(self.thinking_seconds):.3g} doublings of efficiency win this back."
            )
        return (
            f"The compute that trained them, {self.training_flop:.3g} FLOP in {self.training_days:g} days, runs "
            f"{found.copies:.3g} copies of {found.parameters:.3g} parameters{speed} on the day of ASARA: "
            f"{self.researchers:,.0f} AI researchers, each for {self.copies_per_researcher:g} of them.{thinking}"
        )


AnyStartParams = ResearchersStart | StartParams
"""Parameters of the start; `given_by` selects the class."""


class Start(NamedTuple):
    """What the computing power that trained a system runs on the first day."""

    parameters: Numbers
    """N."""
    tokens: Numbers
    """D, tokens of training."""
    gpus: Numbers
    """GPUs that trained the system."""
    copies_by_compute: Numbers
    """Copies that the FLOP/s allow."""
    copies_by_memory: Numbers
    """Copies that the memory allows; ``inf`` without a context."""
    copies: Numbers
    """The smaller of both."""
    experts: Numbers
    """Human experts that the copies do as much as: copies times their speed, divided by their thinking time."""


def start_from_params(params: StartParams, training_flop: Numbers | None = None) -> Start:
    """Return the first day of the system; ``training_flop`` replaces that of the parameters, as a float or an array."""
    flop = params.training_flop if training_flop is None else training_flop
    size = _size_by_rule(params, flop)
    flop_per_second = flop / (params.training_days * SECONDS_PER_DAY)
    gpus = flop_per_second / params.gpu_flop_per_second
    by_compute = copies_by_compute(
        flop_per_second * params.utilisation_ratio, size.parameters, params.tokens_per_second * params.serial_speed
    )
    by_memory = copies_by_memory(
        gpus * params.gpu_memory_gb * BYTES_PER_GB * (1 - params.weights_share),
        params.context_tokens,
        params.cache_bytes_per_token,
    )
    copies = np.minimum(by_compute, by_memory)
    experts = copies * params.serial_speed / params.thinking_seconds
    return Start(size.parameters, size.tokens, gpus, by_compute, by_memory, copies, experts)


def _size_by_rule(params: StartParams, flop: Numbers) -> ModelSize:
    """Return the size of the model by `size_rule`."""
    if params.size_rule == "chinchilla":
        return optimal_size(flop)
    if params.size_rule == "ratio":
        return size_of_ratio(flop, params.tokens_per_parameter)
    if params.size_rule == "size":
        parameters = flop * 0 + params.fixed_parameters
        return ModelSize(parameters, flop / (FLOP_PER_TRAINING_TOKEN * parameters))
    tokens = flop * 0 + params.fixed_tokens
    return ModelSize(flop / (FLOP_PER_TRAINING_TOKEN * tokens), tokens)


def optimal_size(flop: Numbers, law: ScalingLaw = BESIROGLU) -> ModelSize:
    """Return the size that has the least loss at this training compute.

    ``N = G (C/6)^(beta/(alpha + beta))``, ``D = C/(6 N)``, with ``G = (alpha A/(beta B))^(1/(alpha + beta))``. Source:
    Hoffmann et al., arXiv 2203.15556.
    """
    alpha, beta = law.size_exponent, law.token_exponent
    factor = (alpha * law.size_factor / (beta * law.token_factor)) ** (1 / (alpha + beta))
    pairs = flop / FLOP_PER_TRAINING_TOKEN
    parameters = factor * pairs ** (beta / (alpha + beta))
    return ModelSize(parameters, pairs / parameters)


def size_of_ratio(flop: Numbers, tokens_per_parameter: Numbers = 20.0) -> ModelSize:
    """Return the size with this number of tokens per parameter: ``N = sqrt(C/(6 ratio))``."""
    parameters = np.sqrt(flop / (FLOP_PER_TRAINING_TOKEN * tokens_per_parameter))
    return ModelSize(parameters, tokens_per_parameter * parameters)


def copies_by_compute(flop_per_second: Numbers, parameters: Numbers, tokens_per_second: Numbers) -> Numbers:
    """Return the copies that FLOP/s run: ``FLOP/s / (2 N v)``. Copies times speed is constant."""
    return flop_per_second / (FLOP_PER_WRITTEN_TOKEN * parameters * tokens_per_second)


def copies_by_memory(free_bytes: Numbers, context_tokens: Numbers, cache_bytes_per_token: Numbers) -> Numbers:
    """Return the copies whose contexts fit into the memory that weights leave free; ``inf`` without a context."""
    with np.errstate(divide="ignore"):
        return np.divide(free_bytes, np.multiply(context_tokens, cache_bytes_per_token))


def doublings_to_win_back(thinking_seconds: Numbers) -> Numbers:
    """Return the doublings of efficiency after which thinking costs one AI-second for a human-second: ``log2(k)``.

    It is 11.55 doublings for 3000 seconds, or 5.8 years at 6 months each.
    """
    return np.log2(thinking_seconds)
