#!/bin/sh
# Installs the Debian libraries that a window and its tests need; does nothing where they are there, or elsewhere.
# With --venv the package that `python3 -m venv` needs is included.
set -u
packages="libegl1 libgl1 libxkbcommon0 libfontconfig1 fonts-dejavu-core libdbus-1-3 libglib2.0-0 libx11-6
libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxkbcommon-x11-0 libx11-xcb1 xvfb xauth xdotool"
[ "${1:-}" = "--venv" ] && packages="$packages python3-venv"
[ -e /etc/debian_version ] && command -v apt-get >/dev/null || exit 0
missing=""
for package in $packages; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ]; then
    echo "These system packages are missing; if a window does not open: sudo apt-get install$missing" >&2
    exit 0
fi
echo "Installing system packages:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null || {
    echo "Could not install them all; going on, tests of the window may fail." >&2
    exit 0
}
