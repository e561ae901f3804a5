#!/usr/bin/env bash
# Fuzzes every harness of Tests/Fuzz under the address and undefined-behaviour sanitizers, from the kept corpora: 60 seconds
# each in CI, 5 elsewhere; PARVA_FUZZ_SECONDS says otherwise.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh

default=5
[ "${PARVA_CI:-0}" = 1 ] && default=60
seconds=${PARVA_FUZZ_SECONDS:-$default}
for harness in Tests/Fuzz/*.c; do
  target=$(basename "$harness" .c)
  name="fuzzing $target for $seconds s finds no fault"
  output=$(scripts/fuzz "$seconds" "$target" 2>&1)
  status=$?
  printf '%s\n' "$output" | sed 's/^/  /'
  if [ "$status" -ne 0 ]; then
    fail "$name"
  elif [[ $output == *skipped* ]]; then
    skip "$name" "this toolchain has no libFuzzer"
  else
    pass "$name"
  fi
done
