#!/usr/bin/env bash
# The C server under load from several threads: no leak, no undefined behaviour, no data race.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh

name="the C server under load is clean under address, leak, undefined-behaviour and thread sanitizers"
if output=$(scripts/sanitize 25 2>&1); then
  printf '%s\n' "$output" | sed 's/^/  /'
  pass "$name"
else
  printf '%s\n' "$output"
  fail "$name"
fi
