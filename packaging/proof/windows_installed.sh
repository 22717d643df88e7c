#!/usr/bin/env bash
# On a real Windows (Git's bash): installs silently, tests the installed program, removes it, looks for what is left.
set -euo pipefail
cd "$(dirname "$0")/../.."
export MSYS_NO_PATHCONV=1 # /S is an option here, no path.
program="$LOCALAPPDATA/Programs/cnnpredict"
dist/cnnpredict-*-windows-x86_64-setup.exe /S
python packaging/smoke.py --program "$program" --quick
cp "$program/uninstall.exe" "$TEMP/cnnpredict-uninstall.exe"
"$TEMP/cnnpredict-uninstall.exe" /S "_?=$(cygpath -w "$program")"
rm -f "$program/uninstall.exe"
left=$(find "$program" -type f 2>/dev/null || true)
[ -z "$left" ] || { echo "left: $left" >&2; exit 1; }
