#!/usr/bin/env bash
# Counts the instructions of one decision in each scenario with callgrind.
#   decide.sh XTASK [SCENARIO...]
set -euo pipefail

xtask=$1
shift
scenarios=("$@")
[ ${#scenarios[@]} -gt 0 ] || scenarios=(one small-hosts hosts regex templates conditions)
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# Only what happens inside `counted` is looked at; loading and warming up are not.
count() {
  valgrind --tool=callgrind --toggle-collect='*decide::counted*' --callgrind-out-file="$out" \
    "$xtask" decide "$1" "$2" 2>&1 | awk '/Collected/ { print $NF }'
}

printf '%-14s %s\n' scenario "instructions per decision"
for scenario in "${scenarios[@]}"; do
  total=$(count "$scenario" 2000)
  printf '%-14s %d\n' "$scenario" $((total / 2000))
done
