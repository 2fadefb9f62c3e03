"""Let a controller or a learner steer a lab, in the form of a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError
from experiments.policy.observation import QUANTITIES, observe
from experiments.policy.steered_policy import SteeredPolicy, divide_gpus
from sim.lab_factory import LabFactory
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

try:
    import gymnasium
    from gymnasium.spaces import Box
except ImportError:
    raise InputError(
        "experiments.policy needs Gymnasium, which is not installed. Run pip install 'asara[policy]'."
    ) from None

Observation = NDArray[np.float32]
Action = NDArray[np.float32]
ACTION_NAMES = ("inference_weight", "experiment_weight", "training_weight", "may_train")
"""Components of an action, each from 0 to 1."""
_MAX_SEED = 2**32


class LabEnvironment(gymnasium.Env[Observation, Action]):
    """Steer the GPUs and the training runs of a lab, one decision every ``decision_days``.

    An action has the components :data:`ACTION_NAMES`. The first three are the weights by which the GPUs are divided;
    0 for all three keeps the present division. A training run may begin if the fourth is at least 0.5. An observation
    has the components of :data:`experiments.policy.observation.QUANTITIES`.

    The reward of a step is the number of doublings that software gained in it. An episode is terminated when the run
    reaches its number of doublings or researchers, its limit, or stalls. It is truncated at the horizon. Scenario,
    seed and actions determine an episode exactly, in any process.

    Arguments
    ---------
    scenario
        The lab, by default `lab`. Its `policy` is not read.
    decision_days
        Time between two decisions [days], above 0.
    reward
        Software that is rewarded: ``"discovered"`` or ``"deployed"``.

    Raises InputError for an argument that is not allowed.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  # an attribute of Gymnasium's class

    def __init__(
        self,
        scenario: Scenario | None = None,
        decision_days: float = 5.0,
        reward: Literal["discovered", "deployed"] = "discovered",
    ) -> None:
        if reward not in ("discovered", "deployed"):
            raise InputError(f"reward = {reward!r} is unknown; allowed: discovered, deployed. Choose one of them.")
        try:
            self.scenario = (scenario or Scenario()).replace(run__sample_days=float(decision_days))
        except ScenarioError as error:
            raise InputError(f"decision_days = {decision_days:g} is not allowed: {error}") from None
        self.reward = reward
        self.observation_space = Box(0.0, np.array([each.high for each in QUANTITIES], dtype=np.float32))
        self.action_space = Box(0.0, 1.0, (len(ACTION_NAMES),))
        self._world: World | None = None

    @property
    def world(self) -> World:
        """The simulated world of the present episode. Raises InputError before the first :meth:`reset`."""
        if self._world is None:
            raise InputError("There is no episode yet; allowed: one that was begun. Call reset() first.")
        return self._world

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; return its first observation, and its day and GPUs.

        ``seed`` is the random seed of the run; without one it is drawn from the generator of the environment.
        ``options`` are parameters of the scenario by flat name, for this episode only.

        Raises InputError for an unknown option or a value that is not allowed.
        """
        super().reset(seed=seed)
        run_seed = int(self.np_random.integers(_MAX_SEED)) if seed is None else seed
        self.close()
        try:
            scenario = self.scenario.replace(**(options or {}))
            self._world = World(scenario, run_seed, make=LabFactory(policy=SteeredPolicy))
        except ScenarioError as error:
            raise InputError(str(error)) from None
        self._measured = self._world.lab.meter.measure(self._world.now)
        return self._observe(), self._info()

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out an action, run to the next decision, and return what Gymnasium specifies.

        Raises InputError after the end of an episode, and for an action of another shape or with values that are not
        finite.
        """
        world = self.world
        if world.ending is not None:
            raise InputError("The episode is over; allowed: one that runs. Call reset() first.")
        weights = self._check_action(action)
        lab = world.lab
        assert isinstance(lab.policy, SteeredPolicy)
        lab.policy.split = divide_gpus(weights[:3], self._measured)
        lab.policy.may_train = weights[3] >= 0.5
        before = self._software()
        world.apply_decisions()
        world.step()
        self._measured = lab.meter.measure(world.now)
        ending = world.ending.ending if world.ending is not None else ""
        truncated = ending == "horizon"
        return self._observe(), self._software() - before, bool(ending) and not truncated, truncated, self._info()

    def close(self) -> None:
        """End the use of the present episode."""
        if self._world is not None:
            self._world.close()

    def _check_action(self, action: Action) -> list[float]:
        values = np.asarray(action, dtype=float)
        if values.shape != (len(ACTION_NAMES),) or not np.isfinite(values).all():
            raise InputError(
                f"The action {action!r} is not allowed; allowed: {len(ACTION_NAMES)} numbers from 0 to 1 "
                f"({', '.join(ACTION_NAMES)}). Pass an array of them."
            )
        return [float(value) for value in np.clip(values, 0.0, 1.0)]

    def _software(self) -> float:
        software = self.world.lab.knowledge.software
        return software.discovered if self.reward == "discovered" else software.deployed

    def _observe(self) -> Observation:
        discovered = self.world.lab.knowledge.software.discovered
        return observe(self._measured, discovered, self.world.scenario.run.horizon_days)

    def _info(self) -> dict[str, Any]:
        world = self.world
        ending = world.ending.sentence if world.ending is not None else ""
        return {"day": world.now, "gpus": dict(self._measured.gpus), "ending": ending}


def run_episode(
    environment: LabEnvironment,
    controller: Callable[[Observation], Action],
    seed: int | None = None,
    options: dict[str, Any] | None = None,
) -> float:
    """Run one episode under a controller, a function from an observation to an action; return the total reward."""
    observation, _ = environment.reset(seed=seed, options=options)
    total, is_over = 0.0, False
    while not is_over:
        observation, reward, terminated, truncated, _ = environment.step(controller(observation))
        total, is_over = total + reward, terminated or truncated
    return total
