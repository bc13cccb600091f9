#!/usr/bin/env bash
# Installs the Debian packages that a step needs, only those that are missing.
#   packages.sh build|test|bench|bench-decide
# Root: installs without a word more than it takes. Anybody else is asked before sudo is used.
set -euo pipefail

# command or file that proves it is there, then the package that brings it
build_needs="gcc:gcc make:make cmake:cmake /usr/include/stdlib.h:libc6-dev"
test_needs="$build_needs curl:curl node:nodejs openssl:openssl socat:socat h2load:nghttp2-client \
  wrk:wrk hatop:hatop halog:haproxy python3:python3 python-venv:python3-venv \
  logrotate:logrotate systemd-analyze:systemd"
bench_needs="$build_needs python3:python3 wrk:wrk h2load:nghttp2-client openssl:openssl taskset:util-linux \
  nginx:nginx-light haproxy:haproxy /usr/include/openssl/ssl.h:libssl-dev"

is_there() {
  case $1 in
    python-venv) python3 -c 'import venv, ensurepip' 2>/dev/null ;;
    /*) [ -e "$1" ] || compgen -G "${1/include/include/*}" >/dev/null ;;
    *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null ;;
  esac
}

missing() {
  local pair
  for pair in $1; do
    is_there "${pair%%:*}" || echo "${pair#*:}"
  done | sort -u | tr '\n' ' '
}

install() {
  local become=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "install these packages and try again: $*" >&2; exit 1; }
    [ -t 0 ] || { echo "not asking for sudo without a terminal; run: sudo apt-get install $*" >&2; exit 1; }
    read -r -p "These Debian packages are needed: $* - install them with sudo? [y/N] " answer
    [ "$answer" = y ] || [ "$answer" = Y ] || { echo "not installed; nothing was changed" >&2; exit 1; }
    become=(sudo)
  fi
  echo "installing: $*"
  local log; log=$(mktemp)
  if ! { "${become[@]}" apt-get update -qq &&
         "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1; then
    cat "$log" >&2; rm -f "$log"; exit 1
  fi
  rm -f "$log"
}

case ${1:-} in
  build) needs=$build_needs ;;
  test) needs=$test_needs ;;
  bench) needs=$bench_needs ;;
  bench-decide) needs="$build_needs valgrind:valgrind" ;;
  *) echo "usage: $0 build|test|bench|bench-decide" >&2; exit 2 ;;
esac
command -v cargo >/dev/null || { echo "a Rust toolchain is needed (cargo was not found)" >&2; exit 1; }
read -r -a wanted <<<"$(missing "$needs")"
if [ ${#wanted[@]} -eq 0 ]; then exit 0; fi
command -v apt-get >/dev/null || { echo "this system has no apt-get; needed here, by their Debian names: ${wanted[*]}" >&2; exit 1; }
install "${wanted[@]}"
