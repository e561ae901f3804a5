#!/usr/bin/env bash
# The scripts for real hardware: where there is none they skip, and nothing is changed without being told to.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OUT=$work/out

unset PARVA_MAY_CHANGE_GPU PARVA_MAY_CHANGE_MODE
name="the changing part does nothing without PARVA_MAY_CHANGE_GPU"
if said=$(bash Tests/Hardware/changing.sh) && [ "$said" = "SKIP: PARVA_MAY_CHANGE_GPU=1 was not given" ]; then
  pass "$name"
else
  printf '%s\n' "$said"
  fail "$name"
fi
if [ -e /proc/driver/nvidia/version ]; then
  skip "both parts skip where there is no driver" "this machine has one; run Tests/Hardware/read-only.sh by hand"
else
  for part in read-only changing; do
    if said=$(PARVA_MAY_CHANGE_GPU=1 bash Tests/Hardware/$part.sh) &&
      [ "$said" = "SKIP: this machine has no NVIDIA driver" ] && ! [ -e "$OUT" ]; then
      pass "$part.sh skips where there is no driver"
    else
      printf '%s\n' "$said"
      fail "$part.sh skips where there is no driver"
    fi
  done
fi
# What it compiles for the real library is read here from the stand-in, in the forms of an old and a new release.
name="the reader of the library tells the releases apart"
"$PARVA" node state --simulate A100-80GBx1@535-early --name h --state-dir "$work/old" >/dev/null 2>&1
"$PARVA" node state --simulate A100-80GBx1@580 --name h --state-dir "$work/new" >/dev/null 2>&1
if ! command -v cc >/dev/null; then
  skip "$name" "there is no C compiler"
elif cc -std=c17 -D_GNU_SOURCE -Wall -Wextra -ISources/CNVML/include Tests/Hardware/nvml_read.c Sources/CNVML/*.c \
  -o "$work/nvml_read" -ldl &&
  "$work/nvml_read" "$work/old/simulated/libnvidia-ml.so.1" >"$work/old.txt" &&
  "$work/nvml_read" "$work/new/simulated/libnvidia-ml.so.1" >"$work/new.txt" &&
  grep -q 'enum  0: v3 2 v2 0 v1 0, unknown version 2' "$work/old.txt" &&
  grep -q 'enum  0: v3 0 v2 0 v1 0, unknown version 25' "$work/new.txt" && ! grep -q DIFFER "$work/new.txt"; then
  pass "$name"
else
  head -5 "$work"/*.txt
  fail "$name"
fi

# The doctor says what it finds in a form for programs, and no secret of a URL.
name="the doctor's report is JSON, ends with 4 where an apply would be stopped, and holds no secret"
"$PARVA" node doctor --simulate A100-80GBx1+caps --name h --state-dir "$work/doctor" -o json \
  --run-dir "$work/$(printf 'x%.0s' $(seq 120))" \
  --controller http://user:hidden-secret@127.0.0.1:1 >"$work/report.json" 2>"$work/report.err"
python3 - "$work/report.json" <<'EOF' && ! grep -q hidden-secret "$work/report.json" "$work/report.err" && named=1
import json, sys

report = json.load(open(sys.argv[1]))
checks = {finding["check"]: finding for finding in report["findings"]}
assert report["stops"] == sum(finding["grade"] == "stop" for finding in report["findings"])
assert checks["controller"]["grade"] == "warn" and checks["mps"]["grade"] == "warn", checks
assert checks["capability_nodes"]["grade"] in ("warn", "stop") and "prepare" in checks["capability_nodes"]["mend"]
EOF
PATH=/nowhere /usr/bin/env -u LD_LIBRARY_PATH "$PARVA" node doctor --driver nvidia-smi --name h \
  --state-dir "$work/doctor" >"$work/none.txt" 2>&1
code=$?
if [ "${named:-0}" -eq 1 ] && [ "$code" -eq 4 ] && grep -q '^stop *driver' "$work/none.txt"; then
  pass "$name"
else
  cat "$work/report.err" "$work/report.json" "$work/none.txt"
  fail "$name"
fi
