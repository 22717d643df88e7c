"""Licences of the packages the program stands on, as SPDX expressions."""

from __future__ import annotations

from importlib.metadata import Distribution

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

#: Packages whose metadata give no SPDX expression, read in the licence files they bring. A version that states one is believed.
LICENCES = {
    "colorama": "BSD-3-Clause",
    "colorlog": "MIT",
    "flatbuffers": "Apache-2.0",
    "jinja2": "BSD-3-Clause",
    "lz4": "BSD-3-Clause",
    "mpmath": "BSD-3-Clause",
    "nvidia-ml-py": "BSD-3-Clause",
    "onnxruntime": "MIT",
    "onnxscript": "MIT",
    "optuna": "MIT",
    "protobuf": "BSD-3-Clause",
    "safetensors": "Apache-2.0",
    # The wheel holds the Fortran run-time library of GCC, whose exception allows that in programs of any licence.
    "scipy": "BSD-3-Clause AND GPL-3.0-or-later WITH GCC-exception-3.1",
    "skl2onnx": "Apache-2.0",
    "sympy": "BSD-3-Clause",
}
#: Exceptions that lift what the GPL asks of programs that only use the library.
_LIFTING = (" WITH GCC-exception-3.1", " WITH Bootloader-exception")


def licence_of(name: str, package: Distribution) -> str:
    """SPDX expression of an installed package's licence; empty if nobody knows.

    Args:
        name: The package's canonical name.
        package: Its metadata.
    """
    stated = package.metadata.json
    for text in (stated.get("license_expression"), stated.get("license"), LICENCES.get(name)):
        try:
            return str(canonicalize_license_expression(str(text or "")))
        except InvalidLicenseExpression:
            continue
    return ""


def is_copyleft(expression: str) -> bool:
    """Whether an SPDX expression leaves no choice but the GPL or AGPL (the LGPL is none: the library can be exchanged)."""
    parts = expression.replace("(", "").replace(")", "").split(" AND ")
    return any(all(_strict(choice) for choice in part.split(" OR ")) for part in parts)


def _strict(licence: str) -> bool:
    return licence.strip().startswith(("GPL", "AGPL")) and not licence.endswith(_LIFTING)
