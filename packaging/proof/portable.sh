#!/usr/bin/env bash
# Proof of the .run file and the .tar.zst: checked, installed for a user with an empty home folder, used, upgraded, removed; nothing is
# left. Needs no root.
set -euo pipefail
cd "$(dirname "$0")/../.."
fail() { echo "FAILED: $*" >&2; exit 1; }
run=$(ls "$PWD"/dist/cnnpredict-*-linux-*.run)
archive=$(ls "$PWD"/dist/cnnpredict-*-linux-*.tar.zst)
home=$(mktemp -d /tmp/cnnpredict-home-XXXXXX)
trap 'rm -rf "$home"' EXIT
mkdir "$home/user"
as_user() { env -i HOME="$home/user" PATH=/usr/bin:/bin LANG=C.UTF-8 QT_QPA_PLATFORM=offscreen "$@"; }
layer="--target gpul40s --input-channels 64 --input-height 56 --input-width 56 --output-channels 64 --kernel-size 3"

echo "== the .run file knows whether it is whole"
as_user sh "$run" --check
head -c 2000000 "$run" >"$home/short.run"
as_user sh "$home/short.run" --check 2>/dev/null && fail "a shortened file was accepted"

echo "== install, use"
mkdir -p "$home/user/.local/share/applications"
as_user sh "$run"
as_user "$home/user/.local/bin/cnnpredict" predict $layer | tail -3
as_user "$home/user/.local/bin/cnnpredict-gui" --smoke-test 2>/dev/null | grep -q '"models_failed": 0' || fail "smoke test"
grep -q "^Exec=\"$home/user/.local/bin/cnnpredict-gui\" %f" "$home/user/.local/share/applications/cnnpredict.desktop" || fail "menu entry"
! command -v desktop-file-validate >/dev/null || desktop-file-validate "$home/user/.local/share/applications/cnnpredict.desktop"
[ -f "$home/user/.local/share/icons/hicolor/256x256/apps/cnnpredict.png" ] || fail "icon"

echo "== again over itself, then uninstall"
as_user sh "$run" >/dev/null
as_user "$home/user/.local/bin/cnnpredict" --version
as_user sh "$home/user/.local/lib/cnnpredict/uninstall.sh"
left=$(find "$home/user" -type f -o -type l | grep -v -E '/(\.config|\.cache|share|state)/(cnnpredict|fontconfig)/' || true)
[ -z "$left" ] || fail "left: $left"

echo "== the .tar.zst runs from where it is unpacked"
tar --zstd -xf "$archive" -C "$home"
as_user env CNNPREDICT_HOME="$home/stick" "$home"/cnnpredict-*/cnnpredict predict $layer | tail -1
[ -d "$home/stick" ] || fail "CNNPREDICT_HOME was not used"
echo "installed, used, upgraded and removed"
