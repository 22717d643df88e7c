"""What goes into the frozen program, what stays out, and how its sizes are held."""

from __future__ import annotations

import re
import sys
from collections import Counter
from importlib.metadata import distribution
from pathlib import Path

import contents
import origins
import product
import pytest
import sizes
import third_party

SPEC = (product.PACKAGING / "cnnpredict.spec").read_text(encoding="utf-8")


def test_the_specification_is_python() -> None:
    compile(SPEC, "cnnpredict.spec", "exec")


def test_one_folder_without_upx_and_without_stripping_everything() -> None:
    assert "exclude_binaries=True" in SPEC and "COLLECT(" in SPEC
    assert "upx=True" not in SPEC and "strip=True" not in SPEC


def test_models_resources_and_licences_go_in() -> None:
    for folder in ("models", "resources", "LICENSE"):
        assert f'ROOT / "{folder}"' in SPEC
    assert "write_licences" in SPEC
    for entry in (
        "models/prediction-training-cpu/nn/output/best_model.onnx",
        "resources/help/10-getting-started.md",
        "LICENSE",
    ):
        assert not any(rule.matches(entry) for rule in contents.LEFT_OUT)


def test_child_processes_are_recognised_before_anything_else_is_imported() -> None:
    lines = [line for line in (product.PACKAGING / "frozen_main.py").read_text(encoding="utf-8").splitlines() if line]
    code = lines[next(number for number, line in enumerate(lines) if line.startswith("from multiprocessing")) :]
    assert code[:2] == ["from multiprocessing import freeze_support", "freeze_support()"]


def test_qt_is_not_imported_at_the_start_of_every_process() -> None:
    assert 'script[0] != "pyi_rth_pyside6"' in SPEC


def imported_by_the_program() -> set[str]:
    """Modules that statements of the application name, and the packages above them."""
    imported = set()
    for path in (product.ROOT / "cnnpredict_gui").rglob("*.py"):
        imported |= set(re.findall(r"^\s*(?:from|import) ([\w.]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    return {module[: dot.start()] for module in imported for dot in re.finditer(r"\.|$", module)}


def test_nothing_that_the_program_imports_is_excluded() -> None:
    assert {entry.module for entry in contents.EXCLUDED} & imported_by_the_program() == set()


def test_tools_of_development_stay_out_and_so_does_dask() -> None:
    unlocked = origins.unlocked_modules()
    tools = {
        "mypy",
        "pytest",
        "_pytest",
        "hypothesis",
        "ruff",
        "uv",
        "pip",
        "PyInstaller",
        "importlinter",
        "dask",
        "distributed",
    }
    assert tools <= unlocked.keys()
    assert imported_by_the_program() & unlocked.keys() == {"distributed"}, "the lock file lacks a package of the application"
    assert "*origins.unlocked_modules()" in SPEC


def test_a_program_with_a_package_that_is_not_locked_fails_the_build(tmp_path: Path) -> None:
    inside = tmp_path / "_internal"
    for name in (
        "numpy/core.so",
        "onnx-1.0.dist-info/METADATA",
        "PySide6_Essentials-6.10.dist-info/METADATA",
        "cnnpredict_gui/x",
    ):
        (inside / name).parent.mkdir(parents=True)
        (inside / name).write_bytes(b"")
    modules = ["json.decoder", "cnnpredict_gui.cli", "_pyi_rth_utils"]
    origins.demand_locked_packages(tmp_path, modules)
    assert not origins.is_unlocked_metadata("PySide6_Essentials-6.10.dist-info/METADATA")
    assert origins.is_unlocked_metadata("pytest-9.0.dist-info/METADATA")
    (inside / "distributed" / "http").mkdir(parents=True)
    (inside / "distributed" / "http" / "page.html").write_bytes(b"")
    (inside / "pytest-9.0.dist-info").mkdir()
    (inside / "pytest-9.0.dist-info" / "METADATA").write_bytes(b"")
    with pytest.raises(SystemExit, match=r"distributed \(of distributed\), mypy \(of mypy\), pytest-9\.0\.dist-info"):
        origins.demand_locked_packages(tmp_path, [*modules, "mypy.build"])


@pytest.mark.parametrize(
    ("path", "stays"),
    [
        ("torch/lib/libtorch_cpu.so", True),
        ("torch/bin/torch_shm_manager", True),
        ("torch/bin/protoc", False),
        ("torch/include/ATen/ATen.h", False),
        ("torch/_inductor/config.py", True),
        ("torch/_inductor/codegen/cpp.py", False),
        ("PySide6/QtWidgets.abi3.so", True),
        ("PySide6/Qt/lib/libQt6Svg.so.6", True),
        ("PySide6/Qt/lib/libQt6Quick.so.6", False),
        ("PySide6/Qt6Qml.dll", False),
        ("PySide6/Qt/plugins/platforms/libqxcb.so", True),
        ("PySide6/Qt/plugins/platforms/libqwayland.so", True),
        ("PySide6/Qt/plugins/platforms/libqoffscreen.so", True),
        ("PySide6/plugins/platforms/qwindows.dll", True),
        ("PySide6/plugins/styles/qmodernwindowsstyle.dll", True),
        ("PySide6/Qt/plugins/platforms/libqcocoa.dylib", True),
        ("PySide6/Qt/plugins/platformthemes/libqgtk3.so", False),
        ("PySide6/Qt/plugins/imageformats/libqsvg.so", True),
        ("pyarrow/libarrow.so.2600", True),
        ("pyarrow/libparquet.so.2600", True),
        ("pyarrow/libarrow_flight.so.2600", False),
        ("sklearn/tests/data.csv", False),
        ("xgboost/lib/libxgboost.so", True),
        ("xgboost/VERSION", True),
        ("resources/screenshots/compare-light-100.png", False),
    ],
)
def test_what_stays(path: str, stays: bool) -> None:
    assert any(rule.matches(path) for rule in contents.LEFT_OUT) is not stays


def test_a_link_goes_with_the_file_it_leads_to(tmp_path: Path) -> None:
    source = tmp_path / "library"
    source.write_bytes(b"x" * 3_000_000)
    entries = [
        ("pyarrow/libarrow_flight.so.2600", str(source), "BINARY"),
        ("libarrow_flight.so.2600", "pyarrow/libarrow_flight.so.2600", "SYMLINK"),
        ("pyarrow/libarrow.so.2600", str(source), "BINARY"),
    ]
    told: list[str] = []
    assert contents.slim(entries, told.append) == entries[2:]
    assert len(told) == 1 and "3.0 MB" in told[0] and "network" in told[0]


def test_one_openmp_on_macos() -> None:
    entries = [
        ("torch/lib/libomp.dylib", "/a/libomp.dylib", "BINARY"),
        ("sklearn/.dylibs/libomp.dylib", "/b/libomp.dylib", "BINARY"),
        ("libother.dylib", "/c/libother.dylib", "BINARY"),
    ]
    shared = contents.share_openmp(entries)
    assert shared[0] == entries[0] and shared[2] == entries[2]
    assert shared[1] == ("sklearn/.dylibs/libomp.dylib", "../../torch/lib/libomp.dylib", "SYMLINK")
    assert contents.share_openmp(entries[2:]) == entries[2:]


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("_internal/torch/lib/libtorch_cpu.so", "torch"),
        ("_internal/PySide6/Qt/lib/libQt6Core.so.6", "qt"),
        ("_internal/models/a.onnx", "models"),
        ("_internal/onnxruntime/capi/x.so", "onnx"),
        ("_internal/licences/README.txt", "licences"),
        ("_internal/libssl.so.3", "others"),
        ("sklearn.ensemble._forest", "scipy"),
        ("Contents/Frameworks/torch/lib/libtorch_cpu.dylib", "torch"),
    ],
)
def test_parts(path: str, part: str) -> None:
    assert contents.part_of(path) == part


def test_the_budget_knows_every_part_and_fails_what_is_over_it() -> None:
    budget = sizes.read_budget()
    parts = {name for name, _ in contents.PARTS} | {"others", "total"}
    assert set(budget["linux"]) == parts
    assert budget["linux"]["total"] <= sum(size for name, size in budget["linux"].items() if name != "total")
    assert set(budget["downloads"]) >= {".deb", ".run", ".tar.zst"}
    fits = {name: size * sizes.MB for name, size in budget["linux"].items()}
    assert sizes.over_budget(fits, budget["linux"]) == []
    assert len(sizes.over_budget({**fits, "torch": fits["torch"] + 1}, budget["linux"])) == 1
    assert sizes.over_budget({"new": 1}, budget["linux"]) == ["new has 0.0 MB and no budget"]


def test_a_program_over_its_budget_fails_the_build() -> None:
    with pytest.raises(SystemExit, match="torch has 2"):
        sizes.show({"torch": 2_000_000}, {"torch": 1})


def test_a_file_with_two_names_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "inside_archive", lambda path: Counter(torch=400))
    (tmp_path / product.GUI).write_bytes(b"x" * 1000)
    (tmp_path / product.CLI).hardlink_to(tmp_path / product.GUI)
    (tmp_path / "_internal" / "models").mkdir(parents=True)
    (tmp_path / "_internal" / "models" / "a.onnx").write_bytes(b"x" * 50)
    assert sizes.measure(tmp_path) == {"torch": 400, "python": 600, "models": 50}
    with pytest.raises(SystemExit, match="no program"):
        sizes.measure(tmp_path / "_internal")


def test_every_locked_package_has_a_licence_text(tmp_path: Path) -> None:
    third_party.write_licences(tmp_path / "licences")
    listed = (tmp_path / "licences" / "README.txt").read_text(encoding="utf-8")
    for name in ("numpy", "torch", "pyside6-essentials", "xgboost-cpu" if sys.platform != "darwin" else "xgboost"):
        folder = tmp_path / "licences" / f"{name}-{distribution(name).version}"
        assert name in listed and any(text.stat().st_size > 500 for text in folder.iterdir())
    python = next((tmp_path / "licences").glob("python-3*"))
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in next(python.iterdir()).read_text(encoding="utf-8").upper()
