from typing import Any

import pytest
from annotated_types import Interval
from pydantic import ValidationError

from hardware.cluster.cluster import ClusterParams
from hardware.cluster.placement import PLACEMENTS
from hardware.cluster.queues import QUEUES


def test_cluster_parameter_has_a_meaning_and_a_source() -> None:
    for name, field in ClusterParams.model_fields.items():
        assert field.description and ". Source: " in field.description.replace("\n", " "), name


def test_cluster_number_has_bounds_and_a_unit() -> None:
    for name, field in ClusterParams.model_fields.items():
        if field.annotation in (int, float):
            assert any(isinstance(item, str) for item in field.metadata), name
            assert any(isinstance(item, Interval) or hasattr(item, "ge") for item in field.metadata), name


def test_cluster_params_choices_equal_the_registries() -> None:
    for name in QUEUES:
        assert ClusterParams(queue=name).queue == name  # type: ignore[arg-type]
    for name in PLACEMENTS:
        assert ClusterParams(placement=name).placement == name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"gpus": 0},
        {"gpus": 1.5},
        {"gpus": "64"},
        {"queue": "lottery"},
        {"restart_hours": -1.0},
        {"checkpoint_hours": -0.1},
        {"checkpoint_seconds": -1.0},
        {"gpu_hours_between_failures": float("inf")},
        {"inference_share": float("nan")},
        {"gpu": 64},
    ],
)
def test_cluster_params_out_of_bounds_raise(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ClusterParams(**wrong)


def test_datacenter_shares_with_a_sum_above_one_raise() -> None:
    with pytest.raises(ValidationError, match=r"inference_share 0.7 and training_share 0.4 add up to 1.1"):
        ClusterParams(inference_share=0.7, training_share=0.4)
    assert ClusterParams(inference_share=0.7, training_share=0.3)


def test_cluster_params_are_frozen() -> None:
    with pytest.raises(ValidationError):
        ClusterParams().gpus = 3  # type: ignore[misc]
