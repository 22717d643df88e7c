"""Nothing is sent anywhere: the program works without a network, and does not even try to use one."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.resilience.conftest import LAYER, ROOT, environment

pytestmark = pytest.mark.timeout(300)
SILENCE = Path(__file__).parent / "silence"
#: Variables of the system that programs are started with.
KEPT = ("PATH", "QT_QPA_PLATFORM", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
#: Modules that reach other computers.
NETWORK = {
    *("aiohttp", "asyncio", "ftplib", "http", "httpx", "imaplib", "poplib", "requests", "smtplib", "socket", "socketserver"),
    *("ssl", "telnetlib", "urllib", "urllib3", "websockets", "xmlrpc"),
}
#: Where one of them, or Qt's, is used all the same, and for what.
ALLOWED = {
    ("gui/single_instance.py", "PySide6.QtNetwork"): "a local socket: a second start hands its file to the first",
    (
        "training/workers.py",
        "asyncio",
    ): "asks the Dask scheduler whose address the user gave; nothing is connected to without --dask",
}


def _alone() -> list[str]:
    """Command that runs another in a network of its own without any interface; empty where that is not possible."""
    command = ["unshare", "--net"]
    try:
        return command if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0 else []
    except FileNotFoundError:
        return []


def _run(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    attempts = tmp_path / "attempts"
    user = tmp_path / "user"
    user.mkdir(exist_ok=True)
    # Variables of build machines, and of this process, would keep ONNX Runtime from telling its makers what it does.
    unset: dict[str, str | None] = {name: None for name in os.environ if name not in KEPT}
    places = {"NETWORK_ATTEMPTS": str(attempts), "HOME": str(user), "USERPROFILE": str(user)}
    env = environment(tmp_path / "home", **(unset | places))
    env["PYTHONPATH"] = os.pathsep.join([str(SILENCE), str(ROOT)])
    words = [*_alone(), sys.executable, *command]
    done = subprocess.run(words, env=env, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    assert not attempts.exists(), attempts.read_text(encoding="utf-8")
    assert list(user.rglob("*onnxruntime*")) == [], "ONNX Runtime keeps telemetry to send"
    return done


def test_the_guard_refuses_and_reports(tmp_path: Path) -> None:
    """Also in child processes, or the other tests of this file would prove nothing."""
    code = (
        "import socket, subprocess, sys\n"
        "try: socket.create_connection(('127.0.0.1', 9), 1)\n"
        "except PermissionError: pass\n"
        "else: raise SystemExit('not refused')\n"
        "if len(sys.argv) < 2: subprocess.run([sys.executable, '-c', sys.orig_argv[2], 'child'], check=True)\n"
    )
    with pytest.raises(AssertionError, match="getaddrinfo"):
        _run(tmp_path, "-c", code)
    assert (tmp_path / "attempts").read_text().count("socket.getaddrinfo ('127.0.0.1'") == 2


@pytest.mark.skipif(os.name == "nt", reason="sockets of the file system")
def test_the_window_uses_no_network(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = json.loads(_run(tmp_path, "-m", "tests.resilience.quiet_tour", str(out)).stdout)
    assert {"compare", "sweep", "network", "batch", "machine", "models", "log"} <= set(done["views"])
    assert done["rows"] > 1 and len(done["exports"]) >= 9
    assert done["internet"] == []  # no socket of the internet, Qt's and those of native code included


@pytest.mark.parametrize("command", ["predict", "batch", "models", "sweep", "network", "doctor", "import"])
def test_the_command_line_uses_no_network(command: str, tmp_path: Path) -> None:
    layers = tmp_path / "layers.csv"
    layers.write_text("input_channels,input_height,input_width,output_channels,kernel_size\n3,8,8,4,3\n")
    native = ROOT / "models" / "prediction-training-cpu" / "polynomial-regression" / "best_lasso_model.joblib"
    options = {
        "predict": ["--target", "cpu", *LAYER],
        "batch": [str(layers), "--target", "cpu", "--output", str(tmp_path / "out.csv")],
        "models": [],
        "sweep": ["--target", "cpu", *LAYER, "--vary", "output_channels=8,16"],
        "network": ["resnet18", "--target", "cpu"],
        "doctor": [],
        "import": [str(native), "--target", "cpu", "--family", "lasso", "--out", str(tmp_path / "models")],
    }
    assert _run(tmp_path, "-m", "cnnpredict_gui.cli", command, *options[command]).stdout


def test_no_module_imports_what_reaches_other_computers() -> None:
    found = set()
    for path in sorted((ROOT / "cnnpredict_gui").rglob("*.py")):
        name = path.relative_to(ROOT / "cnnpredict_gui").as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
                if node.module == "PySide6":
                    modules = [f"PySide6.{alias.name}" for alias in node.names]
            for module in modules:
                if module.partition(".")[0] in NETWORK or module.startswith(("PySide6.QtNetwork", "PySide6.QtWebEngine")):
                    found.add((name, module))
    assert found == set(ALLOWED)


def test_onnx_runtime_is_imported_with_its_telemetry_off_only() -> None:
    users = [
        path.relative_to(ROOT / "cnnpredict_gui").as_posix()
        for path in (ROOT / "cnnpredict_gui").rglob("*.py")
        if re.search(r"^\s*(import|from) onnxruntime", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert users == ["infra/onnx_runtime.py"]


def test_web_addresses_are_opened_by_the_users_browser_only() -> None:
    """Every address the program knows is a link a user may click; what it fetches itself is nothing."""
    users = [
        path.relative_to(ROOT / "cnnpredict_gui").as_posix()
        for path in (ROOT / "cnnpredict_gui").rglob("*.py")
        if "http://" in path.read_text(encoding="utf-8") or "https://" in path.read_text(encoding="utf-8")
    ]
    assert all(user.startswith(("gui/", "core/names")) for user in users), users
