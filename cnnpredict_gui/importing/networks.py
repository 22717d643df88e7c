"""Networks of PyTorch: checkpoints of ours, and plain chains of linear layers (``.pth``, ``.safetensors``)."""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.importing.allowed import usual_module
from cnnpredict_gui.importing.graphs import GraphBuilder
from cnnpredict_gui.importing.limits import AGAIN, MAX_WEIGHTS, inflated_limit
from cnnpredict_gui.importing.mapping import FeatureMapping
from cnnpredict_gui.importing.pickle_parts import refused

Arrays = dict[str, npt.NDArray[np.float64]]
#: What a checkpoint of weights may name; torch's own loader (``weights_only``) has a longer list.
_NAMES = re.compile(
    r"collections\.OrderedDict|torch\._utils\._rebuild_(tensor_v2|parameter)|torch\.[A-Z]\w+Storage|torch\.storage\.UntypedStorage"
    r"|torch\.(float16|bfloat16|float32|float64|int64|int32)|torch\.Size"
)
#: Members of the archive that torch writes; everything else has no place in it.
_MEMBERS = re.compile(
    r"[^/\\\0]+/(data\.pkl|data/\d+|version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id)"
)
_MAX_MEMBERS, _MAX_PICKLE_BYTES = 10_000, 20_000_000
_SAVE = "save the weights alone: torch.save(model.state_dict(), path)"


@dataclass(frozen=True)
class Network:
    """Weights and biases of linear layers, (outputs, inputs) and (outputs,), and what stands between them."""

    weights: list[npt.NDArray[np.float64]]
    biases: list[npt.NDArray[np.float64]]
    activation: str
    mean: npt.NDArray[np.float64] | None
    scale: npt.NDArray[np.float64] | None

    def convert(self, builder: GraphBuilder) -> str:
        """Add the network to the graph; returns the name of its answer."""
        value = builder.start
        if self.mean is not None:
            value = builder.shifted(value, -self.mean)
        if self.scale is not None:
            value = builder.scaled(value, 1 / self.scale)
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            value = builder.linear(value, weight.T, bias)
            if number < len(self.weights) - 1:
                value = builder.activation(value, self.activation)
        return value

    def predict(self, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """What PyTorch answers with these weights, in its usual float32, shape (n,)."""
        import torch
        from torch import nn

        layers: list[nn.Module] = []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            layer.weight.data, layer.bias.data = torch.from_numpy(weight).float(), torch.from_numpy(bias).float()
            layers += [layer, _activation(self.activation)]
        inputs = matrix.astype(np.float64) - (0.0 if self.mean is None else self.mean)
        inputs = (inputs / (1.0 if self.scale is None else self.scale)).astype(np.float32)
        with torch.inference_mode():
            answer = nn.Sequential(*layers[:-1])(torch.from_numpy(inputs))
        return np.asarray(answer.double().numpy()).reshape(-1)


def _activation(name: str) -> Any:
    from torch import nn

    kinds = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softplus": nn.Softplus, "elu": nn.ELU, "gelu": nn.GELU}
    return (kinds | {"silu": nn.SiLU, "identity": nn.Identity, "leaky_relu": nn.LeakyReLU})[name]()


def read_checkpoint(data: bytes, name: str) -> Any:
    """What is in a ``.pth`` file: containers and tensors, by torch's loader for weights only.

    Raises:
        ModelFileError: it is no archive of torch's, damaged, too large when unpacked, or names what is not allowed.
    """
    _check_archive(data, name)
    import torch

    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, EOFError, OSError) as error:
        text = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise ModelFileError(f"{name} cannot be read by torch ({text})", _SAVE) from None


def _check_archive(data: bytes, name: str) -> None:
    """Look at the archive before torch does: members, sizes, checksums, and every name in its pickle."""
    if not data.startswith(b"PK\x03\x04"):
        raise ModelFileError(f"{name} is not an archive as torch.save writes it", _SAVE)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if len(members) > _MAX_MEMBERS or total > inflated_limit(len(data)):
                raise ModelFileError(f"{name} looks like a zip bomb: {total / 1e6:,.0f} MB in {len(data) / 1e6:.3g} MB", AGAIN)
            for member in members:
                _check_member(member, name)
            pickles = [member for member in members if member.filename.endswith("/data.pkl")]
            if len(pickles) != 1 or len({member.filename for member in members}) != len(members):
                raise ModelFileError(f"{name} is an archive, but not one of torch's", _SAVE)
            damaged = archive.testzip()
            if damaged is not None:
                raise ModelFileError(f"{name} is damaged: the checksum of {damaged[:60]} is wrong", AGAIN)
            check_names(archive.read(pickles[0]), name)
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
        EOFError,
    ) as error:
        raise ModelFileError(f"{name} is damaged or cut off: {str(error)[:120]}", AGAIN) from None


def _check_member(member: zipfile.ZipInfo, name: str) -> None:
    path = "".join(letter if letter.isprintable() else "?" for letter in member.filename)[:60]
    if "code/" in member.filename:
        raise ModelFileError(f"{name} is TorchScript, which holds program code", _SAVE)
    if ".." in member.filename.split("/") or not _MEMBERS.fullmatch(member.filename):
        raise ModelFileError(f"{name} holds {path!r}, which is not allowed in it", _SAVE)
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise ModelFileError(f"{name} holds {path!r} compressed or encrypted, as torch never writes it", _SAVE)
    if member.filename.endswith("/data.pkl") and member.file_size > _MAX_PICKLE_BYTES:
        raise ModelFileError(f"{name} has too much besides its weights", _SAVE)


def check_names(content: bytes, name: str) -> None:
    """Refuse a pickle of torch's that names anything but tensors and containers; nothing is loaded.

    Raises:
        ModelFileError: such as ``os.system is not allowed``.
    """
    try:
        for code, argument, _ in pickletools.genops(content):
            if code.name == "GLOBAL":
                module, _, attribute = str(argument).partition(" ")
                if not _NAMES.fullmatch(f"{module}.{attribute}"):
                    raise refused(usual_module(module), attribute)
            elif code.name in ("STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX"):
                raise ModelFileError(f"{name} uses the instruction {code.name}, which is not allowed", _SAVE)
    except (ValueError, UnicodeDecodeError, IndexError) as error:
        raise ModelFileError(f"{name} is damaged: {str(error)[:120]}", AGAIN) from None


def own_checkpoint(content: Any, name: str) -> Any:
    """The network of this project in a checkpoint; None if it is another one.

    Raises:
        ModelFileError: it says to be one, but its parts do not fit.
    """
    if not (isinstance(content, dict) and {"format", "shape", "state_dict"} <= set(content)):
        return None
    shape, state = content["shape"], content["state_dict"]
    sizes: list[Any] = [shape.get(key) for key in ("features", "width", "blocks")] if isinstance(shape, dict) else []
    if not sizes or not all(type(size) is int and 0 < size <= 100_000 for size in sizes) or not isinstance(state, dict):
        raise ModelFileError(f"{name} names sizes that cannot be", AGAIN)
    features, width, blocks = sizes
    there = sum(int(tensor.numel()) for tensor in state.values() if hasattr(tensor, "numel"))
    wanted = width * (features + blocks * (2 * width + 4) + 4)
    if wanted > MAX_WEIGHTS or there < wanted:
        raise ModelFileError(f"{name} names larger layers than it holds", AGAIN)
    from cnnpredict_gui.training.network_regressor import NetworkRegressor

    try:
        return NetworkRegressor.from_checkpoint({"shape": dict(shape), "state_dict": state})
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{name} does not fit its own sizes: {str(error).splitlines()[0][:120]}", AGAIN) from None


def own_graph(model: Any, features: int) -> onnx.ModelProto:
    """The graph of this project's own network."""
    from cnnpredict_gui.training.export import to_graph

    return to_graph(model, features)


def arrays_of(content: Any, name: str) -> Arrays:
    """Tensors by name from a checkpoint: a state dict, or a dict with one inside.

    Raises:
        ModelFileError: there is none in it.
    """
    for key in ("state_dict", "model_state_dict", "model", "net"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not content or not all(hasattr(value, "numpy") for value in content.values()):
        raise ModelFileError(f"{name} holds no state_dict", _SAVE)
    if sum(int(value.numel()) for value in content.values()) > MAX_WEIGHTS:
        raise ModelFileError(f"{name} has more than {MAX_WEIGHTS:,} weights", "train a smaller network")
    return {str(key): np.asarray(value.detach().double().numpy()) for key, value in content.items()}


def read_safetensors(data: bytes, name: str) -> Arrays:
    """Tensors by name from the content of a ``.safetensors`` file.

    Raises:
        ModelFileError: it is damaged or cut off.
    """
    import safetensors
    from safetensors.torch import load

    try:
        arrays = arrays_of(load(data), name)
    except (safetensors.SafetensorError, ValueError, KeyError, RuntimeError, TypeError, OSError) as error:
        raise ModelFileError(f"{name} is damaged or no safetensors file ({str(error)[:120]})", AGAIN) from None
    return {key: arrays[key] for key in sorted(arrays, key=_natural)}  # the format keeps no order


def chain(arrays: Arrays, mapping: FeatureMapping, name: str) -> Network:
    """The layers in the order of the file, each fitting the one before.

    Raises:
        ModelFileError: there is something else in it, layers do not fit, or nothing says which activation is used.
    """
    if mapping.activation is None:
        hint = "say so: --activation relu, or in the mapping file"
        raise ModelFileError(f"{name} holds weights alone, which do not tell the activation between the layers", hint)
    stems = list(dict.fromkeys(key.rpartition(".")[0] for key in arrays))
    fitting = [f"{stem}.{part}" if stem else part for stem in stems for part in ("weight", "bias")]
    if set(arrays) != set(fitting):
        other = next((key for key in arrays if key not in fitting), "a layer without a bias")
        raise ModelFileError(f"{name} holds {other[:60]!r}, and only chains of linear layers are read", "export ONNX yourself")
    weights, biases = ([arrays[key] for key in fitting[start::2]] for start in (0, 1))
    before = len(mapping.features)
    for stem, weight, bias in zip(stems, weights, biases, strict=True):
        if weight.ndim != 2 or bias.shape != (len(weight),):
            raise ModelFileError(f"{name}: {stem[:60]} is no linear layer", "export ONNX yourself")
        if weight.shape[1] != before:
            raise ModelFileError(
                f"{name}: {stem[:60]} takes {weight.shape[1]} numbers and is given {before}", "name all features"
            )
        before = len(weight)
    if before != 1:
        raise ModelFileError(f"{name} gives {before} numbers per row", "train it for one time per layer")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ModelFileError(f"{name} has weights that are not finite", AGAIN)
    mean, scale = (np.array(values) if values else None for values in (mapping.input_mean, mapping.input_scale))
    return Network(weights, biases, mapping.activation, mean, scale)


def _natural(stem: str) -> list[tuple[int, str]]:
    """Sort key in which ``layers.10`` follows ``layers.9``."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", stem) if part]
