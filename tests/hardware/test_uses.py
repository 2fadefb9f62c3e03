"""Test that a use of GPUs is the same as its text wherever texts are stored."""

import json

import pytest

from hardware.cluster.jobs import JobClass
from hardware.uses import Use


@pytest.mark.parametrize("use", Use)
def test_use_in_text_json_and_repr_is_its_value(use: Use) -> None:
    assert use == use.value
    assert f"{use}" == use.value
    assert repr({use: use}) == repr({use.value: use.value})
    assert json.dumps({use: use}) == json.dumps({use.value: use.value})


def test_job_class_of_a_use_stores_plain_text() -> None:
    assert type(JobClass(Use.TRAINING, 2).use) is str


def test_uses_keep_the_order_of_the_columns_of_results() -> None:
    assert list(Use) == ["inference", "experiment", "training"]
