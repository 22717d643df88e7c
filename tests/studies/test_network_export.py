"""Tables of a network's prediction: every layer of every predictor, with units, names and reasons."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cnnpredict_gui.core.errors import OutputError
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.studies.layers import conv_layer
from cnnpredict_gui.studies.network import NetworkPrediction, predict_network
from cnnpredict_gui.studies.network_export import export_network
from cnnpredict_gui.studies.presets import preset
from tests.artefacts import write_training_folder


@pytest.fixture(scope="module")
def prediction(tmp_path_factory: pytest.TempPathFactory) -> NetworkPrediction:
    folder = tmp_path_factory.mktemp("models")
    write_training_folder(folder, "cpu", ("nn", "xgb"))
    library = ModelLibrary([folder])
    library.load_all()
    alexnet = preset("alexnet")
    layers = [*alexnet.layers(), *alexnet.layers(dtype="fp16")[:1]]
    layers += [conv_layer("=cmd|' /C calc'!A0", layer.config, count=2) for layer in layers[:1] if layer.config]
    return predict_network(layers, list(library.predictors.values()))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_csv_holds_all_layers_of_all_predictors(prediction: NetworkPrediction, tmp_path: Path) -> None:
    export_network("AlexNet", prediction, tmp_path / "out.csv")
    rows = _rows(tmp_path / "out.csv")
    assert len(rows) == 2 * len(prediction.layers)
    for result in prediction.results:
        own = [row for row in rows if row["model_name"] == result.predictor]
        total = sum(float(row["execution_time_ms"]) * int(row["count"]) for row in own if row["execution_time_ms"])
        assert total == pytest.approx(result.total.time_ms, rel=1e-5)
        assert sum(float(row["share"]) for row in own if row["share"]) == pytest.approx(1.0, rel=1e-5)
    first = rows[0]
    assert (first["network"], first["layer"], first["kind"], first["target"]) == ("AlexNet", "features.0", "conv", "cpu")
    assert (first["time_kind"], first["model_version"], first["output_shape"]) == (
        "framework_wall_clock",
        "1.0.0",
        "1x64x55x55",
    )
    assert (first["kernel_height"], first["stride_width"], first["dtype"]) == ("11", "4", "fp32")
    assert float(first["interval_low_ms"]) < float(first["execution_time_ms"]) < float(first["interval_high_ms"])


def test_what_has_no_time_says_why(prediction: NetworkPrediction, tmp_path: Path) -> None:
    export_network("AlexNet", prediction, tmp_path / "out.csv")
    rows = _rows(tmp_path / "out.csv")
    linear = next(row for row in rows if row["kind"] == "linear")
    assert linear["verdict"].startswith("not predicted: ")
    assert linear["execution_time_ms"] == linear["input_channels"] == ""
    refused = next(row for row in rows if row["dtype"] == "fp16")
    assert refused["verdict"].startswith("refused: ")
    assert refused["execution_time_ms"] == ""


def test_names_cannot_become_formulas(prediction: NetworkPrediction, tmp_path: Path) -> None:
    export_network("AlexNet", prediction, tmp_path / "out.csv")
    assert not any(row["layer"].startswith("=") for row in _rows(tmp_path / "out.csv"))


def test_parquet_keeps_numbers(prediction: NetworkPrediction, tmp_path: Path) -> None:
    export_network("AlexNet", prediction, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.num_rows == 2 * len(prediction.layers)
    assert str(table.schema.field("execution_time_ms").type) == "double"
    assert table.column("input_height")[0].as_py() == 224


def test_unknown_endings_are_refused(prediction: NetworkPrediction, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.csv or \.parquet"):
        export_network("AlexNet", prediction, tmp_path / "out.xlsx")
    assert list(tmp_path.iterdir()) == []
