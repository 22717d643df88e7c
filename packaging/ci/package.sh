#!/usr/bin/env bash
# Builds everything to download for the system it runs on, into dist/, and proves that the frozen program works.
# PYTHON: the interpreter (default: python).
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python}
"$python" packaging/freeze.py
case "$(uname -s)" in
Linux)
    "$python" packaging/smoke.py --json dist/smoke.json
    "$python" packaging/linux_deb.py
    "$python" packaging/linux_archives.py
    [ -z "${APPIMAGETOOL:-}" ] || PYTHON=$python packaging/linux/appimage.sh
    ;;
Darwin)
    "$python" packaging/smoke.py --program dist/CNNPredict.app/Contents/MacOS --json dist/smoke.json
    PYTHON=$python packaging/macos/build.sh
    ;;
*)
    "$python" packaging/smoke.py --json dist/smoke.json
    "$python" packaging/windows_installer.py
    ;;
esac
"$python" packaging/sizes.py --downloads
"$python" -m tools.make_sbom --out "dist/$("$python" packaging/product.py --file-name cdx.json)"
