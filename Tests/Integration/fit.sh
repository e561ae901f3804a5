#!/usr/bin/env bash
# A dozen measured points a model are enough: the plan made on the profiles filled from them keeps its promise when it is
# played through on the measured ones.
# usage: PARVA=PATH fit.sh; prints `ok - NAME` and `not ok - NAME` lines, one a check.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh
published=$(realpath -m "${PARVA_SHARED:-../shared}")/data/parvagpu-sc24
name="plans on filled profiles keep 99 % of the requests within their objectives"
[ -d "$published" ] || { skip "$name" "$published is not here"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0

"$PARVA" profiles fit "$published/profiles" --trial 12 -o csv >filled.csv || exit 1
for row in 1 2 3 4 5 6; do
  "$PARVA" workloads import --rates "$published/slo_request_rate.csv" --latencies "$published/slo_latency_ms.csv" \
    --row "$row" -o json >demand.json
  if "$PARVA" plan --workloads demand.json --profiles filled.csv --admission certified -o json >plan.json &&
    grep -q '"profileSource": "filled"' plan.json &&
    "$PARVA" simulate plan.json --workloads demand.json --profiles "$published/profiles" --duration 60 --seeds 2 \
      --assert 99% >report; then
    pass "scenario $row: $name"
  else
    [ ! -e report ] || cat report
    fail "scenario $row: $name"
    bad=1
  fi
done
exit "$bad"
