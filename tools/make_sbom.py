"""Write the software bill of materials: CycloneDX 1.6 as JSON, of every package that the program stands on.

Names and hashes come from the lock files, versions and licences from what is installed; both must agree. Packages of other
systems are left out.

    python -m tools.make_sbom [--out dist/cnnpredict.cdx.json]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cnnpredict_gui import __version__
from cnnpredict_gui.infra.files import atomic_text
from tools.licences import licence_of

ROOT = Path(__file__).resolve().parents[1]
LOCKS = (ROOT / "requirements.lock", ROOT / "requirements-torch.lock")
PROGRAM = "cnnpredict-gui"


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "cnnpredict.cdx.json")
    out: Path = parser.parse_args().out
    document = bill_of_materials(LOCKS)
    atomic_text(out, json.dumps(document, indent=1) + "\n")
    print(f"{out}: {len(document['components'])} components")


def bill_of_materials(locks: Iterable[Path]) -> dict[str, Any]:
    """The document for the packages of these lock files that this system needs.

    Raises:
        SystemExit: a package is missing or of another version than locked.
    """
    locked = {name: entry for lock in locks for name, entry in _entries(lock).items()}
    packages = {name: _installed(name, requirement) for name, (requirement, _) in locked.items()}
    components = [_python(), *(_component(name, packages[name], locked[name][1]) for name in sorted(packages))]
    us = _reference(PROGRAM, __version__)
    edges = [{"ref": us, "dependsOn": [component["bom-ref"] for component in components]}]
    for name, package in sorted(packages.items()):
        needed = sorted(_reference(one, packages[one].version) for one in _needs(package) if one in packages)
        edges.append({"ref": _reference(name, package.version), "dependsOn": needed})
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "component": {
                "type": "application",
                "bom-ref": us,
                "name": PROGRAM,
                "version": __version__,
                "licenses": [{"license": {"id": "MIT"}}],
                "purl": us,
            },
        },
        "components": components,
        "dependencies": edges,
    }


def _entries(lock: Path) -> dict[str, tuple[Requirement, list[str]]]:
    """Name to requirement and SHA-256 hashes of the lock's entries that hold on this system."""
    found = {}
    for entry in re.split(r"\n(?=[^\s#])", lock.read_text(encoding="utf-8"))[1:]:
        requirement = Requirement(entry.partition("\\")[0].partition("\n")[0])
        if requirement.marker is None or requirement.marker.evaluate():
            found[canonicalize_name(requirement.name)] = (requirement, re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
    return {str(name): value for name, value in found.items()}


def _installed(name: str, requirement: Requirement) -> Distribution:
    try:
        package = distribution(name)
    except PackageNotFoundError:
        raise SystemExit(f"{name} is locked but not installed; run: make run") from None
    if not requirement.specifier.contains(package.version):
        raise SystemExit(f"{name} {package.version} is installed, locked is {requirement.specifier}; run: make lock")
    return package


def _component(name: str, package: Distribution, hashes: list[str]) -> dict[str, Any]:
    reference = _reference(name, package.version)
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": reference,
        "name": name,
        "version": package.version,
        "purl": reference,
        "description": package.metadata.json.get("summary", ""),
    }
    if licence := licence_of(name, package):
        component["licenses"] = [{"expression": licence}]
    if hashes:
        files = [{"alg": "SHA-256", "content": value} for value in hashes]
        comment = "the files published under this version, of which one was installed"
        component["externalReferences"] = [{"type": "distribution", "url": reference, "comment": comment, "hashes": files}]
    return component


def _python() -> dict[str, Any]:
    version = sys.version.split()[0]
    reference = f"pkg:generic/python@{version}"
    licences = [{"expression": "PSF-2.0"}]
    return {
        "type": "platform",
        "bom-ref": reference,
        "name": "python",
        "version": version,
        "purl": reference,
        "licenses": licences,
    }


def _needs(package: Distribution) -> list[str]:
    needed = [Requirement(text) for text in package.requires or []]
    return [str(canonicalize_name(one.name)) for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]


def _reference(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version.replace('+', '%2B')}"


if __name__ == "__main__":
    main()
