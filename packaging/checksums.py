"""Write SHA256SUMS of the files to download, as ``sha256sum --check`` reads it.

python packaging/checksums.py [FOLDER]
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import product

NAME = "SHA256SUMS"
SUFFIXES = (".deb", ".run", ".tar.zst", ".AppImage", ".exe", ".dmg", ".whl", ".cdx.json")


def checksums(folder: Path) -> str:
    """A line for each file to download in ``folder``, sorted by name."""
    lines = []
    for path in sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES) and path.is_file()):
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    return "".join(lines)


def main() -> None:
    """Write the file."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else product.DIST
    text = checksums(folder)
    if not text:
        raise SystemExit(f"{folder} has nothing to download")
    (folder / NAME).write_text(text, encoding="utf-8", newline="\n")
    print(text, end="")


if __name__ == "__main__":
    main()
