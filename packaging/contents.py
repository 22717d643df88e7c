"""What goes into the frozen program and what is left out, with the reason of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

#: Modules that are found by name at run time only (``bench/child.py``, views, actions): whole packages.
WHOLE_PACKAGES = (
    "cnnpredict_gui", "skl2onnx", "onnxmltools", "optuna.samplers", "optuna.pruners", "safetensors", "sklearn._loss",
    "sklearn.compose", "sklearn.ensemble", "sklearn.linear_model", "sklearn.neural_network", "sklearn.preprocessing",
    "sklearn.tree",
)  # fmt: skip
#: Packages that have no hook and open files by path: package to file patterns. Their shared libraries go in too.
DATA_FILES = {"xgboost": ("VERSION",)}
#: Packages whose versions the program shows or writes into model cards.
METADATA = (
    "numpy", "scipy", "scikit-learn", "xgboost-cpu", "torch", "onnxruntime", "onnx", "optuna", "joblib", "pyarrow", "pydantic",
    "psutil", "platformdirs", "PySide6-Essentials", "pyqtgraph", "skl2onnx", "onnxmltools", "tqdm", "packaging",
)  # fmt: skip


@dataclass(frozen=True)
class Excluded:
    """A module (with all below it) that is not collected."""

    module: str
    why: str


@dataclass(frozen=True)
class LeftOut:
    """Files that are not collected: a pattern over the path inside the program's folder."""

    pattern: str
    why: str

    def matches(self, path: str) -> bool:
        """Whether the file is one of these; ``path`` with forward slashes."""
        return re.match(self.pattern, path) is not None


#: Besides these no package goes in that the application's lock files do not name (origins.py).
EXCLUDED = (
    Excluded("PyQt5", "another Qt; pyqtgraph would prefer it"),
    Excluded("PyQt6", "another Qt; pyqtgraph would prefer it"),
    Excluded("PySide2", "another Qt"),
    Excluded("tkinter", "another toolkit"),
    Excluded("pandas", "optional for pyarrow, scikit-learn and XGBoost, which import it when it is there: slower starts"),
    Excluded("matplotlib", "optional for scikit-learn, SciPy and pyqtgraph; charts are pyqtgraph's"),
    Excluded("IPython", "interactive use"),
    # Optimisers of PyTorch import torch._dynamo, which imports SymPy and the outer parts of torch._inductor: those stay.
    Excluded("torch._inductor.codegen", "compiler of torch.compile; what is timed are the eager kernels"),
    Excluded("torch._inductor.fx_passes", "compiler of torch.compile"),
    Excluded("torch._inductor.kernel", "compiler of torch.compile"),
    Excluded("sympy.physics", "physics; symbolic shapes do not need it"),
    Excluded("networkx", "of torch.compile, and graphs of scikit-learn's examples"),
    Excluded("torch.utils.tensorboard", "logging of trainings elsewhere"),
    Excluded("torch.testing._internal.distributed", "tests of PyTorch itself"),
    Excluded("torch.testing._internal.common_methods_invocations", "tests of PyTorch itself"),
    Excluded("torch.testing._internal.opinfo", "tests of PyTorch itself"),
    Excluded("torch.testing._internal.generated", "tests of PyTorch itself"),
    Excluded("onnxscript", "only exports by torch.onnx need it; networks are written to ONNX by training/export.py"),
    Excluded("onnx_ir", "only exports by torch.onnx need it"),
    Excluded("onnx.backend", "node tests of ONNX"),
    Excluded("onnxruntime.transformers", "optimisers of language models"),
    Excluded("onnxruntime.quantization", "models are served as they are"),
    Excluded("onnxruntime.tools", "command lines of ONNX Runtime"),
    Excluded("sqlalchemy", "storage of Optuna studies in databases; ours stay in memory"),
    Excluded("alembic", "moves such databases between versions"),
    Excluded("pyarrow.flight", "tables over the network"),
    Excluded("pyarrow.tests", "tests"),
    Excluded("pyqtgraph.examples", "examples"),
    Excluded("pyqtgraph.opengl", "3D charts, which are not used"),
    Excluded("readline", "interactive Python; the library is under the GPL"),
    Excluded("curses", "programs in terminals"),
    Excluded("setuptools", "building packages; torch asks for it to compile extensions"),
)

LEFT_OUT = (
    LeftOut(r"torch/include/", "headers, to compile extensions"),
    LeftOut(r"torch/test/", "tests of PyTorch in C++"),
    LeftOut(r"torch/share/", "CMake files"),
    LeftOut(r"torch/bin/(?!torch_shm_manager$)", "test programs and protoc; torch_shm_manager is looked for at import"),
    LeftOut(
        r"torch/(_inductor/(codegen|fx_passes|kernel)|testing/_internal/(distributed|opinfo|generated)|utils/(benchmark|model_dump))/",
        "source of excluded modules",
    ),
    LeftOut(r"torch/lib/.*\.lib$", "import libraries of Windows"),
    LeftOut(r"PySide6/(Qt/)?qml/", "Qt Quick files; the window is widgets"),
    LeftOut(
        r"PySide6/(Qt/lib/)?(lib)?Qt6?(Qml|Quick|VirtualKeyboard|Pdf|Designer|Help|Sql|Test|Concurrent|LabsAnimation|ShaderTools)",
        "Qt libraries of other modules, drawn in by plugins",
    ),
    LeftOut(
        r"PySide6/Qt(Qml|Quick|Pdf|Designer|Help|Sql|Concurrent|Xml|Svg?Widgets|PrintSupport)\w*\.(abi3\.so|pyd|pyi)", "unused"
    ),
    LeftOut(
        r"PySide6/(Qt/)?plugins/(platforminputcontexts/.*virtualkeyboard|qmltooling|sqldrivers|designer|qmllint)", "of those"
    ),
    LeftOut(r"PySide6/(Qt/)?plugins/platforms/.*(eglfs|linuxfb|vkkhr|vnc|minimal)", "screens without a window system"),
    LeftOut(r"PySide6/(Qt/lib/)?(lib)?Qt6?EglF[sS]", "of those"),
    LeftOut(
        r"PySide6/(Qt/)?plugins/wayland-(shell-integration/.*(fullscreen|ivi|wl-shell|qt-shell)|graphics-.*(vulkan|dmabuf|drm|shm-emu))",
        "rare",
    ),
    LeftOut(r"PySide6/(Qt/lib/)?(lib)?Qt6?WlShellIntegration", "of those"),
    LeftOut(
        r"PySide6/(Qt/)?plugins/(egldeviceintegrations|generic|networkinformation|tls|printsupport)/", "of those, and networks"
    ),
    LeftOut(r"PySide6/(Qt/)?plugins/platformthemes/.*gtk3", "pulls in GTK of the build machine; the palette is our own"),
    LeftOut(
        r"PySide6/(Qt/)?plugins/imageformats/.*(pdf|tiff|webp|wbmp|tga|gif)", "image formats that are neither read nor written"
    ),
    LeftOut(r"PySide6/(Qt/)?translations/", "Qt's own texts; the program speaks English"),
    LeftOut(r"PySide6/opengl32sw\.dll", "20 MB of software OpenGL; nothing is drawn through OpenGL"),
    LeftOut(
        r"(libgtk-3|libgdk-3|libgdk_pixbuf|libatk|libatspi|libcairo|libpango|librsvg|libepoxy)", "GTK of the build machine"
    ),
    LeftOut(
        r"pyarrow/(_flight\.|_s3fs\.|libarrow_(python_)?flight|libarrow_s3)", "tables over the network; pyarrow goes on without"
    ),
    LeftOut(r"pyarrow/(include|tests|src|includes)/|pyarrow/.*\.(pxd|pxi|pyx|h|cc)$", "sources and tests"),
    LeftOut(r"(sklearn|scipy|numpy|joblib|pyarrow|onnx|skl2onnx|onnxmltools|xgboost|optuna|sympy)/(.*/)?tests?/", "tests"),
    LeftOut(r"onnx/backend/test/", "node tests of ONNX"),
    LeftOut(r"sklearn/datasets/(data|images|descr)/", "data of examples"),
    LeftOut(r"scipy/datasets/", "data of examples"),
    LeftOut(r".*\.(pyi|pyx|pxd|a|cmake)$", "for compilers and type checkers"),
    LeftOut(r"setuptools-[^/]*\.dist-info/", "version of a package that is not there"),
    LeftOut(r"[^/]+\.dist-info/(?!METADATA|entry_points)", "lists and licences of packages; licences/ has the texts"),
    LeftOut(r"resources/screenshots/", "pictures for the documentation"),
)

#: Big libraries that lose their symbol tables (Linux). Never all of them: strip breaks NumPy's OpenBLAS.
STRIPPED = ("libtorch_cpu.so", "libtorch_python.so", "libpython3")

#: Parts of the program whose sizes are shown and held under a budget: name to a pattern over the path, first match counts.
PARTS: tuple[tuple[str, str], ...] = (
    ("models", r"models/"),
    ("resources", r"resources/"),
    ("licences", r"licences/"),
    ("torch", r"torch|functorch|libtorch|libc10|libshm"),
    ("qt", r"PySide6/|shiboken6/|libQt6|libicu"),
    ("pyarrow", r"pyarrow|libarrow|libparquet"),
    ("onnx", r"onnx|skl2onnx|onnxmltools|onnxscript|ml_dtypes|google"),
    ("scipy", r"scipy|scikit_learn|sklearn"),
    ("xgboost", r"xgboost"),
    ("numpy", r"numpy"),
    ("python", r"libpython|python3|python\d|base_library\.zip|lib-dynload/|PYZ|[^/]+\.pyz$"),
)


def part_of(path: str) -> str:
    """Name of the part that a file of the program's folder belongs to."""
    inside = path.removeprefix("_internal/").removeprefix("Contents/Frameworks/").removeprefix("Contents/Resources/")
    return next((name for name, pattern in PARTS if re.match(pattern, inside)), "others")


Entry = tuple[str, str, str]


def share_openmp(entries: Iterable[Entry]) -> list[Entry]:
    """On macOS three packages bring libomp.dylib, and two of them in one process abort it: all names lead to one file."""
    entries = list(entries)
    first = next((path for path, _, kind in entries if path.endswith("libomp.dylib") and kind == "BINARY"), None)
    if first is None:
        return entries
    return [_linked(entry, first) if entry[0].endswith("libomp.dylib") and entry[0] != first else entry for entry in entries]


def _linked(entry: Entry, target: str) -> Entry:
    up = "../" * entry[0].count("/")
    return (entry[0], f"{up}{target}", "SYMLINK")


def slim(entries: Iterable[Entry], tell: Callable[[str], None]) -> list[Entry]:
    """The entries (path inside, source, kind) that stay; says what each rule of :data:`LEFT_OUT` saves, in MB."""
    kept: list[Entry] = []
    saved = dict.fromkeys(LEFT_OUT, 0)
    for entry in entries:
        # A link goes with the file it leads to.
        path = entry[1 if entry[2] == "SYMLINK" else 0].replace("\\", "/")
        rule = next((rule for rule in LEFT_OUT if rule.matches(path)), None)
        if rule is None:
            kept.append(entry)
        else:
            source = Path(entry[1])
            saved[rule] += source.stat().st_size if source.is_file() else 0
    for rule, size in sorted(saved.items(), key=lambda item: -item[1]):
        if size:
            tell(f"{size / 1e6:8.1f} MB left out: {rule.pattern}  ({rule.why})")
    return kept
