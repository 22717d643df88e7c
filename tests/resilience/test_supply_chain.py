"""Lock files with hashes, bill of materials and licences."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cnnpredict_gui import __version__
from tools import make_lock
from tools.licences import LICENCES, is_copyleft, licence_of
from tools.make_lock import APPLICATION, BY_PROCESSOR, DEVELOPERS, DEVELOPMENT, ROOT, TORCH, locked_versions
from tools.make_sbom import LOCKS, bill_of_materials

_HASHED = re.compile(r"(?P<name>[a-z0-9-]+)==[^\s;]+( ; [^\\\n]+)?( \\\n {4}--hash=sha256:[0-9a-f]{64})+")


def _entries(lock: Path) -> list[str]:
    return re.split(r"\n(?=[^\s#])", lock.read_text(encoding="utf-8").strip())[1:]


@pytest.mark.parametrize("lock", [APPLICATION, DEVELOPMENT], ids=lambda path: path.name)
def test_every_locked_package_has_hashes(lock: Path) -> None:
    entries = _entries(lock)
    assert len(entries) > 20
    assert [entry.splitlines()[0] for entry in entries if not _HASHED.fullmatch(entry)] == []


def test_only_pytorch_is_locked_without_a_hash() -> None:
    names = set(locked_versions(_entries(TORCH)))
    assert names and names <= set(BY_PROCESSOR) and "--hash" not in TORCH.read_text(encoding="utf-8")


def test_everything_the_project_names_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    application = locked_versions([*_entries(APPLICATION), *_entries(TORCH)])
    both = application | locked_versions(_entries(DEVELOPMENT))
    for text in project["dependencies"] + [one for name in extras if name not in DEVELOPERS for one in extras[name]]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(application[canonicalize_name(wanted.name)]), f"run make lock: {text}"
    for text in [one for name in DEVELOPERS for one in extras.get(name, [])]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(both[canonicalize_name(wanted.name)]), f"run make lock: {text}"


def test_no_file_of_the_build_names_an_index() -> None:
    for path in (APPLICATION, DEVELOPMENT, TORCH, ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / "tools" / "make_lock.py"):
        assert not re.search(r"https?://|index-url[ =]|find-links", path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize("step", ["compile", "install"])
def test_a_resolution_that_fails_changes_no_lock(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether versions contradict each other or a system lacks a file of one."""
    before = [path.read_bytes() for path in (APPLICATION, TORCH, DEVELOPMENT)]
    real = subprocess.run

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if "uv" not in command:
            return real(command, **options)
        if step in command:
            return subprocess.CompletedProcess(command, 1, "", "error: no version of nothing")
        return subprocess.CompletedProcess(command, 0, "numpy==2.0.0 \\\n    --hash=sha256:00\n", "")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(SystemExit, match=r"stay as they are.*\n.*no version of nothing"):
        make_lock.main()
    assert before == [path.read_bytes() for path in (APPLICATION, TORCH, DEVELOPMENT)]


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    return bill_of_materials(LOCKS)


def test_bill_of_materials_has_the_form_of_cyclonedx(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", bill["metadata"]["timestamp"])
    us = bill["metadata"]["component"]
    assert (us["type"], us["name"], us["version"]) == ("application", "cnnpredict-gui", __version__)
    references = [component["bom-ref"] for component in bill["components"]]
    assert len(references) == len(set(references)) > 40
    for component in bill["components"]:
        assert component["type"] in ("library", "platform") and component["name"] and component["version"]
        assert component["purl"].startswith("pkg:")
        for outside in component.get("externalReferences", []):
            assert outside["url"] and all(re.fullmatch("[0-9a-f]{64}", one["content"]) for one in outside["hashes"])
    without = {one["name"] for one in bill["components"] if "externalReferences" not in one}
    assert without <= {"python", *BY_PROCESSOR}


def test_bill_of_materials_tells_what_needs_what(bill: dict[str, Any]) -> None:
    known = {bill["metadata"]["component"]["bom-ref"], *(component["bom-ref"] for component in bill["components"])}
    edges = {edge["ref"]: edge["dependsOn"] for edge in bill["dependencies"]}
    assert set(edges) <= known and all(set(needed) <= known for needed in edges.values())
    (onnxruntime,) = [reference for reference in edges if "/onnxruntime@" in reference]
    assert any("/numpy@" in reference for reference in edges[onnxruntime])


def test_bill_of_materials_refuses_what_is_not_installed_as_locked(tmp_path: Path) -> None:
    lock = tmp_path / "other.lock"
    lock.write_text("# Title.\nnumpy==0.0.1 \\\n    --hash=sha256:" + "0" * 64 + "\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"numpy .* is installed, locked is ==0\.0\.1; run: make lock"):
        bill_of_materials([lock])
    lock.write_text("# Title.\nthere-is-no-such-package==1\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="is locked but not installed"):
        bill_of_materials([lock])


def test_the_licence_of_every_package_is_known(bill: dict[str, Any]) -> None:
    unknown = [component["name"] for component in bill["components"] if "licenses" not in component]
    assert unknown == [], "read their licence files and add them to tools/licences.py"


def test_no_package_of_the_program_is_under_the_gpl(bill: dict[str, Any]) -> None:
    licences = {
        component["name"]: component["licenses"][0]["expression"] for component in bill["components"] if "licenses" in component
    }
    assert {name: licence for name, licence in licences.items() if is_copyleft(licence)} == {}


def test_the_table_of_licences_holds_only_what_packages_do_not_state(bill: dict[str, Any]) -> None:
    names = {component["name"] for component in bill["components"]}
    assert set(LICENCES) <= names
    assert [name for name in LICENCES if "License-Expression" in distribution(name).metadata] == []
    assert licence_of("numpy", distribution("numpy")).startswith("BSD-3-Clause")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", False),
        ("GPL-3.0-only", True),
        ("AGPL-3.0-or-later", True),
        ("LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only", False),
        ("MIT AND GPL-2.0-only", True),
        ("BSD-3-Clause AND GPL-3.0-or-later WITH GCC-exception-3.1", False),
        ("(GPL-2.0-only OR GPL-3.0-only) AND MIT", True),
    ],
)
def test_what_counts_as_copyleft(expression: str, expected: bool) -> None:
    assert is_copyleft(expression) is expected
