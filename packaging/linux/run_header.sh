#!/bin/sh
# @NAME@ @VERSION@: a program in one file. Run it to install for this user, no administrator needed:
#     sh @FILE@ [--prefix DIR]       default: ~/.local
#     sh @FILE@ --extract DIR        only unpack, to run from there
#     sh @FILE@ --check              only check that the file is complete
set -eu
lines=@LINES@ sum=@SHA256@ megabytes=@MEGABYTES@
self=$0
payload() { tail -n +$((lines + 1)) "$self"; }
fail() { echo "@NAME@: $1" >&2; exit 1; }
usage() { sed -n '2,5s/^# \{0,1\}//p' "$self"; exit "$1"; }
extract= prefix=${HOME:-/root}/.local check=
while [ $# -gt 0 ]; do
    case $1 in
    --prefix) prefix=${2:?--prefix needs a folder}; shift 2 ;;
    --extract) extract=${2:?--extract needs a folder}; shift 2 ;;
    --check) check=1; shift ;;
    -h | --help) usage 0 ;;
    *) usage 2 >&2 ;;
    esac
done
[ "$(uname -s) $(uname -m)" = "Linux @MACHINE@" ] || fail "this file is for Linux on @MACHINE@"
[ "$(payload | sha256sum | cut -c1-64)" = "$sum" ] || fail "the file is damaged or incomplete: download it again"
[ -z "$check" ] || { echo "The file is complete."; exit 0; }
target=${extract:-$prefix/lib}
mkdir -p "$target"
free=$(df -Pm "$target" | awk 'NR == 2 {print $4}')
[ "$free" -ge "$megabytes" ] || fail "$target has $free MB free, $megabytes MB are needed"
part=$(mktemp -d "$target/.cnnpredict-XXXXXX")
trap 'rm -rf "$part"' EXIT
payload | gzip -dc | tar -x -C "$part" --no-same-owner
if [ -n "$extract" ]; then
    [ ! -e "$extract/@FOLDER@" ] || fail "$extract/@FOLDER@ is there already"
    mv "$part/@FOLDER@" "$extract/"
    echo "Unpacked. Start: $extract/@FOLDER@/cnnpredict-gui"
else
    sh "$part/@FOLDER@/install.sh" --move --prefix "$prefix"
fi
exit 0
