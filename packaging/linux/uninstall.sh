#!/bin/sh
# Removes what install.sh put down, and nothing else: settings and models of your own stay (~/.config, ~/.local/share/cnnpredict).
set -eu
program=$(cd "$(dirname "$0")" && pwd)
[ -f "$program/installed-files" ] || { echo "not installed by install.sh: just delete $program" >&2; exit 2; }
prefix=$(cd "$program/../.." && pwd)
empty_up() { # Removes a folder, and those above it up to the prefix, as long as they are empty.
    folder=$1
    while [ "$folder" != "$prefix" ] && rmdir "$folder" 2>/dev/null; do folder=$(dirname "$folder"); done
}
while read -r file; do
    rm -f "$file"
    empty_up "$(dirname "$file")"
done <"$program/installed-files"
sh "$program/refresh.sh" "$prefix"
rm -rf "$program"
empty_up "$prefix/lib"
[ "${1:-}" = --quiet ] || echo "Removed. Your settings and models were left alone."
exit 0
