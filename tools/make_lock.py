"""Write the lock files from what is installed: every package this project needs, directly or not, at its exact version.

Run ``make lock`` after installing new versions into ``.venv`` and testing them there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
APPLICATION = ROOT / "requirements.lock"
DEVELOPMENT = ROOT / "requirements-dev.lock"


def main() -> None:
    """Write both lock files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    application = closure([*project["project"]["dependencies"], *extras["train"], *project["build-system"]["requires"]])
    development = closure([*extras["test"], *extras["packaging"]])
    _write(APPLICATION, "The application with training and measuring.", application)
    rest = {name: version for name, version in development.items() if name not in application}
    _write(DEVELOPMENT, "What tests and packaging need besides.", rest, ["-r requirements.lock"])


def closure(requirements: Iterable[str]) -> dict[str, str]:
    """Name to version of the installed packages that ``requirements`` lead to, themselves included."""
    found: dict[str, str] = {}
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in found:
            continue
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            raise SystemExit(f"{name} is not installed; run: .venv/bin/pip install '{wanted}'") from None
        # A local build such as 1.2.3+cpu satisfies ==1.2.3, but not the other way round.
        found[name] = re.sub(r"\+.*", "", installed.version)
        for text in installed.requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras)
            ):
                waiting.append(requirement)
    return found


def _write(path: Path, title: str, versions: dict[str, str], first: Iterable[str] = ()) -> None:
    lines = [f"# {title} Written by tools/make_lock.py; do not edit.", *first]
    lines += [f"{name}=={version}" for name, version in sorted(versions.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
