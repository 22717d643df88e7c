#!/usr/bin/env bash
# The AppImage, made of the portable folder by appimagetool (which fetches its run-time part, hence in the release workflow only).
#   APPIMAGETOOL    the program appimagetool
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python}
read -r stage name < <("$python" -c "
import sys; sys.path.insert(0, '$top/packaging')
import linux_archives, product
print(linux_archives.STAGE / linux_archives.FOLDER, product.file_name('AppImage'))")
[ -x "$stage/cnnpredict-gui" ] || { echo "run packaging/linux_archives.py first" >&2; exit 1; }
tree=$top/build/packaging/AppDir
rm -rf "$tree" && mkdir -p "$tree/usr/lib"
cp -a "$stage" "$tree/usr/lib/cnnpredict"
mv "$tree/usr/lib/cnnpredict/share" "$tree/usr/share"
rm "$tree/usr/lib/cnnpredict"/{install,uninstall,refresh}.sh
cp "$tree/usr/share/applications/cnnpredict.desktop" "$tree/"
cp "$tree/usr/share/icons/hicolor/256x256/apps/cnnpredict.png" "$tree/cnnpredict.png"
ln -s cnnpredict.png "$tree/.DirIcon"
# The window; with a first word that is a command of the command line, the command line.
cat >"$tree/AppRun" <<'RUN'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/usr/lib/cnnpredict
case ${1:-} in
'' | /* | ./* | -* | *.cnnpredict | *.onnx | *.csv | *.parquet) exec "$here/cnnpredict-gui" "$@" ;;
*) exec "$here/cnnpredict" "$@" ;;
esac
RUN
chmod 755 "$tree/AppRun"
ARCH=$(uname -m) "${APPIMAGETOOL:-appimagetool}" --no-appstream "$tree" "$top/dist/$name"
