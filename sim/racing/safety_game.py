"""Compute how much safety the winner of a race keeps: the race to the precipice.

n teams build a technology that ends in a disaster if its safety is too low. Team i draws a capability c_i, uniform from
0 to ``max_capability``, and chooses a safety s_i from 0 to 1. The team with the highest score ``c_i - s_i`` wins: low
safety is speed. The result is a success with probability s of the winner, and otherwise a disaster for all. A team
gets 1 for its own success, ``1 - enmity`` for the success of another team and 0 for a disaster.

Safety follows the Nash equilibrium for what teams can see. ``none``: no capability, not even their own. ``private``:
their own. ``public``: all. Source: Armstrong, Bostrom and Shulman, *Racing to the precipice*, AI & Society, 2016.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from sim.racing.arguments import check_count, check_number

Information = Literal["none", "private", "public"]
Floats = NDArray[np.float64]
Numbers = Any
"""A float or a NumPy array of floats."""

_TIE: Final = 1e-9
"""Scores that differ by less, relative to the largest capability and safety, are equal: the more capable team wins."""
MAX_TEAMS: Final = 10_000
MAX_GAMES: Final = 100_000_000


class PlayedGames(NamedTuple):
    """Winners of independent games, one element a game."""

    safety: Floats
    """Safety of the winner, from 0 to 1. The risk of a disaster is 1 - safety."""
    most_capable: NDArray[np.bool_]
    """Whether the winner is the team with the highest capability."""


@dataclass(frozen=True)
class SafetyGame:
    """A race of n teams that trade safety for speed. Raises ValueError for a number outside of its range."""

    teams: int
    """Number of teams, n: 2 to 10,000."""
    max_capability: float
    """Highest capability, mu, in units of the speed that all safety costs: above 0. Small: safety decides the race.
    Large: capability does."""
    enmity: float
    """Loss of a team if another team succeeds, e: above 0, up to 1. At 1 it is as bad as a disaster."""

    def __post_init__(self) -> None:
        check_count("teams", self.teams, 2, MAX_TEAMS, "A race needs two teams.")
        check_number("max_capability", self.max_capability, 0, 1e9, "Use a finite positive number.", above=True)
        check_number("enmity", self.enmity, 0, 1, "0 has no race: every team keeps all safety.", above=True)

    def mean_safety(self, information: Information) -> float:
        """Return the mean safety of the winner, from 0 to 1, in closed form. The mean risk is 1 minus it.

        With ``a = e (n - 1) + 1`` and ``b = min(a, mu)``:

        - none: ``min(1, mu/(n e))``.
        - private: ``n b^(n+1)/((n + 1) a mu^n) + 1 - (b/mu)^n``. For ``a >= mu`` it is ``n mu/((n + 1) a)``.
        - public: ``mu/(e (n + 1)) (1 - (1 - min(1, e/mu))^(n + 1))``.
        """
        _check_information(information)
        n, mu, e = self.teams, self.max_capability, self.enmity
        if information == "none":
            return min(1.0, mu / (n * e))
        if information == "private":
            share = min(1.0, self._slope / mu)
            return n * share ** (n + 1) * mu / ((n + 1) * self._slope) + 1 - share**n
        return float(-mu / (e * (n + 1)) * np.expm1((n + 1) * np.log1p(-min(1 - 1e-16, e / mu))))

    def choose_safety(self, information: Information, capabilities: Floats) -> Floats:
        """Return the equilibrium safety of each team, in the shape of ``capabilities``: games by teams.

        - none: ``min(1, mu/(n e))`` for each team.
        - private: ``min(1, c/a)``, with ``a = e (n - 1) + 1``.
        - public: ``min(1, D/e)`` for the most capable team, with its lead D over the second. The others choose
          ``1 - e`` times that. At a lower safety a victory would be worth less to them than the leader's success.

        Raises ValueError if the last dimension is not the number of teams, or a capability is outside of 0 to mu.
        """
        _check_information(information)
        capabilities = np.asarray(capabilities, dtype=float)
        if capabilities.ndim < 1 or capabilities.shape[-1] != self.teams:
            raise ValueError(
                f"capabilities of shape {capabilities.shape} do not fit {self.teams} teams; allowed: a last dimension "
                f"of {self.teams}. Give one capability per team"
            )
        check_number("capabilities", capabilities, 0, self.max_capability, "Draw them from 0 to max_capability.")
        if information == "none":
            return np.full_like(capabilities, self.mean_safety("none"))
        if information == "private":
            return np.minimum(1.0, capabilities / self._slope)
        ordered = np.partition(capabilities, (-2, -1), axis=-1)
        leader = np.minimum(1.0, (ordered[..., -1] - ordered[..., -2]) / self.enmity)[..., None]
        return np.where(capabilities == ordered[..., -1:], leader, (1 - self.enmity) * leader)

    def play(self, generator: np.random.Generator, information: Information, games: int) -> PlayedGames:
        """Draw capabilities, let each team choose its safety, and return the winner of each game.

        ``games`` is 1 to 100 million; memory is about 40 bytes per game and team. Equal scores are won by the more
        capable team. With public information the leader makes the scores equal on purpose.
        """
        check_count("games", games, 1, MAX_GAMES, "Draw at least one game.")
        capabilities = generator.uniform(0, self.max_capability, (games, self.teams))
        safety = self.choose_safety(information, capabilities)
        winner = self.find_winner(capabilities, safety)
        return PlayedGames(safety[np.arange(games), winner], winner == capabilities.argmax(axis=1))

    def find_winner(self, capabilities: Floats, safety: Floats) -> NDArray[np.intp]:
        """Return the index of the team with the highest score, ``c - s``, in each game (both arrays: games by teams).

        Equal scores, up to 1e-9 of the largest possible one, are won by the more capable team.
        """
        scores = capabilities - safety
        tied = scores >= scores.max(axis=-1, keepdims=True) - _TIE * (1 + self.max_capability)
        return np.asarray(np.where(tied, capabilities, -1.0).argmax(axis=-1))

    @property
    def _slope(self) -> float:
        """Capability at which a team with private information keeps all safety, a = e (n - 1) + 1."""
        return self.enmity * (self.teams - 1) + 1


def share_of_safety(safety: Numbers) -> Numbers:
    """Return the share of its research that a lab spends on a safety of the game: ``1 - e^-s``.

    The score of a lab is the logarithm of its speed. A lab that spends the share x is ``1 - x`` times as fast, which
    lowers its score by ``s = -ln(1 - x)``. A safety of 1, without risk, takes 63% of research. ``safety`` is 0 or more.
    """
    check_number("safety", safety, 0, 1e9, "Use a safety from 0 to 1.")
    return -np.expm1(-np.asarray(safety))


def safety_of_share(share: Numbers) -> Numbers:
    """Return the safety of a lab that spends a share of its research on it: ``min(1, -ln(1 - x))``.

    It is the probability that the lab is safe if it wins, and the inverse of `share_of_safety` up to 1. ``share`` is 0
    up to 1.
    """
    check_number("share", share, 0, 1, "Use a share of research.")
    with np.errstate(divide="ignore"):
        return np.minimum(1.0, -np.log1p(-np.asarray(share)))


def _check_information(information: str) -> None:
    if information not in get_args(Information):
        raise ValueError(
            f"information = '{information}' is unknown; allowed: {', '.join(get_args(Information))}. Use one of them"
        )
