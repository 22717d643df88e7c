"""The real program where something usual is missing: a home, letters beyond ASCII, fonts, a GPU, a display, space, rights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.resilience.conftest import ASCII, LAYER, environment, fill, make_read_only, run_program

pytestmark = [pytest.mark.skipif(os.name == "nt", reason="environments of POSIX"), pytest.mark.timeout(180)]
PREDICT = ("-m", "cnnpredict_gui.cli", "predict", "--target", "cpu", *LAYER)
COLUMNS = "input_channels,input_height,input_width,output_channels,kernel_size"
SMOKE = ("-m", "cnnpredict_gui", "--smoke-test")
NO_HOME: dict[str, str | None] = dict.fromkeys(
    ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")
)


def _smoke(env: dict[str, str]) -> tuple[dict[str, object], str]:
    """Facts that the smoke test prints, and what it says on stderr."""
    done = run_program(*SMOKE, env=env)
    assert done.returncode == 0, done.stderr
    facts: dict[str, object] = json.loads(done.stdout)
    assert facts["models_failed"] == 0 and facts["prediction"]
    return facts, done.stderr


def test_no_home_variable(tmp_path: Path) -> None:
    """The system still knows where the user is at home; only the log is put elsewhere, not to write there."""
    _smoke(environment(None, **NO_HOME | {"XDG_STATE_HOME": str(tmp_path)}))
    assert list(tmp_path.rglob("cnnpredict.log"))


def test_a_user_without_name_and_home(tmp_path: Path) -> None:
    """As in many containers: a number nobody knows, no HOME. Nothing may appear where the program was started."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become a user that does not exist")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for folder in ("tmp", "here"):
            (place / folder).mkdir()
            os.chown(place / folder, 54321, 54321)
        place.chmod(0o755)
        code = (
            "import os, pwd, tempfile\nfrom cnnpredict_gui.infra import paths\n"
            "from cnnpredict_gui.infra.settings import Settings, read_settings, write_settings\n"
            "from cnnpredict_gui.gui.single_instance import server_name\n"
            "os.setgroups([]); os.setgid(54321); os.setuid(54321)\n"
            "assert server_name() and paths.user_name() == '54321'\n"
            "write_settings(Settings(theme='dark')); assert read_settings()[0].theme == 'dark'\n"
            "assert paths.data_dir().is_absolute() and paths.model_folders(['~/x'])\n"
            "print(paths.config_dir()); print(paths.config_dir().parent.stat().st_mode & 0o777)\n"
        )
        env = environment(None, **NO_HOME, TMPDIR=str(place / "tmp"))
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=place / "here", env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        folder, mode = done.stdout.split()
        assert Path(folder).is_relative_to(place / "tmp" / "cnnpredict-54321") and int(mode) == 0o700
        assert list((place / "here").iterdir()) == []


def test_somebody_elses_folder_is_not_taken_for_a_home(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    name = f"cnnpredict-{os.environ.get('LOGNAME') or os.environ.get('USER') or 'root'}"
    code = "from cnnpredict_gui.infra import paths; print(paths._homeless())"
    env = environment(None, TMPDIR=str(tmp_path), LOGNAME="root")
    (tmp_path / "cnnpredict-root").symlink_to(tmp_path / "elsewhere")
    done = run_program("-c", code, env=env)
    found = Path(done.stdout.strip())
    assert done.returncode == 0 and found.parent == tmp_path and found.name not in ("cnnpredict-root", name)


def test_a_home_where_nothing_can_be_written() -> None:
    _smoke(environment(Path("/dev/null/nowhere")))


def test_a_locale_of_ascii_only(tmp_path: Path) -> None:
    """Log, CSV and session in folders with umlauts."""
    folder = tmp_path / "größe"
    folder.mkdir()
    env = environment(folder / "heim", **ASCII)
    _smoke(env)
    out = folder / "schichten-ü.csv"
    (folder / "layers.csv").write_text(f"name,{COLUMNS}\nÄ,3,8,8,4,3\n", encoding="utf-8")
    batch = ["-m", "cnnpredict_gui.cli", "batch", str(folder / "layers.csv"), "--target", "cpu", "--output", str(out)]
    done = run_program(*batch, env=env)
    assert done.returncode == 0, done.stderr
    assert "Ä" in out.read_text(encoding="utf-8")
    log = (folder / "heim" / "log" / "cnnpredict.log").read_text(encoding="utf-8")
    assert "starts" in log and "UnicodeEncodeError" not in done.stderr + log
    done = run_program("-m", "cnnpredict_gui.cli", "network", "resnet18", "--target", "cpu", env=env)
    assert done.returncode == 0 and "UnicodeEncodeError" not in done.stderr


def test_names_that_an_ascii_locale_cannot_write_are_told(tmp_path: Path) -> None:
    """A name from a dialog holds real letters there, not the bytes of the file system."""
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from cnnpredict_gui.core.errors import DataFileError, OutputError\n"
        "from cnnpredict_gui.gui.session import read_session\n"
        "from cnnpredict_gui.infra.files import atomic_text\n"
        "from cnnpredict_gui.infra.logs import set_up_logging\nimport logging\n"
        "set_up_logging(); logging.getLogger('cnnpredict_gui.x').warning('gr\\u00f6\\u00dfer \\udcfc')\n"
        "assert sys.getfilesystemencoding() != 'utf-8'\n"
        "for work, kind in ((lambda p: atomic_text(p, 'x'), OutputError), (read_session, DataFileError)):\n"
        "    try: work(Path(sys.argv[1]) / 'gr\\u00f6\\u00dfer.cnnpredict')\n"
        "    except kind as error: print(ascii(error.message), error.hint)\n"
        "    else: raise SystemExit('no error')\n"
    )
    env = environment(tmp_path / "home", **ASCII)
    done = run_program("-c", code, str(tmp_path), env=env)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.count("no such letters") == 2
    assert "größer \\udcfc" in (tmp_path / "home" / "log" / "cnnpredict.log").read_text(encoding="utf-8")


def test_no_fonts(tmp_path: Path) -> None:
    (tmp_path / "fonts.conf").write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig></fontconfig>'
    )
    _, said = _smoke(environment(tmp_path / "home", FONTCONFIG_FILE=str(tmp_path / "fonts.conf")))
    assert "no font is installed" in said and "fonts-dejavu-core" in said
    assert "no font is installed" in (tmp_path / "home" / "log" / "cnnpredict.log").read_text(encoding="utf-8")


def test_no_gpu_and_no_drivers(tmp_path: Path) -> None:
    hidden: dict[str, str | None] = dict.fromkeys(("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"), "")
    hidden |= {
        "LIBGL_DRIVERS_PATH": "/nonexistent",
        "__EGL_VENDOR_LIBRARY_DIRS": "/nonexistent",
        "VK_ICD_FILENAMES": "/nonexistent",
    }
    env = environment(tmp_path / "home", **hidden)
    _smoke(env)
    done = run_program("-m", "cnnpredict_gui.cli", "doctor", env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_display(tmp_path: Path) -> None:
    env = environment(tmp_path / "home", QT_QPA_PLATFORM=None, DISPLAY=None, WAYLAND_DISPLAY=None)
    done = run_program("-m", "cnnpredict_gui", env=env)
    assert done.returncode == 1 and "there is no display" in done.stderr and done.stderr.count("\n") == 1
    _smoke(env)  # needs none


def test_a_full_disk_under_the_home(small_disk: Path) -> None:
    fill(small_disk)
    done = run_program(*PREDICT, env=environment(small_disk / "home"))
    assert done.returncode == 0 and "ms" in done.stdout and done.stderr.count("the log cannot be written") <= 1
    assert "Traceback" not in done.stderr
    _, said = _smoke(environment(small_disk / "home"))
    assert "Traceback" not in said


def test_a_log_that_fills_the_disk_says_so_once(small_disk: Path) -> None:
    (small_disk / "home" / "log").mkdir(parents=True)
    (small_disk / "home" / "log" / "cnnpredict.log").write_text("")
    fill(small_disk)
    code = (
        "from cnnpredict_gui.infra.logs import set_up_logging\nimport logging\nset_up_logging()\n"
        "for number in range(200): logging.getLogger('cnnpredict_gui.x').warning('event %d %s', number, 'x' * 9000)\n"
    )
    done = run_program("-c", code, env=environment(small_disk / "home"))
    assert done.returncode == 0 and done.stderr.count("\n") == 1 and "the log cannot be written" in done.stderr


def test_a_read_only_home(small_disk: Path) -> None:
    make_read_only(small_disk)
    _smoke(environment(small_disk))
    done = run_program(*PREDICT, env=environment(small_disk))
    assert done.returncode == 0 and "Traceback" not in done.stderr
    rows = small_disk.parent / "layers.csv"
    rows.write_text(f"{COLUMNS}\n3,8,8,4,3\n")
    batch = ["-m", "cnnpredict_gui.cli", "batch", str(rows), "--target", "cpu", "--output", str(small_disk / "out.csv")]
    done = run_program(*batch, env=environment(small_disk))
    assert done.returncode == 2 and "Read-only file system" in done.stderr and done.stderr.count("error:") == 1
