"""A network's prediction as a table (CSV or Parquet): a row per layer and predictor, layers without a predictor included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from cnnpredict_gui.core.config import CONFIG_FIELDS
from cnnpredict_gui.infra.files import atomic_write
from cnnpredict_gui.studies.layers import NetworkLayer
from cnnpredict_gui.studies.network import NetworkPrediction, NetworkResult
from cnnpredict_gui.studies.table_output import check_output_name, table_writer

#: Columns beside those of the configuration (elements), in order of the file; times in ms, ``share`` of the total from 0 to 1.
LAYER_COLUMNS = ("network", "layer", "kind", "count")
RESULT_COLUMNS = (
    "output_shape",
    "macs",
    "parameters",
    "model_name",
    "model_version",
    "target",
    "time_kind",
    "execution_time_ms",
    "interval_low_ms",
    "interval_high_ms",
    "share",
    "verdict",
    "note",
)


def export_network(title: str, prediction: NetworkPrediction, path: Path) -> None:
    """Write every predictor's answers; times are those of one occurrence of a layer, ``count`` says how many there are.

    Args:
        title: What goes into the column ``network``.
        prediction: What is written.
        path: Ends in .csv or .parquet; appears whole or not at all.

    Raises:
        OutputError: the name has another ending, or the file cannot be written.
    """
    check_output_name(path)
    with atomic_write(path) as part, table_writer(part) as writer:
        for result in prediction.results:
            rows = [_row(title, layer, result, index) for index, layer in enumerate(prediction.layers)]
            writer.write({name: pa.array([row[name] for row in rows], kind) for name, kind in _COLUMNS.items()})


def _row(title: str, layer: NetworkLayer, result: NetworkResult, index: int) -> dict[str, Any]:
    config = (
        dict.fromkeys(CONFIG_FIELDS) if layer.config is None else {name: getattr(layer.config, name) for name in CONFIG_FIELDS}
    )
    answer = result.prediction(index)
    known = answer is not None and answer.time_ms == answer.time_ms
    times: dict[str, float | None] = dict.fromkeys(("execution_time_ms", "interval_low_ms", "interval_high_ms", "share"))
    if answer is not None and known:
        times = {
            "execution_time_ms": answer.time_ms,
            "interval_low_ms": answer.low_ms,
            "interval_high_ms": answer.high_ms,
            "share": float(result.share[index]),
        }
    return {
        "network": title,
        "layer": layer.name,
        "kind": layer.kind,
        "count": layer.count,
        **config,
        "output_shape": "x".join(str(extent) for extent in layer.output_shape),
        "macs": layer.macs,
        "parameters": layer.parameters,
        "model_name": result.predictor,
        "model_version": result.version,
        "target": result.target.name,
        "time_kind": result.target.time_kind,
        **times,
        "verdict": result.verdict(index) or f"not predicted: {layer.reason}",
        "note": layer.note,
    }


def _kind_of(name: str) -> pa.DataType:
    if name in ("execution_time_ms", "interval_low_ms", "interval_high_ms", "share"):
        return pa.float64()
    integers = ("count", "macs", "parameters", *CONFIG_FIELDS[:-3])
    return pa.int64() if name in integers else pa.string()


_COLUMNS: dict[str, pa.DataType] = {name: _kind_of(name) for name in (*LAYER_COLUMNS, *CONFIG_FIELDS, *RESULT_COLUMNS)}
