#!/usr/bin/env bash
# parva rollout plan as scripts use it: from a plan to itself, to one that keeps what stands, and to one that does not.
# usage: PARVA=PATH rollout.sh; prints `ok - NAME` and `not ok - NAME` lines, one a check.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
demand=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../examples" && pwd)/scenario-4.json
in_empty_folder
rollout() { "$PARVA" rollout plan "$@"; }
that() { python3 -c 'import json, sys; d = [json.load(open(f)) for f in sys.argv[2:]]; sys.exit(not eval(sys.argv[1]))' "$@"; }

# More for every second workload, and less for the others.
python3 - "$demand" >demand.json <<'PY'
import json, sys
demand = json.load(open(sys.argv[1], encoding="utf-8"))
for number, workload in enumerate(demand if isinstance(demand, list) else demand["workloads"]):
    workload["rate"] = round(workload["rate"] * (1.3 if number % 2 else 0.8), 1)
print(json.dumps(demand))
PY
"$PARVA" plan --deadline 60 --workloads "$demand" -o json >now.json || exit 1
"$PARVA" plan --deadline 60 --workloads demand.json -o json >cold.json || exit 1
"$PARVA" plan --deadline 60 --workloads demand.json --from now.json -o json >next.json || exit 1

check 'a plan to itself ends with 0' code 0 rollout now.json now.json
check 'and has no waves' says out '0 waves'
check 'with room on the way a plan that keeps what stands keeps every rate' code 0 rollout now.json next.json --spare 2 -o json
cp out kept.json
check 'and another plan does, too' code 0 rollout now.json cold.json --spare 2 --svg picture.svg -o json
cp out moved.json
check 'and destroys no less' that 'd[0]["summary"]["destroys"] <= d[1]["summary"]["destroys"]' kept.json moved.json
check 'each workload keeps the lesser of both rates' that \
  'all(w["leastCapacity"] >= min(w["rateBefore"], w["rateAfter"]) * (1 - 1e-9) for w in d[0]["workloads"])' moved.json
check 'the picture is XML' python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse("picture.svg")'
for format in table yaml csv; do
  check "rollout plan -o $format" code 0 rollout now.json cold.json --spare 2 -o "$format"
  cp out "first.$format"
  check "-o $format gives the same bytes again" bash -c \
    '"$PARVA" rollout plan now.json cold.json --spare 2 -o "$1" | cmp - "first.$1"' _ "$format"
done
check 'every step is a row' says first.csv '1,create,'
check 'two standard inputs end with 2' code 2 rollout - -
check 'a missing plan ends with 2' code 2 rollout now.json missing.json
check 'and is named' says err 'missing.json'
check 'a share beyond 100 ends with 2' code 2 rollout now.json next.json --max-unavailable 101%
check 'a picture that cannot be written ends with 1' code 1 rollout now.json next.json --svg /nowhere/picture.svg
exit "$bad"
