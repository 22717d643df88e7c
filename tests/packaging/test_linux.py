"""The Linux packages: control data, menu entry, manual pages, the scripts that install and remove."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import icons
import linux_archives
import linux_deb
import linux_depends
import linux_tree
import manpages
import product
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="packages of Linux are built on Linux")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for the frozen program."""
    folder: Path = tmp_path_factory.mktemp("frozen") / "cnnpredict"
    (folder / "_internal" / "licences").mkdir(parents=True)
    (folder / "_internal" / "licences" / "README.txt").write_text("licences", encoding="utf-8")
    program = folder / product.GUI
    program.write_text('#!/bin/sh\necho "$(basename "$0") runs"\n', encoding="utf-8")
    program.chmod(0o755)
    (folder / product.CLI).hardlink_to(program)
    return folder


@pytest.fixture
def laid_out(tmp_path: Path, frozen: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folders of a build, with icons and a frozen program in them."""
    monkeypatch.setattr(product, "FROZEN", frozen)
    monkeypatch.setattr(product, "BUILD", tmp_path / "build")
    monkeypatch.setattr(product, "DIST", tmp_path / "dist")
    monkeypatch.setattr(linux_archives, "STAGE", tmp_path / "portable")
    tar = (*linux_archives.TAR[:-2], str(tmp_path / "portable"), linux_archives.FOLDER)
    monkeypatch.setattr(linux_archives, "TAR", tar)
    monkeypatch.setattr(linux_deb, "STAGE", tmp_path / "deb")
    icons.write_icons(tmp_path / "build" / "icons")
    return tmp_path


def tool(name: str) -> str:
    """A program of the system; the test is skipped without it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_control_file() -> None:
    fields = dict(
        line.split(": ", 1) for line in linux_deb.control(["libc6 (>= 2.36)", "libgl1"], 700).splitlines() if ": " in line
    )
    assert fields["Package"] == product.NAME and fields["Version"] == product.version()
    assert fields["Depends"] == "libc6 (>= 2.36), libgl1" and fields["Installed-Size"] == "700"
    assert len(fields["Description"]) <= 80 and not fields["Description"].endswith(".")
    text = [line for line in linux_deb.control([], 1).splitlines() if line.startswith(" ")]
    assert " ".join(map(str.strip, text)).startswith(product.SUMMARY) and max(map(len, text)) < 80


def test_menu_entry_is_valid() -> None:
    entry = product.PACKAGING / "linux" / "cnnpredict.desktop"
    done = subprocess.run([tool("desktop-file-validate"), str(entry)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_menu_entry_opens_both_kinds_of_files() -> None:
    entry = (product.PACKAGING / "linux" / "cnnpredict.desktop").read_text(encoding="utf-8")
    assert f"MimeType={product.SESSION_TYPE};{product.ONNX_TYPE};\n" in entry and "Exec=cnnpredict-gui %f\n" in entry
    kinds = ElementTree.parse(product.PACKAGING / "linux" / "cnnpredict-mime.xml").getroot()
    space = {"m": "http://www.freedesktop.org/standards/shared-mime-info"}
    found = {kind.attrib["type"]: kind.find("m:glob", space) for kind in kinds.findall("m:mime-type", space)}
    globs = {name: glob.attrib["pattern"] for name, glob in found.items() if glob is not None}
    assert globs == {product.SESSION_TYPE: "*.cnnpredict", product.ONNX_TYPE: "*.onnx"}


def test_description_for_software_centres_is_valid(laid_out: Path) -> None:
    linux_tree.write_share(laid_out / "share")
    path = laid_out / "share" / "metainfo" / linux_tree.METAINFO
    assert "@" not in path.read_text(encoding="utf-8")
    command = [tool("appstreamcli"), "validate", "--no-net", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_manual_pages_tell_every_command_and_option() -> None:
    pages = manpages.pages()
    assert set(pages) == {"cnnpredict.1", "cnnpredict-gui.1"}
    for command in ("PREDICT", "SWEEP", "NETWORK", "TRAIN", "COLLECT", "DOCTOR"):
        assert f".SH COMMAND {command}\n" in pages["cnnpredict.1"]
    assert "\\-\\-smoke\\-test" in pages["cnnpredict-gui.1"] and "%(" not in pages["cnnpredict.1"]


def test_manual_pages_are_without_warnings(tmp_path: Path) -> None:
    manpages.write(tmp_path)
    for name in ("cnnpredict.1", "cnnpredict-gui.1"):
        command = [tool("man"), "--warnings", "--encoding=UTF-8", "--local-file", str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"MANWIDTH": "100"})
        assert done.stderr == "" and "cnnpredict" in done.stdout


def test_lines_that_roff_would_obey_are_escaped() -> None:
    assert manpages.escaped(".profile\n'quoted\nback\\slash a-b") == "\\&.profile\n\\&'quoted\nback\\eslash a\\-b"


def test_package_is_laid_out(laid_out: Path) -> None:
    linux_deb.stage()
    root = laid_out / "deb" / "usr"
    for name in (product.CLI, product.GUI):
        assert (root / "bin" / name).readlink() == Path(f"../lib/cnnpredict/{name}") and (root / "bin" / name).is_file()
    assert (root / "lib/cnnpredict" / product.CLI).samefile(root / "lib/cnnpredict" / product.GUI)
    for size in linux_tree.ICON_SIZES:
        assert (root / f"share/icons/hicolor/{size}x{size}/apps/cnnpredict.png").is_file()
    assert b".TH CNNPREDICT 1" in gzip.decompress((root / "share/man/man1/cnnpredict.1.gz").read_bytes())
    assert product.version().encode() in gzip.decompress((root / "share/doc/cnnpredict/changelog.gz").read_bytes())
    assert "MIT License" in (root / "share/doc/cnnpredict/copyright").read_text(encoding="utf-8")
    lines = linux_deb.checksums().splitlines()
    assert len(lines) == sum(path.is_file() and not path.is_symlink() for path in root.rglob("*"))


def test_packaging_twice_gives_the_same_bytes(laid_out: Path) -> None:
    packages = []
    for _ in range(2):
        linux_tree.write_portable(laid_out / "portable" / linux_archives.FOLDER)
        linux_archives.pack(["gzip", "-1", "--no-name"], laid_out / "one.tar.gz")
        packages.append((laid_out / "one.tar.gz").read_bytes())
        for path in laid_out.glob("portable/**/*"):
            os.utime(path, (1, 1), follow_symlinks=False)
    assert packages[0] == packages[1]
    with tarfile.open(laid_out / "one.tar.gz") as archive:
        assert {(entry.uid, entry.uname) for entry in archive} <= {(0, ""), (0, "root")}


def run_script(home: Path, *command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    return subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, check=check, timeout=100)


def test_the_run_file_installs_and_removes_itself(laid_out: Path) -> None:
    linux_tree.write_portable(laid_out / "portable" / linux_archives.FOLDER)
    (laid_out / "dist").mkdir()
    (laid_out / "build").mkdir(exist_ok=True)
    run = laid_out / "dist" / "cnnpredict.run"
    linux_archives.write_run(run)
    home = laid_out / "a home"
    home.mkdir()
    run_script(home, "sh", run, "--check")
    for _ in range(2):  # the second time over the first
        run_script(home, "sh", run)
    local = home / ".local"
    assert run_script(home, local / "bin" / "cnnpredict-gui").stdout == "cnnpredict-gui runs\n"
    entry = (local / "share/applications/cnnpredict.desktop").read_text(encoding="utf-8")
    assert f'Exec="{local}/bin/cnnpredict-gui" %f\n' in entry and f"TryExec={local}/bin/cnnpredict-gui\n" in entry
    (local / "share/other").mkdir()
    (local / "share/other/mine.txt").write_text("mine", encoding="utf-8")
    run_script(home, "sh", local / "lib/cnnpredict/uninstall.sh")
    assert [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()] == [".local/share/other/mine.txt"]
    assert not (local / "lib").exists()


def test_a_damaged_run_file_is_refused(laid_out: Path) -> None:
    linux_tree.write_portable(laid_out / "portable" / linux_archives.FOLDER)
    (laid_out / "dist").mkdir()
    run = laid_out / "dist" / "cnnpredict.run"
    linux_archives.write_run(run)
    run.write_bytes(run.read_bytes()[:-100])
    done = run_script(laid_out, "sh", run, "--prefix", laid_out / "target", check=False)
    assert done.returncode == 1 and "damaged or incomplete" in done.stderr and not (laid_out / "target").exists()


def test_the_run_file_can_be_unpacked_only(laid_out: Path) -> None:
    linux_tree.write_portable(laid_out / "portable" / linux_archives.FOLDER)
    (laid_out / "dist").mkdir()
    run = laid_out / "dist" / "cnnpredict.run"
    linux_archives.write_run(run)
    run_script(laid_out, "sh", run, "--extract", laid_out / "stick")
    assert (laid_out / "stick" / linux_archives.FOLDER / product.CLI).is_file()
    assert run_script(laid_out, "sh", run, "--extract", laid_out / "stick", check=False).returncode == 1


def test_packages_that_libraries_come_from() -> None:
    if shutil.which("dpkg-query") is None or shutil.which("readelf") is None:
        pytest.skip("not Debian, or without binutils")
    folder = Path(sys.executable).resolve().parent
    assert "libc.so.6" in linux_depends.needed_from_system(folder)
    assert linux_depends.debian_package("libc.so.6") == "libc6"
    assert float(linux_depends.oldest_glibc([Path(sys.executable).resolve()]).split(".")[1]) >= 2
    with pytest.raises(SystemExit, match=r"libnowhere\.so"):
        linux_depends.debian_package("libnowhere.so")
