"""`asara explain` with a word: parameters, symbols, and the glossary."""

import pytest

from experiments.errors import InputError
from experiments.text.explain import find_meanings, glossary
from sim.scenario.model import parameters


def found(word):
    meanings = find_meanings(word)
    return (
        {term.name for term in meanings.terms},
        [each.flat_name for each in meanings.parameters],
        [each.flat_name for each in meanings.mentioned],
    )


@pytest.mark.parametrize(
    ("symbol", "parameter"),
    [
        ("p", "growth__parallel_penalty"),
        ("s", "researcher__experiment_scaling"),
        ("r", "growth__r"),
        ("phi", "training__speedup_exponent"),
        ("φ", "training__speedup_exponent"),
    ],
)
def test_explain_of_a_symbol_shows_its_parameter(symbol, parameter):
    assert found(symbol)[1:] == ([parameter], [])


def test_explain_of_p_has_the_glossary_entry_and_not_deploy_step(asara):
    answer = asara("explain", "p")
    assert answer.code == 0
    assert "stepping on toes (p): n researchers" in answer.out
    assert "growth__parallel_penalty" in answer.out
    assert "deploy_step" not in answer.out


@pytest.mark.parametrize(
    ("word", "term"),
    [
        ("toes", "parallelization penalty, stepping on toes (p)"),
        ("retrain", "retraining"),
        ("verdict", "verdict"),
        ("explosion", "explosion (SIE)"),
        ("SIE", "explosion (SIE)"),
        ("pace", "pace"),
        ("long run", "long run"),
        ("σ", "sigma (σ)"),
        ("Amdahl", "Amdahl's law"),
    ],
)
def test_explain_of_a_word_finds_its_glossary_entry(word, term):
    assert term in found(word)[0]


def test_explain_of_toes_finds_the_penalty_by_its_meaning():
    assert found("toes")[2] == ["growth__parallel_penalty"]


def test_explain_of_words_may_be_typed_without_quotes(asara):
    assert asara("explain", "long", "run").out == asara("explain", "long run").out


def test_explain_of_a_word_in_many_parameters_lists_them(asara):
    answer = asara("explain", "days")
    assert answer.code == 0
    assert "training__first_run_days" in answer.out
    assert "asara explain NAME" in answer.out


def test_explain_of_a_full_name_shows_that_parameter_only():
    assert found("kernels__deploy_step") == (set(), ["kernels__deploy_step"], [])


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("explosoin", "did you mean 'explosion'"),
        ("cluster__gpsu", "did you mean 'cluster__gpus'"),
        ("xyzzyx", "'xyzzyx'"),
    ],
)
def test_explain_of_an_unknown_word_names_near_ones_and_fails(asara, word, near):
    answer = asara("explain", word)
    assert answer.code == 2
    assert near in answer.err
    assert "asara explain" in answer.err


def test_explain_of_an_empty_word_is_refused():
    with pytest.raises(InputError, match="WORD is empty"):
        find_meanings("  ")


def test_glossary_of_explain_has_every_row_without_marks():
    terms = glossary()
    assert len(terms) > 50
    assert not [term for term in terms if "](" in term.meaning or "`" in term.name + term.meaning]


def test_symbols_of_explain_are_parameters():
    from experiments.text.explain import SYMBOLS

    assert set(SYMBOLS.values()) <= set(parameters())
