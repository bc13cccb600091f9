#!/usr/bin/env bash
# promtool alone, unpacked from Debian's prometheus package: installing that package would start a
# server.   promtool.sh FOLDER
set -euo pipefail
folder=${1:?folder}
[ -x "$folder/promtool" ] && exit 0
if found=$(command -v promtool); then mkdir -p "$folder"; ln -sf "$found" "$folder/promtool"; exit 0; fi
echo "fetching promtool: $folder/promtool"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
fetch() { apt-get download -qq prometheus >/dev/null 2>&1; }
# A machine that had every package already may never have fetched the list of them.
fetch || { [ "$(id -u)" -eq 0 ] && apt-get update -qq >/dev/null 2>&1 && fetch; } ||
  { echo "promtool is not to be had: 'apt-get download prometheus' failed (try 'sudo apt-get update')" >&2; exit 1; }
dpkg-deb -x prometheus_*.deb unpacked
mkdir -p "$folder"
install -m 755 unpacked/usr/bin/promtool "$folder/promtool"
