#!/usr/bin/env bash
# A virtual environment with the real Python parts of the end-to-end tests (an app server, gRPC, HTTP
# and WebSocket clients and servers, an admin-socket client).   python.sh FOLDER
set -euo pipefail
folder=${1:?folder}
here=$(cd "$(dirname "$0")" && pwd)
mark="$folder/venv/.requirements"
cmp -s "$here/requirements.txt" "$mark" && exit 0
echo "making a Python environment for the tests: $folder/venv"
rm -rf "$folder/venv"
mkdir -p "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
cp "$here/requirements.txt" "$mark"
