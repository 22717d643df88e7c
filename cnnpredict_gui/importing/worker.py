"""What the child process does: read one native file, convert it, compare both, write the graph. Never in the window."""

from __future__ import annotations

import gc
import hashlib
import io
import os
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.core.errors import CnnPredictError, ModelError, ModelFileError
from cnnpredict_gui.importing.compressed import inflated
from cnnpredict_gui.importing.limits import AGAIN, MEMORY_BYTES, guard, limit_memory, read_file, shown_name
from cnnpredict_gui.importing.mapping import FeatureMapping

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import onnx

Message = dict[str, Any]
_PICKLES, _TORCH, _XGBOOST = (".joblib", ".pkl", ".pickle"), (".pth", ".pt"), (".json", ".ubj")
SUFFIXES = (*_PICKLES, *_TORCH, *_XGBOOST, ".onnx", ".safetensors")
#: Libraries whose own files are read, by the suffix of the file.
_NEEDED = {
    **dict.fromkeys(_PICKLES, ("sklearn.ensemble", "sklearn.linear_model", "sklearn.pipeline", "sklearn.neural_network")),
    **dict.fromkeys(_TORCH, ("torch", "cnnpredict_gui.training.network_regressor")),
    **dict.fromkeys(_XGBOOST, ("xgboost",)),
    ".safetensors": ("torch", "safetensors.torch"),
}
_PACKAGES = {"scikit-learn": "scikit-learn", "xgboost": "xgboost-cpu", "torch": "torch"}


@dataclass
class Native:
    """A native model that was read: how many features it takes, what it answers, and its graph."""

    kind: str
    width: int
    predict: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]
    graph: Callable[[], onnx.ModelProto]
    names: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def convert(request: Message, send: Callable[[Message], None]) -> Message:
    """Body of the child process.

    Args:
        request: ``path`` (the native file), ``mapping`` (a :class:`FeatureMapping` as JSON), ``folder`` (an empty one, for the
            graph), and optionally ``memory`` (bytes).
        send: Called with the stage that begins.

    Returns:
        ``{"error": {"message", "hint"}}``, or ``sha256`` of the file, ``kind``, ``comparison``, ``names``, ``versions`` of the
        libraries that wrote the file, ``here`` (ours), and ``notes``; the graph is then in ``folder/model.onnx``.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    warnings.simplefilter("ignore")
    send({"pid": os.getpid(), "stage": "loading libraries"})
    try:
        return _convert(request, send)
    except MemoryError:
        gc.collect()
        return _error(ModelFileError(f"it needs more than {MEMORY_BYTES / 1e9:.0f} GB of memory", "train a smaller model"))
    except CnnPredictError as error:
        return _error(error)
    except Exception as error:  # a kind of damage that nobody thought of; what was made by chance is not kept either
        text = f"{type(error).__name__}: {error}".splitlines()[0][:160]
        name = shown_name(Path(request["path"]))
        return _error(ModelFileError(f"{name} cannot be read ({text})", "if the file is sound, please report it"))


def _error(error: CnnPredictError) -> Message:
    return {"error": {"message": " ".join(error.message.split()), "hint": error.hint}}


def _convert(request: Message, send: Callable[[Message], None]) -> Message:
    path, folder = Path(request["path"]), Path(request["folder"])
    mapping = FeatureMapping.model_validate(request["mapping"])
    suffix = path.suffix.lower()
    _import(suffix)
    lift = guard(folder)
    try:
        limit_memory(int(request.get("memory", MEMORY_BYTES)))
        send({"stage": "reading"})
        data = read_file(path)
        native = read_native(data, path, mapping)
        _check_names(native, mapping, shown_name(path))
        send({"stage": "converting"})
        content = native.graph().SerializeToString()
        gc.collect()  # graphs of large forests take ten times their bytes
        send({"stage": "comparing"})
        comparison = compare(native, content, mapping)
        (folder / "model.onnx").write_bytes(content)
    finally:
        lift()
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "kind": native.kind,
        "comparison": asdict(comparison),
        "names": list(native.names),
        "versions": native.versions,
        "here": {name: _version(package) for name, package in _PACKAGES.items() if name in native.versions},
        "notes": list(native.notes),
    }


def _import(suffix: str) -> None:
    """Import what the file needs before the memory is limited and the guard is up.

    Raises:
        ModelFileError: the library is not installed, or no file of this kind can be read.
    """
    from importlib import import_module

    if suffix not in SUFFIXES:
        raise ModelFileError(f"a file {suffix or 'without a suffix'} is not read", f"known are {', '.join(SUFFIXES)}")
    for module in ("onnx", "cnnpredict_gui.infra.onnx_runtime", "cnnpredict_gui.importing.samples", *_NEEDED.get(suffix, ())):
        try:
            import_module(module)
        except ImportError as error:
            hint = 'install the libraries: pip install "cnnpredict-gui[train]"'
            raise ModelFileError(f"reading {suffix} needs {error.name}, which is not installed", hint) from None


def read_native(data: bytes, path: Path, mapping: FeatureMapping) -> Native:
    """The model in a file.

    Raises:
        ModelFileError: it is not allowed, damaged, or of a kind that has no conversion.
    """
    suffix, name = path.suffix.lower(), shown_name(path)
    if suffix in _PICKLES:
        return _of_pickle(data, name, mapping)
    if suffix in _TORCH:
        return _of_torch(data, name, mapping)
    if suffix == ".safetensors":
        return _of_network(_networks().read_safetensors(data, name), name, mapping)
    if suffix == ".onnx":
        return _of_onnx(data, path, mapping)
    from cnnpredict_gui.importing import xgboost_files

    return _of_xgboost(xgboost_files.of_file(data, name), mapping)


def unpickled(data: bytes, name: str) -> Any:
    """The object in a joblib or pickle file, and the unpickler that read it.

    Raises:
        ModelFileError: it is not allowed, or damaged.
    """
    from cnnpredict_gui.importing.unpickler import Unpickler

    if data.startswith(b"PK"):
        raise ModelFileError(f"{name} is a zip archive, not what joblib or pickle write", "a file of torch.save is named .pth")
    content = inflated(data, name)
    if content.startswith((b"PK", b"\x89HDF", b"\x93NUMPY")):
        raise ModelFileError(f"{name} is no pickle", "save the model by joblib.dump")
    reader = Unpickler(io.BytesIO(content), name)
    return reader.load(), reader


def _of_pickle(data: bytes, name: str, mapping: FeatureMapping) -> Native:
    from cnnpredict_gui.importing import sklearn_models, xgboost_files
    from cnnpredict_gui.importing.graphs import GraphBuilder
    from cnnpredict_gui.importing.pickle_parts import XgboostState

    model, reader = unpickled(data, name)
    if isinstance(model, XgboostState):
        return _of_xgboost(xgboost_files.of_pickle(model, name), mapping)
    if not hasattr(model, "get_params"):
        raise ModelFileError(f"{name} holds a {type(model).__name__}, not an estimator", "save the fitted model itself")

    def graph() -> onnx.ModelProto:
        builder = GraphBuilder(sklearn_models.width_of(model))
        return builder.model(sklearn_models.convert(model, builder), mapping.output)

    return Native(
        f"scikit-learn {sklearn_models.describe(model)}",
        sklearn_models.width_of(model),
        lambda matrix: sklearn_models.predict(model, matrix),
        graph,
        sklearn_models.own_names(model),
        reader.versions,
    )


def _of_xgboost(model: Any, mapping: FeatureMapping) -> Native:
    from cnnpredict_gui.importing.graphs import GraphBuilder

    def graph() -> onnx.ModelProto:
        builder = GraphBuilder(model.features)
        return builder.model(model.convert(builder), mapping.output)

    versions = {"xgboost": model.version} if model.version else {}
    return Native(f"XGBoost {model.kind}", model.features, model.predict, graph, model.names, versions, model.notes)


def _networks() -> Any:
    from cnnpredict_gui.importing import networks

    return networks


def _of_torch(data: bytes, name: str, mapping: FeatureMapping) -> Native:
    networks = _networks()
    content = networks.read_checkpoint(data, name)
    own = networks.own_checkpoint(content, name)
    if own is None:
        return _of_network(networks.arrays_of(content, name), name, mapping)
    width = int(own.network.shape["features"])
    if mapping.output != "log_ms":
        raise ModelFileError(f"{name} is a checkpoint of this program, whose output is log_ms", "give --output log_ms")
    return Native("PyTorch network of this program", width, own.predict, lambda: networks.own_graph(own, width))


def _of_network(arrays: Any, name: str, mapping: FeatureMapping) -> Native:
    from cnnpredict_gui.importing.graphs import GraphBuilder

    network = _networks().chain(arrays, mapping, name)
    width = network.weights[0].shape[1]

    def graph() -> onnx.ModelProto:
        builder = GraphBuilder(width)
        return builder.model(network.convert(builder), mapping.output)

    layers = " x ".join(str(len(weight)) for weight in network.weights)
    return Native(f"PyTorch layers {layers}, {network.activation}", width, network.predict, graph)


def _of_onnx(data: bytes, path: Path, mapping: FeatureMapping) -> Native:
    from cnnpredict_gui.importing import onnx_files

    model = onnx_files.read_onnx(data, path)
    maker = f"{model.producer_name[:40]} {model.producer_version[:20]}".strip()
    kind = f"ONNX model{f' of {maker}' if maker.isprintable() and maker else ''}"
    return Native(
        kind,
        onnx_files.width_of(model, shown_name(path)),
        lambda matrix: onnx_files.predict(model, matrix),
        lambda: onnx_files.served_form(model, mapping.output),
    )


def _check_names(native: Native, mapping: FeatureMapping, name: str) -> None:
    """The number of features, and their names where the file has names that this program knows."""
    from cnnpredict_gui.core.features import feature_names

    if native.width != len(mapping.features):
        text = f"{name} takes {native.width} features and the mapping names {len(mapping.features)}"
        raise ModelFileError(text, "name each column of the model, in its order")
    known = set(feature_names())
    for place, (own, said) in enumerate(zip(native.names, mapping.features, strict=False), 1):
        if own in known and own != said:
            text = f"feature {place} of {name} calls itself {own!r} and the mapping says {said!r}"
            raise ModelFileError(text, "name the features in the order in which the model was trained")


def compare(native: Native, content: bytes, mapping: FeatureMapping) -> Any:
    """The :class:`~cnnpredict_gui.importing.samples.Comparison` of a model and the content of its graph.

    Raises:
        ModelFileError: they differ, or one of them cannot be asked.
    """
    import numpy as np

    from cnnpredict_gui.importing import samples
    from cnnpredict_gui.infra.onnx_runtime import onnxruntime as ort

    matrix = samples.sample_matrix(mapping)
    features = np.ascontiguousarray(matrix[:, : len(mapping.features)])
    offset = matrix[:, -1].astype(np.float64) if mapping.offset_feature else np.zeros(len(matrix))
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        served = [session.run(None, {"features": features[rows]})[0] for rows in (slice(0, 1), slice(1, None))]
    except Exception as error:  # ONNX Runtime raises a dozen unrelated types
        if "bad_alloc" in str(error):
            raise MemoryError from None
        text = f"ONNX Runtime cannot run the converted model: {str(error).splitlines()[0][:120]}"
        raise ModelFileError(text, "export ONNX yourself") from None
    try:
        answers = native.predict(features)
    except (ModelError, MemoryError):
        raise
    except Exception as error:  # whatever the library finds wrong with what it was given
        text = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        raise ModelFileError(f"the native model cannot be asked ({text})", AGAIN) from None
    return samples.compare(answers, np.concatenate(served).astype(np.float64).reshape(-1), mapping, offset)


def _version(package: str) -> str:
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return "unknown"
