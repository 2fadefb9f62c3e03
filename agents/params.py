"""Declare the parameters of the agents: researchers, literature, training runs and kernel engineers."""

import math
from typing import Annotated, Final, Literal

from annotated_types import Interval
from pydantic import BaseModel, field_validator

DAYS_PER_YEAR: Final = 365
DAYS_PER_MONTH: Final = DAYS_PER_YEAR / 12
UNCALIBRATED: Final = "none"
"""Name for *no measurements*."""
DEFAULT_MEASUREMENTS: Final = "xeon-amx"
"""Bundled file that a lab uses by default."""
DEFAULT_WORKLOAD: Final = "causal/bf16/both"
"""Workload whose speed-up a lab gets by default."""


class ResearcherParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of all researchers."""

    initial: Annotated[int, Interval(ge=0, le=1_000_000_000), "researchers"] = 0
    """Researchers on day 0. 0: as many as the inference GPUs run, one for each `gpus_each` of them, at least 1. A
    fixed number does not follow `cluster__gpus`: a larger cluster then runs the same team on more GPUs each. Source:
    our choice; the report expects hundreds of thousands of copies, so each researcher here stands for many."""
    gpus_each: Annotated[float, Interval(ge=1e-6, le=1e6), "GPUs per researcher"] = 2.0
    """Inference GPUs that run one researcher on day 0; better software and kernels lower the number later. Read if
    `initial` is 0. Source: our choice, so that the 512 inference GPUs of the default lab run 256 researchers."""
    papers_per_month: Annotated[float, Interval(ge=1e-6, le=1e6), "papers per month"] = 1.0
    """Papers that a researcher who never waits for an experiment writes. Source: the report's toy model, 1."""
    timing: Annotated[Literal["poisson", "pooled", "whole"], "name"] = "poisson"
    """When papers are done: `poisson` after random, memoryless times; `whole` after equal times, all starting
    together whenever deployed software has doubled; `pooled` as fractions of papers, at once. Source: the report's
    months are exact when pooled and exact in the mean with Poisson papers."""
    writing_share: Annotated[float, Interval(ge=0, le=0.95), "share"] = 0.2
    """Share of a researcher's own work on a paper that comes after its experiment. Source: our choice; the sum
    of thinking and writing is what `papers_per_month` says."""
    experiment_gpu_days: Annotated[float, Interval(ge=0, le=1e9), "GPU-days"] = 4.17
    """Mean cost of the experiment that a paper needs on day 0; 0 is no experiment. Source: the mean of the
    33,192 jobs of Microsoft's Philly cluster (trace CC-BY-4.0, by way of Gavel), 4.17 GPU-days."""
    experiment_scaling: Annotated[float, Interval(ge=0, le=1), "exponent"] = 0.5
    """How closely experiments must follow the frontier, s: their cost is `cost * 2^(-(1-s) doublings)` of
    discovered software. 0: experiments of fixed size, ever cheaper; 1: they must stay near the frontier's size
    and never get cheaper. Source: the open question between the two camps on compute bottlenecks; 0.5 is the
    middle."""
    experiment_variation: Annotated[Literal["fixed", "exponential", "lognormal"], "name"] = "lognormal"
    """How the cost of experiments varies around its mean. Source: job sizes in the Philly log are close to
    lognormal."""
    experiment_sigma: Annotated[float, Interval(ge=0, le=4), "log units"] = 1.96
    """Spread of a lognormal cost: the standard deviation of its logarithm. Source: the Philly log, 1.96."""
    experiment_days: Annotated[float, Interval(ge=1e-4, le=1000), "days"] = 1.0
    """How long an experiment may take: a researcher asks the fewest GPUs, as a power of two, that end it in this
    time. Source: our choice; the mean run time in the Philly log is 1.4 days."""
    experiment_gpus: Annotated[int, Interval(ge=1, le=1_000_000), "GPUs"] = 8
    """The most GPUs that one experiment asks for. Source: the largest common gang in the Philly log, 8."""

    @property
    def papers_per_day(self) -> float:
        """Papers per day of a researcher that never waits."""
        return self.papers_per_month / DAYS_PER_MONTH


class LiteratureParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of references and duplicates."""

    open_questions: Annotated[int, Interval(ge=1, le=10_000_000), "questions"] = 1000
    """Questions open at any time, each on the ground of one paper; an answer closes its own and opens the next.
    With few of them and many researchers duplicates become frequent. Source: our choice, about the number of
    papers that a large conference accepts on one subject. While duplicates count in full, only their share depends on
    it."""
    references: Annotated[int, Interval(ge=1, le=50), "papers"] = 3
    """How many earlier papers each one builds on; the first is the one whose open question it answers.
    Source: our choice; the first alone decides what is a duplicate."""
    duplicate_weight: Annotated[float, Interval(ge=0, le=1), "papers"] = 1.0
    """How much a duplicate still counts, a finding that another team published from the same ground while it
    was under way. Source: 1, so that the report's figures hold (it ignores stepping on toes, footnote 27)."""


class TrainingParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of the training runs that turn discovered software into deployed software."""

    required: bool = True
    """Whether a new generation needs a training run. Without, software is deployed as soon as it has gained
    enough. Source: the report examines both (from p. 36)."""
    first_run_days: Annotated[float, Interval(ge=1e-3, le=10_000), "days"] = 2 * 365 / 12
    """How long the first training run takes on `first_run_gpus` GPUs without failures. Source: the report's example,
    two months (p. 38, footnote 43)."""
    first_run_gpus: Annotated[int, Interval(ge=1, le=1_000_000), "GPUs"] = 256
    """GPUs on which the first training run takes `first_run_days`. The two fix the work of a run: on g GPUs it takes
    (first_run_gpus/g)^scaling as long. Source: our choice, the training share of the default lab."""
    scaling: Annotated[float, Interval(ge=0.01, le=1), "exponent"] = 0.93
    """How well a training run scales: on twice the GPUs it is 2^scaling times as fast. Source: Llama 3 (arXiv
    2407.21783), table 4: 43% of peak on 8,192 GPUs and 41% on 16,384, so 1.907 = 2^0.931 times as fast."""
    gain: Annotated[float, Interval(ge=1.01, le=1e6), "times"] = 2.0
    """The gain of discovered software that must wait before a generation begins. A run starts as soon as it waits and
    no run is under way. Near 1, runs follow each other without a break; without training runs software is then
    deployed almost continuously. Source: 2, the toy model's doublings; the report's example of a run takes 30."""
    takes_up: Annotated[Literal["all", "one gain"], "name"] = "all"
    """What a training run takes up when it begins: all discovered software that waits, or one `gain` of it. Without
    training runs software is always deployed a gain at a time. Source: our choice; a lab trains on the best algorithms
    that it has."""
    speedup_exponent: Annotated[float, Interval(ge=0, le=1), "exponent"] = 0.323
    """phi: of what a generation takes up, g^phi makes the next run shorter and g^(1-phi) the model better, so that the
    next run takes k = g^-phi of this one. Less is spent where `shortest_run_days` is reached. Source: the report's
    example, 30x = 3x shorter and 10x better: log 3/log 30."""
    shortest_run_days: Annotated[float, Interval(ge=0, le=10_000), "days"] = 0.0
    """Run length, on the lab's GPUs and without failures, at which the lab stops paying for shorter runs. From then on
    everything that a generation takes up makes the model better. 0: no such length. Source: our choice, none, as in the
    report."""
    gpus: Annotated[int, Interval(ge=0, le=1_000_000), "GPUs"] = 0
    """Maximum number of GPUs of a run; 0: all GPUs of the cluster's training share. A run takes fewer if failures
    and restarts would make it longer on more. Source: our choice."""

    @property
    def gain_doublings(self) -> float:
        """Gain of a generation [doublings]."""
        return math.log2(self.gain)

    @property
    def first_run_work(self) -> float:
        """Length of the first run on one GPU [days]."""
        return float(self.first_run_days * self.first_run_gpus**self.scaling)


class MeasuredKernelParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of the search for faster attention kernels, by measurements, and of its effect on the cluster."""

    measurements: Annotated[str, "shipped name, path of a .jsonl file, or none"] = DEFAULT_MEASUREMENTS
    """The trace of real searches (`asara kernels tune`) whose curve holds: the name of a shipped one, a file that ends
    in .jsonl, or none: uncalibrated, attention never gets faster. Source: what ships was measured, and says on what
    machine; its SHA-256 is part of a run's identity."""
    workload: Annotated[str, "workload/dtype/pass"] = DEFAULT_WORKLOAD
    """The workload of that trace whose speed-up the cluster gets, whatever it does: one workload stands for training,
    experiments and inference alike, a simplification. Source: what training does: causal attention in
    bf16, forward and backward."""
    attention_share: Annotated[float, Interval(ge=0, le=1), "share"] = 0.1
    """Share of the cluster's time that is attention on day 0: the part that Amdahl's law speeds up. One share stands
    for training, experiments and inference alike, a simplification. Per token, a layer of width d does 24 d^2
    operations in dense products and 2 s d in causal attention over s tokens. Training does the first 3 times and the
    second 3.5 times, at a lower share of peak. Source: Llama 3 405B (d = 16,384) at s = 8,192, with 35% of peak in
    attention (FlashAttention-2 on an H100, arXiv 2407.08608) and 80% in dense products: 0.1. By the same sum it is 0.31
    for Llama 3 8B (d = 4,096), and 0.64 for the 405B at 128 k tokens."""
    candidates_per_day: Annotated[float, Interval(ge=0, le=1e9), "candidates per day"] = 24.0
    """Candidates that the kernel engineers of the reference team try a day. The reference team has
    `growth__calibrated_for` researchers; it is the lab's own if that is 0 and under the law `papers`. The number grows
    with the active researchers; it is 0 until AIs do all research. Source: our choice, one an hour: automated searches
    try hundreds in hours, a lab shares its effort among many kernels."""
    candidate_researcher_hours: Annotated[float, Interval(ge=0, le=1e6), "hours"] = 1.0
    """Researchers' time that one candidate takes; a researcher works 24 hours a day. It is taken from the thinking and
    writing of all active researchers alike, up to nine tenths of it. Further candidates are not tried. 0: none. Source:
    our choice; with 24 candidates a day one of the researchers of day 0 works on kernels."""
    candidate_gpu_hours: Annotated[float, Interval(ge=0, le=1e6), "GPU-hours"] = 0.05
    """GPU time in which one candidate is built, validated and timed. The candidates of a deployment are one job among
    the experiments and wait for GPUs like them; a lab without GPUs for experiments spends none. 0: none. Source: our
    choice, three GPU-minutes to compile, check and time a kernel at several shapes. Our own searches took 0.3 to 0.9
    CPU-seconds a candidate."""
    deploy_step: Annotated[float, Interval(ge=0.001, le=10), "gain"] = 0.02
    """The gain over the deployed kernels for which new ones are deployed; the last deployment, of the best that was
    measured, may gain less. Source: our choice; the least gain that our
    measurements call one, 2%."""

    @field_validator("measurements")
    @classmethod
    def _check_measurements(cls, value: str) -> str:
        if value == UNCALIBRATED:
            raise ValueError("has no parameters of its own; use NoKernels")
        return value


class NoKernels(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """State that there are no measurements: attention never gets faster, and no candidates are tried."""

    measurements: Literal["none"] = UNCALIBRATED

    @property
    def workload(self) -> str:
        """Workload that a summary states: the default, because none is measured."""
        return DEFAULT_WORKLOAD

    @property
    def attention_share(self) -> float:
        """Share of the cluster's time that faster kernels speed up: none."""
        return 0.0

    @property
    def candidates_per_day(self) -> float:
        """Candidates that are tried a day: none."""
        return 0.0

    @property
    def candidate_researcher_hours(self) -> float:
        """Researchers' time that one candidate takes [hours]: none."""
        return 0.0

    @property
    def candidate_gpu_hours(self) -> float:
        """GPU time of one candidate [GPU-hours]: none."""
        return 0.0

    @property
    def deploy_step(self) -> float:
        """Gain for which new kernels are deployed: none, because there are none."""
        return 0.0


KernelParams = MeasuredKernelParams | NoKernels
"""Parameters of the kernels of attention; `measurements` selects the class."""


class FixedPolicyParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Choose the policy that never moves a GPU."""

    name: Annotated[Literal["fixed"], "name"] = "fixed"
    """Policy of the lab: how it divides its GPUs between inference, experiments and training. `fixed`:
    `cluster__inference_share` and `cluster__training_share` hold for the whole run. `adaptive`: they hold on day 0,
    and at each review GPUs move to the use with the higher marginal output. Source: ours; `fixed` is the simplest
    assumption."""
    publication_delay_days: Annotated[float, Interval(ge=0, le=36_500), "days"] = 0.0
    """Time from a discovery to its publication, from which other labs can gain. 36,500 days, a century, publish
    practically nothing. Source: our choice, 0: a lab publishes at once."""
    safety_share: Annotated[float, Interval(ge=0, le=0.99), "share"] = 0.0
    """Share of research that goes to safety: of the time of humans and AIs, and of the GPUs for experiments. It does
    not improve software, so that a paper counts as 1 - safety_share. Source: our choice, 0; safety slows a team in
    Armstrong, Bostrom and Shulman (2016) too."""


class AdaptivePolicyParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of the policy that moves GPUs to the use with the higher marginal output."""

    name: Annotated[Literal["adaptive"], "name"] = "adaptive"
    review_days: Annotated[float, Interval(ge=0.1, le=10_000), "days"] = 2.0
    """Time between two reviews of the division. Source: ours; an experiment takes about a day, and few labs would move
    GPUs more often."""
    step_share: Annotated[float, Interval(ge=0.001, le=0.5), "share"] = 0.03
    """Share of all GPUs that move at one review, rounded to whole nodes, at least one. Source: ours; at most 45% of the
    GPUs then move within a month."""
    hysteresis: Annotated[float, Interval(ge=0, le=100), "share"] = 0.25
    """Excess of the gain of a move over its loss, relative to the loss, above which GPUs move. Source: ours; it exceeds
    the noise of one period in the bundled labs."""
    publication_delay_days: Annotated[float, Interval(ge=0, le=36_500), "days"] = 0.0
    safety_share: Annotated[float, Interval(ge=0, le=0.99), "share"] = 0.0


PolicyParams = FixedPolicyParams | AdaptivePolicyParams
"""Parameters of the lab's policy; `name` selects the class."""


class HumansParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of the human researchers, who need no GPUs to think."""

    initial: Annotated[int, Interval(ge=0, le=1_000_000), "people"] = 0
    """Human researchers on day 0. Source: 0 is the report's toy model, in which all research is automated; the AI
    Futures Model counts 1488 in the leading lab in 2025."""
    growth_per_year: Annotated[float, Interval(ge=1, le=100), "times per year"] = 1.8
    """Factor by which their number grows in 365 days. Source: the inputs of the AI Futures Model, 1.80 for the leading
    lab from 2021 to 2028."""
    papers_per_month: Annotated[float, Interval(ge=1e-6, le=1e6), "papers per month"] = 1.0
    """Papers that a human writes without AIs and without waiting, nights and weekends included. Source: the report's
    toy model, 1."""
    papers_in_progress: Annotated[float, Interval(ge=1, le=1000), "papers per human"] = 4.0
    """Papers under way for each human. With 1, a human waits while AIs work on the paper (Amdahl's law). With more,
    humans work on other papers meanwhile, and the slowest kind of task limits the lab. Source: our choice."""
    hours_per_day: Annotated[float, Interval(ge=0.1, le=24), "hours per day"] = 24.0
    """Working hours of a working day. They set when humans work, not how many papers they write. 24: around the clock.
    Source: our choice; the equations have no nights."""
    days_per_week: Annotated[int, Interval(ge=1, le=7), "days per week"] = 7
    """Working days at the start of each week of seven days from day 0. 7: no weekends. Source: as `hours_per_day`."""
    supervision: Annotated[float, Interval(ge=0, le=10), "share"] = 0.0
    """Time that a human needs to instruct AIs on a task and to check their work, relative to doing the task without
    AIs. Above 1 the supervision costs more than the AIs save. Source: our choice, none; METR's trial of 2025 measured
    1.19 (1.02 to 1.39), arXiv 2507.09089, and its update of February 2026 0.82 (0.62 to 1.09)."""

    @property
    def papers_per_day(self) -> float:
        """Papers per day of a human who never waits."""
        return self.papers_per_month / DAYS_PER_MONTH

    def staff(self, day: float) -> float:
        """Return the number of humans on a day, not rounded: ``initial growth_per_year^(day/365)``."""
        return float(self.initial * self.growth_per_year ** (day / DAYS_PER_YEAR))

    def log_staff(self, day: float) -> float:
        """Return ln of the number of humans on a day, which no growth makes overflow; ``-inf`` without humans."""
        if self.initial == 0:
            return -math.inf
        return math.log(self.initial) + day / DAYS_PER_YEAR * math.log(self.growth_per_year)

    def day_of_staff(self, number: float) -> float:
        """Return the day on which the staff reaches a number above that of day 0; ``inf`` if it never does."""
        if self.initial == 0 or self.growth_per_year == 1:
            return math.inf
        return DAYS_PER_YEAR * math.log(number / self.initial) / math.log(self.growth_per_year)

    @property
    def working_share(self) -> float:
        """Share of all time that is working time."""
        return self.hours_per_day / 24 * self.days_per_week / 7
