#!/bin/sh
# Installs the program in this folder for one user: sh install.sh [--prefix DIR] [--move]
# (default: ~/.local; no administrator is needed; --move takes the folder instead of copying it)
# What it puts down is listed in lib/cnnpredict/installed-files, which uninstall.sh reads.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=${HOME:?}/.local
take="cp -a"
while [ $# -gt 0 ]; do
    case $1 in
    --prefix) prefix=${2:?--prefix needs a folder}; shift 2 ;;
    --move) take=mv; shift ;;
    *) echo "usage: install.sh [--prefix DIR] [--move]" >&2; exit 2 ;;
    esac
done
mkdir -p "$prefix/lib" "$prefix/bin" && prefix=$(cd "$prefix" && pwd)
program=$prefix/lib/cnnpredict
[ "$here" != "$program" ] || { echo "this is the installed program already" >&2; exit 2; }
rm -rf "$program.part"
$take "$here" "$program.part"
if [ -e "$program/installed-files" ]; then sh "$program/uninstall.sh" --quiet; fi
mkdir -p "$prefix/lib" "$prefix/bin"
mv "$program.part" "$program"

list=$program/installed-files
for name in cnnpredict cnnpredict-gui; do
    ln -sfn "../lib/cnnpredict/$name" "$prefix/bin/$name"
    echo "$prefix/bin/$name" >>"$list"
done
(cd "$program/share" && find . -type f) | sed 's|^\./||' | while read -r file; do
    mkdir -p "$prefix/share/$(dirname "$file")"
    cp "$program/share/$file" "$prefix/share/$file"
    echo "$prefix/share/$file" >>"$list"
done
# A desktop session may not have ~/.local/bin on its path.
entry=$prefix/share/applications/cnnpredict.desktop
command=$prefix/bin/cnnpredict-gui
sed -e "s|^TryExec=.*|TryExec=$command|" -e "s|^Exec=cnnpredict-gui|Exec=\"$command\"|" \
    "$program/share/applications/cnnpredict.desktop" >"$entry"
sh "$program/refresh.sh" "$prefix"
echo "Installed. Start it from the menu of applications, or: $prefix/bin/cnnpredict-gui"
echo "To remove it: sh $program/uninstall.sh"
case :$PATH: in *:"$prefix/bin":*) ;; *) echo "Note: $prefix/bin is not on your PATH." ;; esac
