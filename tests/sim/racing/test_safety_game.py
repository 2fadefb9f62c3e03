"""Test the race to the precipice: P23.8, the equilibria, and the game drawn many times (false-alarm rate 1e-5)."""

import numpy as np
import pytest

from sim.racing.safety_game import SafetyGame
from tests.oracles.races import FALSE_ALARM, SAFETY, safety_of_a_deviation

KINDS = ("none", "private", "public")


@pytest.mark.parametrize(("game", "means"), SAFETY.items())
def test_p23_8_mean_safety_in_closed_form_equals_the_published_row(game, means):
    assert [SafetyGame(*game).mean_safety(kind) for kind in KINDS] == pytest.approx(means, abs=6e-6)


@pytest.mark.parametrize("game", [*SAFETY, (3, 6.0, 0.7)])
@pytest.mark.parametrize("kind", KINDS)
def test_p23_8_winner_of_the_game_has_the_mean_safety_of_the_closed_form(game, kind):
    drawn = SafetyGame(*game).play(np.random.default_rng(238), kind, 20_000)
    error = drawn.safety.std() / np.sqrt(20_000)
    assert drawn.safety.mean() == pytest.approx(SafetyGame(*game).mean_safety(kind), abs=FALSE_ALARM * error + 1e-12)
    assert drawn.most_capable.all()


def test_p23_8_public_information_helps_in_one_game_and_hurts_in_another():
    """By simulation: each difference of means is above 4.4 standard errors."""
    for game, sign in (((2, 1, 0.5), 1), ((2, 4, 0.5), -1)):
        public, private = (
            SafetyGame(*game).play(np.random.default_rng(seed), kind, 20_000).safety
            for seed, kind in ((1, "public"), (2, "private"))
        )
        error = np.sqrt((public.var() + private.var()) / 20_000)
        assert sign * (public.mean() - private.mean()) > FALSE_ALARM * error


def test_winner_has_the_highest_score_and_of_equal_scores_the_higher_capability():
    capabilities = np.array([[0.9, 0.7], [0.9, 0.7], [0.9, 0.7], [0.2, 0.6]])
    safety = np.array([[0.8, 0.0], [0.3, 0.0], [0.2, 0.0], [0.1, 0.5]])
    assert SafetyGame(2, 1, 1).find_winner(capabilities, safety).tolist() == [1, 1, 0, 1]


def test_more_teams_are_safer_only_with_private_information_at_low_enmity():
    for kind in KINDS:
        two, three = (SafetyGame(n, 1, 0.1).mean_safety(kind) for n in (2, 3))
        assert (three > two) == (kind == "private") or two == three == 1
        two, three = (SafetyGame(n, 1, 1).mean_safety(kind) for n in (2, 3))
        assert three < two


@pytest.mark.parametrize(("teams", "mu", "enmity"), [(2, 1, 1), (2, 1, 0.5), (5, 1, 1), (3, 2, 0.6)])
def test_private_safety_is_the_best_answer_to_itself(teams, mu, enmity):
    choices = np.linspace(0, 1, 101)
    for capability in (0.3 * mu, 0.8 * mu):
        payoffs = [safety_of_a_deviation(each, capability, mu, enmity, teams) for each in choices]
        own = SafetyGame(teams, mu, enmity).choose_safety("private", np.full(teams, capability))[0]
        assert choices[np.argmax(payoffs)] == pytest.approx(own, abs=0.02)


def test_public_leader_is_just_not_overtaken():
    """A follower that takes less safety than it has to, to win, is worse off; a safer leader would lose to it."""
    game = SafetyGame(3, 1, 0.5)
    capabilities = np.array([0.9, 0.7, 0.2])
    safety = game.choose_safety("public", capabilities)
    assert safety == pytest.approx([0.4, 0.2, 0.2])
    assert (capabilities - safety)[0] == pytest.approx((capabilities - safety)[1])
    winning_safety = safety[0] - 0.2
    assert winning_safety <= (1 - game.enmity) * safety[0] + 1e-12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 1, 1), "teams = 1 is outside of its range; allowed: 2 or more"),
        ((2.5, 1, 1), "teams = 2.5 is not a whole number"),
        ((2, 0, 1), "max_capability = 0 is outside of its range; allowed: above 0"),
        ((2, 1, 0), "enmity = 0 is outside of its range; allowed: above 0, up to 1"),
        ((2, 1, float("nan")), "enmity = nan"),
    ],
)
def test_game_out_of_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SafetyGame(*arguments)


def test_unknown_information_and_capabilities_are_refused():
    game = SafetyGame(2, 1, 1)
    with pytest.raises(ValueError, match="information = 'all' is unknown; allowed: none, private, public"):
        game.mean_safety("all")
    with pytest.raises(ValueError, match="do not fit 2 teams"):
        game.choose_safety("private", np.ones(3))
    with pytest.raises(ValueError, match="capabilities = 2 is outside of its range"):
        game.choose_safety("private", np.array([0.5, 2.0]))
    with pytest.raises(ValueError, match="games = 0"):
        game.play(np.random.default_rng(0), "none", 0)
