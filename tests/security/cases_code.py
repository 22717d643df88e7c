"""Files that want to run code: calls by name, forged instructions, and the same in every wrapping."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import joblib
import numpy as np

from tests.security.workshop import Workshop, case, named_call, text_object, touch

#: What files have been seen to call, or could; arguments are such that a call would leave the canary wherever it can.
CALLS: dict[str, tuple[str, str]] = {
    "os.system": ("os", "system"),
    "os.system as posix": ("posix", "system"),
    "os.system as nt": ("nt", "system"),
    "os.popen": ("os", "popen"),
    "os.remove": ("os", "remove"),
    "subprocess.Popen": ("subprocess", "Popen"),
    "subprocess.check_output": ("subprocess", "check_output"),
    "builtins.eval": ("builtins", "eval"),
    "builtins.exec by its old module": ("__builtin__", "exec"),
    "builtins.open": ("builtins", "open"),
    "builtins.getattr": ("builtins", "getattr"),
    "builtins.__import__": ("builtins", "__import__"),
    "importlib.import_module": ("importlib", "import_module"),
    "runpy.run_path": ("runpy", "run_path"),
    "pty.spawn": ("pty", "spawn"),
    "socket.create_connection": ("socket", "create_connection"),
    "webbrowser.open": ("webbrowser", "open"),
    "ctypes.CDLL": ("ctypes", "CDLL"),
    "pickle.loads": ("pickle", "loads"),
    "pickle.loads as _pickle": ("_pickle", "loads"),
    "joblib.load": ("joblib.numpy_pickle", "load"),
    "numpy.load": ("numpy", "load"),
    "numpy.testing": ("numpy.testing._private.utils", "runstring"),
    "torch.load": ("torch.serialization", "load"),
    "operator.attrgetter": ("operator", "attrgetter"),
    "functools.partial": ("functools", "partial"),
    "types.FunctionType": ("types", "FunctionType"),
    "marshal.loads": ("marshal", "loads"),
    "shutil.rmtree": ("shutil", "rmtree"),
    "sklearn's own loader": ("sklearn.utils._testing", "_convert_container"),
    "sklearn estimator that calls": ("sklearn.model_selection._search", "GridSearchCV"),
    "a numpy function, called": ("numpy", "log1p"),
    "a module that is not there": ("no_such_module", "run"),
}


_SAYS = {"a numpy function, called": "calls log1p, which is not allowed"}


def _add_calls() -> None:
    for number, (title, (module, name)) in enumerate(CALLS.items()):
        suffix = (".joblib", ".pkl", ".pickle")[number % 3]

        def build(shop: Workshop, module: str = module, name: str = name, suffix: str = suffix) -> Path:
            return shop.write(f"model{suffix}", named_call(module, name, f"touch '{shop.canary}'"))

        usual = {"posix": "os", "nt": "os", "__builtin__": "builtins"}.get(module, module)
        case(f"calls {title}", _SAYS.get(title, f"{usual}.{name} is not allowed in a model file"))(build)


_add_calls()


def _evil(shop: Workshop) -> bytes:
    buffer = io.BytesIO()
    joblib.dump({"model": touch(shop.canary)}, buffer)
    return buffer.getvalue()


for _name, _pack in {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}.items():

    @case(f"a call inside {_name}", "os.system is not allowed")
    def _packed(shop: Workshop, pack=_pack) -> Path:  # type: ignore[no-untyped-def]
        return shop.write("model.joblib", pack(_evil(shop)))


@case("a call inside lz4", "os.system is not allowed")
def _in_lz4(shop: Workshop) -> Path:
    import lz4.frame

    return shop.write("model.joblib", lz4.frame.compress(_evil(shop)))


@case("a call inside a call of something allowed", "os.system is not allowed")
def _inside(shop: Workshop) -> Path:
    return shop.write("model.pkl", pickle.dumps({"a": [1, (2, {3: touch(shop.canary)})]}, 4))


@case("a call inside an array of objects, as joblib writes it", "os.system is not allowed")
def _in_array(shop: Workshop) -> Path:
    array = np.empty(1, dtype=object)
    array[0] = touch(shop.canary)
    path = shop.folder / "model.joblib"
    joblib.dump({"names": array}, path)
    return path


@case("an array of objects without any call", "array of Python objects, which is not allowed")
def _objects(shop: Workshop) -> Path:
    path = shop.folder / "model.joblib"
    joblib.dump(np.array([{}, []], dtype=object), path)
    return path


# -- instructions by hand ---------------------------------------------------------------------------------------------

_HAND: dict[str, tuple[bytes, str]] = {
    "INST": (b"(S'touch /tmp/x'\nios\nsystem\n.", "is damaged or no pickle"),
    "OBJ": (b"(cos\nsystem\nS'true'\no.", "os.system is not allowed"),
    "a persistent id": (b"\x80\x02Pabc\n.", "is damaged or no pickle"),
    "a binary persistent id": (b"\x80\x02X\x01\x00\x00\x00aQ.", "is damaged or no pickle"),
    "an extension code": (b"\x80\x02\x82\x01.", "is damaged or no pickle"),
    "a buffer outside of the file": (b"\x80\x05\x97.", "is damaged or no pickle"),
    "a name with dots": (text_object("builtins", "dict.fromkeys") + b".", "builtins.dict.fromkeys is not allowed"),
    "a name with a dotted module of ours": (text_object("cnnpredict_gui.infra.paths", "os.system") + b".", "is not allowed"),
    "a call of a text": (b"\x80\x02X\x01\x00\x00\x00a)R.", "calls str, which is not allowed"),
    "a class instead of an object made anew": (
        b"\x80\x02csklearn.linear_model._base\nLinearRegression\n}X\x07\x00\x00\x00predictK\x01sb.",
        "changes an object that it did not make",
    ),
    "attributes of a class by the second half of a state": (
        b"\x80\x02csklearn.linear_model._base\nLinearRegression\nN}X\x03\x00\x00\x00fitK\x01s\x86b.",
        "changes an object that it did not make",
    ),
    "a class called instead of made": (
        b"\x80\x02csklearn.linear_model._base\nLinearRegression\n)R.",
        "calls LinearRegression, which is not allowed",
    ),
    "items put into an array": (
        b"\x80\x02cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87RK\x00K\x01s.",
        "has a ndarray where a dict belongs",
    ),
    "a byte array that claims to be huge": (b"\x80\x05\x96" + struct.pack("<Q", 1 << 50) + b"abc.", "is cut off"),
    "a frame that claims to be huge": (b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"N.", "holds a NoneType"),
    "a text that claims to be huge": (b"\x80\x04\x8d" + struct.pack("<Q", 1 << 60) + b"abc.", "is damaged or no pickle"),
    "a protocol of the future": (b"\x80\x63N.", "is damaged or no pickle"),
    "no end": (b"\x80\x04N", "is damaged or no pickle"),
    "an unknown instruction": (b"\x80\x04\xff.", "is damaged or no pickle"),
    "a number instead of a model": (b"\x80\x04K\x01.", "holds a int, not an estimator"),
    "a pipeline without steps": (
        b"\x80\x02csklearn.pipeline\nPipeline\n)\x81}b.",
        "the Pipeline in it has no steps",
    ),
    "a model without its numbers": (
        b"\x80\x02csklearn.linear_model._base\nLinearRegression\n)\x81}X\x0e\x00\x00\x00n_features_in_K\x03sb.",
        "a LinearRegression has no conversion",
    ),
    "nothing but names": (b"\x80\x02csklearn.linear_model._base\nLinearRegression\n.", "was never fitted"),
}
for _title, (_content, _says) in _HAND.items():

    @case(f"by hand: {_title}", _says)
    def _by_hand(shop: Workshop, content: bytes = _content) -> Path:
        return shop.write("model.pkl", content)


# -- numpy's own reconstruction ---------------------------------------------------------------------------------------


@case("numpy: a field outside of its structure", "numbers of a type that is not allowed")
def _field_outside(shop: Workshop) -> Path:
    state = pickle.dumps((3, "|", None, ("a",), {"a": (np.dtype("i8"), 4096)}, 8, 1, 0), 2)[2:-1]
    return shop.write("model.pkl", b"\x80\x02" + b"cnumpy\ndtype\nX\x02\x00\x00\x00V8\x89\x88\x87R" + state + b"b.")


@case("numpy: a type changed while an array uses it", "a type of numbers that is in use")
def _changed_type(shop: Workshop) -> Path:
    kind = b"cnumpy\ndtype\nX\x02\x00\x00\x00u1\x89\x88\x87Rq\x01"
    array = b"cnumpy._core.numeric\n_frombuffer\n(C\x01ah\x01K\x01\x85X\x01\x00\x00\x00CtR0"
    state = pickle.dumps((3, "<", None, None, None, -1, -1, 0), 2)[2:-1]
    return shop.write("model.pkl", b"\x80\x03" + kind + b"0" + array + b"h\x01" + state + b"b.")


@case("numpy: an array that claims more than there is", "too few or too many bytes")
def _short_array(shop: Workshop) -> Path:
    return shop.write("model.pkl", pickle.dumps(np.arange(4.0), 2).replace(b"K\x04\x85", b"K\x7f\x85"))


@case("numpy: an array of a negative size", "an array of an unknown form")
def _negative(shop: Workshop) -> Path:
    return shop.write("model.pkl", pickle.dumps(np.arange(4.0), 2).replace(b"K\x04\x85", b"J\xff\xff\xff\xff\x85"))


@case("numpy: a memory map in place of an array", "numpy.memmap is not allowed")
def _memmap(shop: Workshop) -> Path:
    return shop.write("model.pkl", named_call("numpy", "memmap", str(shop.canary)))


@case("numpy: a number of a type of objects", "a number of an unknown form")
def _object_scalar(shop: Workshop) -> Path:
    kind = pickle.dumps(np.dtype("O"), 2)[2:-1]
    return shop.write("model.pkl", b"\x80\x03cnumpy._core.multiarray\nscalar\n" + kind + b"C\x08AAAAAAAA\x86R.")


@case("numpy: a type of objects over raw bytes", "too few or too many bytes")
def _object_bytes(shop: Workshop) -> Path:
    kind = pickle.dumps(np.dtype("O"), 2)[2:-1]
    return shop.write(
        "model.pkl", b"\x80\x03cnumpy._core.numeric\n_frombuffer\n(C\x08AAAAAAAA" + kind + b"K\x01\x85X\x01\x00\x00\x00CtR."
    )


# -- the same under other names ---------------------------------------------------------------------------------------

for _suffix, _says in {
    ".pth": "is not an archive as torch.save writes it",
    ".pt": "is not an archive as torch.save writes it",
    ".onnx": "is damaged or no ONNX model",
    ".json": "",
    ".ubj": "",
    ".safetensors": "",
    ".pickle": "os.system is not allowed",
    ".h5": "a file .h5 is not read",
    "": "a file without a suffix is not read",
}.items():

    @case(f"a hostile pickle named {_suffix or 'without a suffix'}", _says)
    def _renamed(shop: Workshop, suffix: str = _suffix) -> Path:
        return shop.write(f"model{suffix}", _evil(shop))


# -- archives of torch ------------------------------------------------------------------------------------------------


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip with these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return buffer.getvalue()


@case("torch: a call in what torch.save wrote", "os.system is not allowed")
def _torch_call(shop: Workshop) -> Path:
    import torch

    path = shop.folder / "model.pth"
    torch.save({"state_dict": touch(shop.canary)}, path)
    return path


@case("torch: a call by the newer instruction", "the instruction STACK_GLOBAL")
def _torch_stack_global(shop: Workshop) -> Path:
    content = text_object("os", "system") + pickle.dumps(f"touch '{shop.canary}'", 4)[2:-1] + b"\x85R."
    return shop.write("model.pth", archive({"m/data.pkl": content, "m/version": b"3"}))


@case("torch: a hostile file of the format before archives", "is not an archive as torch.save writes it")
def _torch_legacy(shop: Workshop) -> Path:
    import torch

    path = shop.folder / "model.pt"
    torch.save({"a": touch(shop.canary)}, path, _use_new_zipfile_serialization=False)
    return path


@case("torch: a whole network instead of its weights", "torch.nn.modules.linear.Linear is not allowed")
def _torch_module(shop: Workshop) -> Path:
    import torch

    path = shop.folder / "model.pth"
    torch.save(torch.nn.Linear(3, 1), path)
    return path


@case("torch: program code in the archive", "is TorchScript, which holds program code")
def _torchscript(shop: Workshop) -> Path:
    return shop.write("model.pt", archive({"m/data.pkl": b"N.", "m/code/__torch__.py": b"import os", "m/version": b"3"}))


@case("torch: a zip inside a zip", "which is not allowed in it")
def _nested_zip(shop: Workshop) -> Path:
    inner = archive({"m/data.pkl": pickle.dumps(touch(shop.canary), 2)})
    return shop.write("model.pth", archive({"m/inner.zip": inner, "m/data.pkl": b"N."}))


@case("a zip inside a zip inside gzip, named joblib", "is no pickle")
def _nested_in_gzip(shop: Workshop) -> Path:
    return shop.write("model.joblib", gzip.compress(archive({"inner.zip": archive({"data.pkl": _evil(shop)})})))


@case("torch's archive named joblib", "is a zip archive")
def _torch_as_joblib(shop: Workshop) -> Path:
    return shop.write("model.joblib", shop.read("network.pth"))


for _title, _member in {"above the archive": "m/../../evil.py", "from the root": "/etc/evil", "by a drive": "C:\\evil"}.items():

    @case(f"torch: a member that lies {_title}", "which is not allowed in it")
    def _outside(shop: Workshop, member: str = _member) -> Path:
        return shop.write("model.pth", archive({"m/data.pkl": b"N.", member: b"x"}))


@case("torch: two members of one name", "not one of torch's")
def _twice(shop: Workshop) -> Path:
    content = archive({"m/data.pkl": b"N.", "m/data/0": b"a", "m/data/1": b"b"})
    return shop.write("model.pth", content.replace(b"m/data/1", b"m/data/0"))


@case("torch: a wrong checksum", "the checksum of")
def _bad_crc(shop: Workshop) -> Path:
    import torch

    content = bytearray(shop.read("network.pth"))
    weights = torch.load(shop.sound / "network.pth", weights_only=True)["2.weight"].numpy().tobytes()
    content[content.index(weights) + 5] ^= 0xFF
    return shop.write("model.pth", bytes(content))
