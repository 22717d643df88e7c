"""What was measured with one algorithm is not taken for measured with another."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.serving.domain import TrainingDomain
from cnnpredict_gui.serving.library import ModelLibrary
from tests.artefacts import make_card, write_training_folder


def layer(algorithm: str, kernel: int, stride: int) -> ConvConfig:
    return ConvConfig(
        batch_size=1,
        input_channels=64,
        input_height=56,
        input_width=56,
        output_channels=64,
        kernel_height=kernel,
        kernel_width=kernel,
        padding_height=kernel // 2,
        padding_width=kernel // 2,
        stride_height=stride,
        stride_width=stride,
        algorithm=algorithm,
    )


def test_a_stride_seen_with_gemm_alone_is_an_extrapolation_with_winograd() -> None:
    only = {"stride_height": (1,), "stride_width": (1,), "kernel_height": (3,), "kernel_width": (3,)}
    both = {"stride_height": (1, 2), "stride_width": (1, 2), "kernel_height": (1, 3), "kernel_width": (1, 3)}
    card = make_card(
        "xgb",
        "prediction-training-gpul40s",
        "gpul40s",
        algorithms=("gemm", "winograd"),
        ranges={},
        values_seen=both,
        seen_with_algorithm={"winograd": only},
    )
    rows = [("gemm", 3, 2), ("winograd", 3, 1), ("winograd", 3, 2), ("winograd", 1, 2), ("winograd", 5, 1)]
    table = ConfigTable.from_configs([layer(*row) for row in rows])
    domain = TrainingDomain(card)
    outside = (domain.status(table) == Status.EXTRAPOLATING).tolist()
    assert outside == [False, False, True, True, True]
    reasons = domain.reasons(table).tolist()
    assert reasons[:2] == ["", ""]
    assert reasons[2] == "stride 2 never measured with winograd (seen 1)"
    assert "kernel_size 1 never measured with winograd (seen 3)" in reasons[3]
    assert "stride 2 never measured with winograd" in reasons[3]
    assert reasons[4] == "kernel_size 5 never measured (seen 1, 3)"  # said once, for the target as a whole
    assert np.array_equal(domain.status(table[2:3]), [Status.EXTRAPOLATING])
    assert TrainingDomain(card).reasons(table) is domain.reasons(table), "made once for all predictors of a target"
    assert not domain.reasons(table).flags.writeable


def test_each_side_that_was_not_measured_with_an_algorithm_is_told(tmp_path: Path) -> None:
    seen = {"guess": {"kernel_height": (1, 3), "kernel_width": (1, 3)}}
    write_training_folder(tmp_path, "gpul40s", families=("xgb",), seen_with_algorithm=seen)
    predictor = ModelLibrary([tmp_path]).get("xgb_prediction-training-gpul40s")
    sizes = {"input_channels": 64, "input_height": 56, "input_width": 56, "output_channels": 64}
    for height, width, reason in ((7, 7, "kernel_size 7"), (3, 7, "kernel_width 7"), (7, 3, "kernel_height 7")):
        answer = predictor.predict_one(ConvConfig.parse(sizes | {"kernel_height": height, "kernel_width": width}))
        assert answer.reason == f"{reason} never measured with guess (seen 1, 3)"
