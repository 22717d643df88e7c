"""The portable .tar.zst and the self-extracting .run: the same folder, packed twice.

python packaging/linux_archives.py
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
from pathlib import Path

import linux_tree
import product
import sizes

FOLDER = f"{product.NAME}-{product.version()}"
STAGE = product.BUILD / "portable"
#: Times, owners and order are the same in every build.
TAR = (
    "tar", "--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu",
    f"--mtime=@{product.source_date()}", "--directory", str(STAGE), FOLDER,
)  # fmt: skip


def pack(compressor: list[str], target: Path) -> None:
    """Pack the folder through a compressor into a file.

    Raises:
        SystemExit: tar or the compressor failed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out, subprocess.Popen(TAR, stdout=subprocess.PIPE) as tar:
        done = subprocess.run(compressor, stdin=tar.stdout, stdout=out, check=False)
    if tar.returncode or done.returncode:
        raise SystemExit(f"{target.name} could not be packed")


def run_header(payload: Path, unpacked: int, target: str) -> str:
    """The shell script at the head of the .run file. Its own number of lines is in it, which the values do not change."""
    text = (linux_tree.ASSETS / "run_header.sh").read_text(encoding="utf-8")
    values = {
        "NAME": product.NAME,
        "VERSION": product.version(),
        "FILE": target,
        "FOLDER": FOLDER,
        "MACHINE": platform.machine(),
        "LINES": str(text.count("\n")),
        "SHA256": hashlib.sha256(payload.read_bytes()).hexdigest(),
        "MEGABYTES": str(unpacked // sizes.MB + 10),
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def write_run(target: Path) -> None:
    """The self-extracting file; gzip, because every system has it."""
    payload = product.BUILD / "payload.tar.gz"
    pack(["gzip", "-6", "--no-name"], payload)
    unpacked = sum(path.lstat().st_size for path in STAGE.rglob("*"))
    with target.open("wb") as out, payload.open("rb") as body:
        out.write(run_header(payload, unpacked, target.name).encode())
        shutil.copyfileobj(body, out)
    target.chmod(0o755)
    payload.unlink()


def main() -> None:
    """Write both files into dist/."""
    shutil.rmtree(STAGE, ignore_errors=True)
    linux_tree.write_portable(STAGE / FOLDER)
    archive, run = product.DIST / product.file_name("tar.zst"), product.DIST / product.file_name("run")
    pack(["zstd", "-12", "--long=27", "-T0", "--quiet"], archive)
    write_run(run)
    for path in (archive, run):
        print(f"{path.stat().st_size / sizes.MB:8.1f} MB  {path.name}")


if __name__ == "__main__":
    main()
