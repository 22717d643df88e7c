"""Settings of dmgbuild: the application beside a link to the folder of applications.

dmgbuild -s packaging/macos/dmg_settings.py -D app=dist/CNNPredict.app cnnpredict dist/cnnpredict.dmg
"""

from pathlib import Path

# dmgbuild runs this file with "defines" (its -D options) in the namespace.
application = Path(defines["app"])  # type: ignore[name-defined]  # noqa: F821
format = "ULFO"  # noqa: A001  (the name that dmgbuild reads; LZFSE, from macOS 10.11 on)
files = [str(application)]
symlinks = {"Applications": "/Applications"}
icon = defines["icon"]  # type: ignore[name-defined]  # noqa: F821
icon_locations = {application.name: (140, 130), "Applications": (400, 130)}
window_rect = ((200, 200), (540, 300))
default_view = "icon-view"
icon_size = 96
show_toolbar = False
show_sidebar = False
