#!/bin/sh
# Installs what packaging needs on Debian or Ubuntu (as root): "build" for make package, "test" for make package-test besides.
set -eu
build="binutils zstd gzip nsis desktop-file-utils libwayland-client0 libwayland-cursor0 libwayland-egl1"
test="debootstrap debian-archive-keyring xvfb xdotool appstream man-db wine wine64 shared-mime-info"
case ${1:-} in
build) packages=$build ;;
test) packages="$build $test" ;;
*) echo "usage: system_packages.sh build|test" >&2; exit 2 ;;
esac
command -v apt-get >/dev/null || { echo "Not Debian: install yourself what takes the place of: $packages" >&2; exit 0; }
missing=""
for package in $packages; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "missing: sudo apt-get install$missing" >&2; exit 1; }
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends $missing >/dev/null
