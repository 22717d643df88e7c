#!/usr/bin/env bash
# Proof that the .deb works on a Debian without Python: installs it into a system made by debootstrap, predicts, opens the window on a
# virtual screen, exports a chart, removes it and looks for what is left. Needs root. Pictures and figures go into dist/proof.
#     packaging/proof/debian.sh [RELEASE]      RELEASE: bookworm (default), trixie, ...
# DISPLAY_NUMBER: number of the virtual screen (default 99). PYTHON: interpreter of the build, to take pictures of the screen.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
release=${1:-bookworm}
python=${PYTHON:-$top/.venv/bin/python}
screen=:${DISPLAY_NUMBER:-99}
proof=$top/dist/proof
base=$top/build/packaging/debian-$release
root=$(mktemp -d /tmp/cnnpredict-debian-XXXXXX)
deb=$(ls "$top"/dist/cnnpredict_*_"$(dpkg --print-architecture)".deb)
mkdir -p "$proof"
say() { printf '\n== %s\n' "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "debootstrap and chroot need root"
cleanup() {
    [ -z "${server:-}" ] || kill "$server" 2>/dev/null || true
    for mounted in "$root/tmp/.X11-unix" "$root/proc" "$root/dev/shm"; do umount "$mounted" 2>/dev/null || true; done
    rm -rf --one-file-system "$root"
}
trap cleanup EXIT

say "a $release without Python"
if [ ! -e "$base/etc/debian_version" ]; then
    rm -rf "$base.part" && mkdir -p "$(dirname "$base")"
    debootstrap --variant=minbase "$release" "$base.part" >"$proof/debootstrap.log" 2>&1 || fail "debootstrap, see $proof/debootstrap.log"
    mv "$base.part" "$base"
fi
cp -a "$base/." "$root"
[ ! -e /etc/apt/apt.conf ] || cp /etc/apt/apt.conf "$root/etc/apt/"
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/shm" && mount -t tmpfs tmpfs "$root/dev/shm"
mkdir -p "$root/tmp/.X11-unix" /tmp/.X11-unix && mount --bind /tmp/.X11-unix "$root/tmp/.X11-unix"
inside() { chroot "$root" /usr/bin/env -i HOME=/home/user PATH=/usr/bin:/bin:/usr/sbin:/sbin LANG=C.UTF-8 DISPLAY="$screen" "$@"; }
as_user() { chroot --userspec=1000:1000 "$root" /usr/bin/env -i HOME=/home/user PATH=/usr/bin:/bin LANG=C.UTF-8 DISPLAY="$screen" "$@"; }
inside sh -c 'command -v python3 python' && fail "there is a Python"
inside sh -c 'echo user:x:1000:1000::/home/user:/bin/sh >>/etc/passwd; echo user:x:1000: >>/etc/group; mkdir -p /home/user; chown 1000:1000 /home/user'
listing() { (cd "$root" && find etc usr var/lib/dpkg/info var/lib/systemd opt home \( -type f -o -type l -o -type d \) | LC_ALL=C sort); }

say "install"
cp "$deb" "$root/tmp/cnnpredict.deb"
inside apt-get update -qq
# What it depends on goes in first, so that the listings before and after differ by the program alone.
depends=$(dpkg-deb -f "$deb" Depends | sed 's/([^)]*)//g; s/,/ /g')
inside env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $depends fonts-dejavu-core \
    shared-mime-info desktop-file-utils hicolor-icon-theme man-db >"$proof/apt.log" 2>&1 || fail "dependencies, see $proof/apt.log"
inside sh -c 'command -v python3 python' && fail "the dependencies bring a Python"
listing >"$proof/before.txt"
inside env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends /tmp/cnnpredict.deb >>"$proof/apt.log" 2>&1 ||
    fail "the package cannot be installed, see $proof/apt.log"
inside dpkg --verify cnnpredict || fail "installed files differ from the package"
inside sh -c 'grep -q "application/x-cnnpredict:.*cnnpredict" /usr/share/mime/globs2 || grep -q "cnnpredict" /usr/share/mime/globs2' || fail "no kind of file"
inside grep -q 'application/x-onnx=cnnpredict.desktop' /usr/share/applications/mimeinfo.cache || fail "no 'open with' for .onnx"

say "start, cold and warm (the page cache is emptied before the cold one)"
clock() { local begin; begin=$(date +%s%N); "$@" >/dev/null; echo $((($(date +%s%N) - begin) / 1000000)); }
sync && echo 3 >/proc/sys/vm/drop_caches 2>/dev/null || echo "the page cache cannot be emptied here"
layer="--batch-size 1 --input-channels 64 --input-height 56 --input-width 56 --output-channels 64 --kernel-size 3"
cold=$(clock as_user cnnpredict predict --model xgb_prediction-training-cpu $layer)
warm=$(clock as_user cnnpredict predict --model xgb_prediction-training-cpu $layer)
sync && echo 3 >/proc/sys/vm/drop_caches 2>/dev/null || true
as_user env QT_QPA_PLATFORM=offscreen cnnpredict-gui --smoke-test >"$proof/window-cold.json" 2>"$proof/window.log" || fail "smoke test, see $proof/window.log"
as_user env QT_QPA_PLATFORM=offscreen cnnpredict-gui --smoke-test >"$proof/window-warm.json" 2>"$proof/window.log"
visible() { sed 's/.*"window_visible_ms": \([0-9.]*\).*/\1/' "$1"; }
echo "prediction on the command line: cold $cold ms, warm $warm ms"
echo "window visible: cold $(visible "$proof/window-cold.json") ms, warm $(visible "$proof/window-warm.json") ms"
printf '{"predict_cold_ms": %s, "predict_warm_ms": %s, "window_cold_ms": %s, "window_warm_ms": %s}\n' "$cold" "$warm" \
    "$(visible "$proof/window-cold.json")" "$(visible "$proof/window-warm.json")" >"$proof/start.json"

say "predictions"
as_user cnnpredict predict --target gpul40s $layer
as_user cnnpredict doctor | tail -3

say "a real window on a virtual screen, a chart exported by mouse and keyboard"
Xvfb "$screen" -screen 0 1400x900x24 -nolisten tcp -ac >/dev/null 2>&1 &
server=$!
for _ in $(seq 50); do [ -e "/tmp/.X11-unix/X${screen#:}" ] && break; sleep 0.1; done
as_user cnnpredict-gui >"$proof/window.log" 2>&1 &
DISPLAY=$screen "$python" "$here/drive_window.py" --pictures "$proof" --export /home/user/chart.svg || fail "the window, see $proof/window.log"
wait %2 2>/dev/null || wait $! || true
grep -q "<svg" "$root/home/user/chart.svg" || fail "no chart was exported"
cp "$root/home/user/chart.svg" "$proof/chart.svg"
echo "exported: $(stat -c %s "$proof/chart.svg") bytes of SVG"

say "uninstall"
inside env DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq cnnpredict >>"$proof/apt.log" 2>&1 || fail "cannot be removed, see $proof/apt.log"
rm -rf "$root/home/user"/* "$root/home/user"/.[a-z]*
listing >"$proof/after.txt"
left=$(comm -13 "$proof/before.txt" "$proof/after.txt")
[ -z "$left" ] || fail "removing leaves: $left"
echo "nothing is left of it; pictures and figures: $proof"
