#!/usr/bin/env bash
# Proof of the Windows installer's script under wine: compiled with a stand-in for the program, refused on an old Windows and while the
# program runs, installed silently for one user, upgraded over itself, its entries looked at, removed; nothing may be left, and files of
# others must stay. The program itself needs a real Windows
# (NumPy, Qt and PyTorch do not run under wine 8): the release workflow tests it there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
python=${PYTHON:-$top/.venv/bin/python}
fail() { echo "FAILED: $*" >&2; exit 1; }
wine=$(command -v wine64 || command -v wine || ls /usr/lib/wine/wine64 2>/dev/null) ||
    { echo "SKIPPED: there is no wine here (apt-get install wine64)"; exit 0; }
command -v makensis >/dev/null || { echo "SKIPPED: there is no makensis here (apt-get install nsis)"; exit 0; }

work=$(mktemp -d /tmp/cnnpredict-windows-XXXXXX)
export WINEPREFIX=$work/prefix WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml=" HOME=$work
unset DISPLAY
stop() { wineserver -k 2>/dev/null || /usr/lib/wine/wineserver64 -k 2>/dev/null || true; rm -rf "$work"; }
trap stop EXIT
run() { timeout 300 "$wine" "$@"; }
run wineboot --init >/dev/null 2>&1 || { echo "SKIPPED: wine does not start here"; exit 0; }

# A stand-in: real Windows programs (wine's own) under our names, a deep folder, a name with a dollar and one that is not ASCII.
payload=$work/payload
mkdir -p "$payload/_internal/models/prediction-training-cpu/nn/output" "$payload/_internal/ä folder"
stand_in() { find /usr/lib /opt -path "*x86_64-windows/$1.exe" 2>/dev/null | head -1; }
[ -n "$(stand_in hostname)" ] && [ -n "$(stand_in cmd)" ] || { echo "SKIPPED: wine brings no program to stand in"; exit 0; }
cp "$(stand_in hostname)" "$payload/cnnpredict.exe"
cp "$(stand_in cmd)" "$payload/cnnpredict-gui.exe" # It runs until its input ends.
echo one >"$payload/_internal/models/prediction-training-cpu/nn/output/best_model.onnx"
echo two >"$payload/_internal/ä folder/dollar\$name.txt"
setup=$work/cnnpredict-setup.exe
"$python" "$top/packaging/windows_installer.py" --payload "$payload" --out "$setup"

user=$(ls "$WINEPREFIX/drive_c/users" | grep -v Public | head -1)
home=$WINEPREFIX/drive_c/users/$user
program=$home/AppData/Local/Programs/cnnpredict
menu="$home/AppData/Roaming/Microsoft/Windows/Start Menu/Programs/cnnpredict"
query() { run reg query "$1" ${2:+/v "$2"} 2>/dev/null | tr -d '\r'; }
files() { (cd "$WINEPREFIX/drive_c" && find . -type f | grep -v -i -E '/temp/|\.tmp$' | LC_ALL=C sort); }
files >"$work/before.txt"

refused() { # The installer must end with 2, saying no.
    local code=0
    run "$setup" /S || code=$?
    [ "$code" = 2 ] || fail "the installer ended with $code $1"
}

echo "== refused on Windows 7"
run winecfg /v win7
refused "on Windows 7"
[ ! -e "$program" ] || fail "a refused installation left files"
run winecfg /v win10

echo "== install"
run "$setup" /S || fail "silent installation ended with $?"
(cd "$payload" && find . -type f) | while read -r file; do
    cmp -s "$payload/$file" "$program/$file" || { echo "missing or other: $file" >&2; exit 1; }
done || fail "the installed files are not those of the payload"
[ "$(run "$program/cnnpredict.exe" | tr -d '\r\n')" != "" ] || fail "the installed program does not run"
ls "$menu"
[ "$(ls "$menu" | wc -l)" = 3 ] || fail "the start menu has not three entries"
key='HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\cnnpredict'
version=$("$python" -c "import sys; sys.path.insert(0, '$top/packaging'); import product; print(product.version())")
query "$key" DisplayVersion | grep -q "$version" || fail "Windows is not told the version"
query 'HKCU\Software\Classes\cnnpredict.session\shell\open\command' | grep -q 'cnnpredict-gui.exe" "%1"' || fail "sessions do not open"
query 'HKCU\Software\Classes\.onnx\OpenWithProgids' | grep -q cnnpredict.onnx || fail "no 'open with' for .onnx"
query 'HKCU\Software\Classes\.onnx' | grep -q '(Default).*cnnpredict' && fail ".onnx was taken from its program"

echo "== refused while the program runs"
coproc running { run "$program/cnnpredict-gui.exe" 2>/dev/null; }
pid=$running_PID
read -r -t 60 _ <&"${running[0]}" || fail "the stand-in for the window does not start"
refused "while the program ran"
[ -f "$program/uninstall.exe" ] || fail "a refused upgrade removed files"
eval "exec ${running[1]}>&-"
wait "$pid" || true

echo "== upgrade: an older version's file goes, a file of the user's stays"
echo mine >"$program/_internal/mine.txt"
run "$setup" /S || fail "upgrading ended with $?"
[ -f "$program/cnnpredict-gui.exe" ] && [ -f "$program/_internal/mine.txt" ] || fail "upgrading lost a file"
rm "$program/_internal/mine.txt"

echo "== uninstall"
run "$program/uninstall.exe" /S || fail "uninstalling ended with $?"
for _ in $(seq 60); do [ -e "$program/uninstall.exe" ] || break; sleep 0.5; done # It goes on in a copy of itself.
sleep 1
[ ! -e "$program" ] || fail "left in its folder: $(find "$program")"
[ ! -e "$menu" ] || fail "the start menu entries are left"
files >"$work/after.txt"
left=$(comm -13 "$work/before.txt" "$work/after.txt" | grep -v -E '\.(reg|lock)$' || true)
[ -z "$left" ] || fail "files are left: $left"
for gone in "$key" 'HKCU\Software\Classes\cnnpredict.session' 'HKCU\Software\Classes\cnnpredict.onnx' 'HKCU\Software\Classes\.cnnpredict' \
    'HKCU\Software\Classes\.onnx'; do
    query "$gone" >/dev/null && [ -n "$(query "$gone")" ] && fail "left in the registry: $gone"
done
echo "installed, upgraded and removed under $("$wine" --version)"
