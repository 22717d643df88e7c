"""Everything of the program that reads a file of somebody else, each with valid files to begin from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.infra.paths import bundled_models_dir

MORE = "name,count,Batch Size,input-channels,input_height,input_width,output_channels,kernel_size,stride,padding,algorithm"
CONFIG: dict[str, Any] = {"batch_size": 1, "input_channels": 64, "input_height": 56, "input_width": 56} | {
    "output_channels": 64,
    "kernel_size": 3,
    "stride": 1,
}


@dataclass(frozen=True)
class Reader:
    """``read`` is given a file with the ending ``suffix``; ``seeds`` are files it takes."""

    suffix: str
    seeds: list[bytes]
    read: Callable[[Path], object]


def _config(path: Path) -> object:
    from cnnpredict_gui.cli.usage import _read_config

    return ConvConfig.parse(_read_config(str(path))).label()


def _table(path: Path) -> object:
    """As the Batch view and ``cnnpredict batch``: a look, the mapping, then all rows."""
    from cnnpredict_gui.core.table import ConfigTable
    from cnnpredict_gui.gui.batch_data import look
    from cnnpredict_gui.studies.tabular import config_columns, find_mapping, read_table

    preview = look(path, None)
    mapping = find_mapping(preview.table.columns, preview.mapping)
    return [len(ConfigTable.from_columns(config_columns(piece, mapping))[0]) for piece in read_table(path, 64)]


def _layers(path: Path) -> object:
    from cnnpredict_gui.studies.layers import totals
    from cnnpredict_gui.studies.layers_csv import import_layers

    return totals(import_layers(path))


def _preset(path: Path) -> object:
    from cnnpredict_gui.studies.layers import totals
    from cnnpredict_gui.studies.own_presets import read_preset_file

    return totals(read_preset_file(path).layers)


def _card(path: Path) -> object:
    """The card, and with it the interval of a row."""
    import numpy as np

    from cnnpredict_gui.core.interval import IntervalBounds
    from cnnpredict_gui.core.table import ConfigTable
    from cnnpredict_gui.serving.verification import read_card

    interval = read_card(path, "xgb").interval
    return interval and IntervalBounds(interval)(ConfigTable.from_configs([ConvConfig.parse(CONFIG)]), np.zeros(1))


def _session(path: Path) -> object:
    from cnnpredict_gui.gui.session import read_session
    from cnnpredict_gui.gui.state import AppState

    AppState().from_json(read_session(path)["state"])
    return None


def _settings(path: Path) -> object:
    from cnnpredict_gui.infra.settings import read_settings

    return read_settings(path)


def _usage(path: Path) -> object:
    from cnnpredict_gui.infra.usage import KINDS, UsageCounts

    counts = UsageCounts(path)
    return [counts.most_used(kind) for kind in KINDS]


def _onnx(path: Path) -> object:
    from cnnpredict_gui.studies.layers import totals
    from cnnpredict_gui.studies.onnx_import import import_onnx

    return totals(import_onnx(path))


def _csv_seeds() -> list[bytes]:
    plain = ",".join(CONFIG) + "\n" + "\n".join(",".join(str(value + row) for value in CONFIG.values()) for row in range(6))
    named = MORE + '\nstem,1,1,3,224,224,64,7,2,3,any\n"a, b",3,1,64,56,56,64,3,1,,gemm\nlast,,1,64,56,56,256,1,1,0,\n'
    aliases = "n;c;h;w;k;kernel;stride\n1;3;32;32;8;3;1\n2;8;16;16;8;5;2\n"
    return [plain.encode(), named.encode(), b"\xef\xbb\xbf" + named.replace("\n", "\r\n").encode(), aliases.encode()]


def _parquet_seeds() -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = []
    for compression in ("snappy", "none"):
        sink = pa.BufferOutputStream()
        rows = {name: [value, value + 1, value + 2] for name, value in CONFIG.items()} | {"name": ["a", "b", None]}
        pq.write_table(pa.table(rows), sink, compression=compression)
        found.append(sink.getvalue().to_pybytes())
    return found


def _preset_seeds() -> list[bytes]:
    from cnnpredict_gui.studies.own_presets import OwnPreset, write_preset_file
    from cnnpredict_gui.studies.presets import preset

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "preset.json"
        write_preset_file(OwnPreset("mine", tuple(preset("alexnet").layers()), "a test"), path)
        return [path.read_bytes()]


def _session_seeds() -> list[bytes]:
    from cnnpredict_gui.gui.session import FORMAT, KIND
    from cnnpredict_gui.gui.state import AppState

    state = AppState()
    state.select(["xgb_prediction-training-gpul40s", "rf_prediction-training-gpul40s"])
    state.pin()
    state.views = {"compare": {"group": "family", "side": 1, "split": [400, 200]}, "network": {"rho": 0.5, "tab": 1}}
    content = {"format": FORMAT, "kind": KIND, "window": {"view": "compare"}, "state": state.to_json()}
    return [json.dumps(content).encode(), json.dumps(content | {"format": 1}).encode()]


def _settings_seeds() -> list[bytes]:
    from dataclasses import asdict

    from cnnpredict_gui.infra.settings import FORMAT, Settings

    return [json.dumps({"format": FORMAT} | asdict(Settings(models_folders=("/tmp/a",), recent_files=("/tmp/b",)))).encode()]


def _usage_seeds() -> list[bytes]:
    from cnnpredict_gui.infra.usage import KINDS, UsageCounts

    with tempfile.TemporaryDirectory() as folder:
        counts = UsageCounts(Path(folder) / "usage.json")
        for kind in KINDS:
            counts.count(kind, ["one", "two"])
        counts.save()
        return [(Path(folder) / "usage.json").read_bytes()]


def _onnx_seeds() -> list[bytes]:
    from onnx import helper

    from tests.studies.onnx_models import weight, write, write_conv

    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "v"], ["y"], transB=1),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        one = write(path, nodes, [weight("w", [16, 8, 3, 3]), weight("v", [10, 16])]).read_bytes()
        two = write_conv(path, [16, 4, 5, 5], group=2, strides=[2, 2], dilations=[1, 1], kernel_shape=[5, 5]).read_bytes()
        return [one, two]


def readers() -> dict[str, Reader]:
    """All readers by name."""
    card = bundled_models_dir() / "prediction-training-gpul40s" / "xgboost" / "best_xgb_model.card.json"
    config = json.dumps(CONFIG | {"padding": "same", "dtype": "fp32", "algorithm": "any", "groups": 2}).encode()
    return {
        "config": Reader(".json", [config, json.dumps(CONFIG | {"dilation_height": 2, "dilation_width": 1}).encode()], _config),
        "table": Reader(".csv", _csv_seeds(), _table),
        "layers": Reader(".csv", _csv_seeds()[:3], _layers),
        "parquet": Reader(".parquet", _parquet_seeds(), _table),
        "preset": Reader(".json", _preset_seeds(), _preset),
        "card": Reader(".json", [card.read_bytes()], _card),
        "session": Reader(".cnnpredict", _session_seeds(), _session),
        "settings": Reader(".json", _settings_seeds(), _settings),
        "usage": Reader(".json", _usage_seeds(), _usage),
        "onnx": Reader(".onnx", _onnx_seeds(), _onnx),
    }
