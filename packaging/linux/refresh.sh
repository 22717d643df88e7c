#!/bin/sh
# Tells the desktop about new or removed entries below PREFIX/share, where its tools are there; leaves no empty index behind.
set -u
share=$1/share
known() { command -v "$1" >/dev/null 2>&1; }
if [ -d "$share/mime/packages" ] && known update-mime-database; then update-mime-database "$share/mime" >/dev/null 2>&1; fi
if [ -d "$share/mime" ] && [ -z "$(ls "$share/mime/packages" 2>/dev/null)" ]; then rm -rf "$share/mime"; fi
if [ -d "$share/applications" ]; then
    if known update-desktop-database; then update-desktop-database "$share/applications" >/dev/null 2>&1; fi
    [ "$(ls "$share/applications")" != mimeinfo.cache ] || rm -rf "$share/applications"
fi
rmdir "$share" 2>/dev/null || true
exit 0
