#!/usr/bin/env bash
# CNVML and the stand-in driver under the address, leak and undefined-behaviour sanitizers: every call against every
# version of the profile structs, with random changes, faults and processes.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh

name="CNVML and the stand-in driver are clean under ASan, LSan and UBSan"
clang="$(dirname "$(readlink -f "$(command -v swift)")")/clang"
[ -x "$clang" ] || clang=cc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Not `function`: the two sides of dlsym name the same handles by types of their own.
flags=(-std=c17 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Wconversion -Wshadow -Werror -fsanitize=address,undefined
  -fno-sanitize-recover=all -ISources/CNVML/include -ISources/CSpawn/include)
echo 'int main(void) { return 0; }' >"$work/probe.c"
"$clang" --version | grep clang >/dev/null && flags+=(-fno-sanitize=function)
if ! "$clang" "${flags[@]}" "$work/probe.c" -o "$work/probe" 2>"$work/probe.log" || ! "$work/probe"; then
  skip "$name" "this toolchain has no sanitizers"
  exit 0
fi
built() {
  "$clang" "${flags[@]}" -fPIC -shared Sources/StandInNVML/*.c -o "$work/libnvidia-ml.so.1" -ldl &&
    "$clang" "${flags[@]}" Tests/Integration/nvml_walk.c Sources/CNVML/*.c Sources/CSpawn/*.c -o "$work/walk" -ldl
}
if ! built >"$work/build.log" 2>&1; then
  cat "$work/build.log"
  fail "$name (the build)"
  exit 1
fi

# The machine is described by the binary under test, so that the two agree on the form.
"$PARVA" node state --simulate A100-80GBx2 --name walk --state-dir "$work/node" >/dev/null 2>&1
bad=0 calls=0
# Newest struct, answer to a newer one, bytes of a process entry.
for release in 1:2:24 2:2:32 2:25:24 3:25:24; do
  IFS=: read -r structs mismatch entry <<<"$release"
  for seed in 1 2 3; do
    machine="$work/machine-$structs-$entry-$mismatch-$seed"
    mkdir "$machine"
    cp "$work/libnvidia-ml.so.1" "$machine/"
    sed "s/^structs .*/structs $structs/; s/^mismatch .*/mismatch $mismatch/; s/^process-entry .*/process-entry $entry/" \
      "$work/node/simulated/config" >"$machine/config"
    uuid=$(sed -n 's/^gpu 0 \([^ ]*\) .*/\1/p' "$machine/config" | head -1)
    printf '%s 5000001 10 C python3\n%s 5000002 10 G X\n%s 5000003 10 M mps\nnonsense\n' "$uuid" "$uuid" "$uuid" \
      >"$machine/processes"
    printf '# faults\nfail nvmlDeviceCreateGpuInstanceWithPlacement 5 3 23\nafter nvmlGpuInstanceDestroy 2 2 999\nhm\n' \
      >"$machine/faults"
    if ! "$work/walk" "$machine/libnvidia-ml.so.1" "$seed" >"$work/out" 2>&1; then
      bad=1
      printf 'release %s seed %s\n' "$release" "$seed"
      head -40 "$work/out"
    fi
    made=$(sed -n 's/^\([0-9]*\) calls$/\1/p' "$work/out")
    calls=$((calls + ${made:-0}))
  done
done
printf '  %d calls\n' "$calls"
if [ "$bad" -eq 0 ] && [ "$calls" -gt 10000 ]; then pass "$name"; else fail "$name"; fi
