"""Version resource of the Windows programs: what the Explorer shows under Properties, Details."""

from __future__ import annotations

import re
from pathlib import Path

import product

_TEMPLATE = """VSVersionInfo(
  ffi=FixedFileInfo(filevers={numbers}, prodvers={numbers}, mask=0x3F, flags=0x0, OS=0x40004, fileType=0x1, subtype=0x0),
  kids=[
    StringFileInfo([StringTable('040904B0', [
      StringStruct('CompanyName', {publisher!r}),
      StringStruct('FileDescription', {name!r}),
      StringStruct('FileVersion', {version!r}),
      StringStruct('InternalName', {name!r}),
      StringStruct('LegalCopyright', 'MIT licence'),
      StringStruct('ProductName', {name!r}),
      StringStruct('ProductVersion', {version!r})])]),
    VarFileInfo([VarStruct('Translation', [0x0409, 0x04B0])])
  ]
)
"""


def four_numbers(version: str) -> tuple[int, int, int, int]:
    """The version as Windows wants it: ``1.2.3`` is (1, 2, 3, 0); what follows the numbers is dropped."""
    first, second, third = (int(number) for number in re.findall(r"\d+", version)[:3])
    return first, second, third, 0


def version_info() -> str:
    """Text of the version resource, in the form that PyInstaller reads."""
    version = product.version()
    return _TEMPLATE.format(numbers=four_numbers(version), publisher=product.PUBLISHER, name=product.NAME, version=version)


def write(path: Path) -> None:
    """Write the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(version_info(), encoding="utf-8")
