#!/usr/bin/env bash
# Constraints, scarcity and certificates from the command line: several products in one CSV, nodes, tenants, stock.
# usage: PARVA=PATH constraints.sh; prints `ok - NAME` and `not ok - NAME` lines, one a check.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
in_empty_folder

# Two products in one table; model b fits the larger one alone.
cat >profiles.csv <<'EOT'
model,product,profile,batch,processes,throughput,latency_ms
a,A30-24GB,1g.6gb,1,1,10,10
a,A30-24GB,2g.12gb,1,1,22,8
a,A30-24GB,4g.24gb,1,1,44,6
a,A100-80GB,1g.10gb,1,1,12,9
a,A100-80GB,2g.20gb,1,1,25,8
a,A100-80GB,7g.80gb,1,1,90,5
b,A100-80GB,7g.80gb,4,1,10,50
EOT
cat >pools.yaml <<'EOT'
pools:
  - name: small
    product: A30-24GB
    hourlyCost: 1
    nodes: [{name: s1, count: 2}, {name: s2, count: 2}]
  - {name: large, product: A100-80GB, hourlyCost: 4, count: 4}
EOT
cat >demand.yaml <<'EOT'
workloads:
  - {id: a1, model: a, rate: 30, slo: {latencyMs: 100}, placement: {spread: {over: node, atLeast: 2}}}
  - {id: a2, model: a, rate: 8, slo: {latencyMs: 100}, labels: {team: x}, placement: {exclusive: team}}
  - {id: a3, model: a, rate: 8, slo: {latencyMs: 100}, placement: {excludeProducts: [A30-24GB]}}
  - {id: b1, model: b, rate: 15, slo: {latencyMs: 200}}
EOT
given=(--workloads demand.yaml --profiles profiles.csv --pools pools.yaml)
rule=(--admission half-slo --objective cost)

check 'a table of several products serves pools of each' code 0 "$PARVA" plan --deadline 60 "${given[@]}" "${rule[@]}" -o json --certificate
cp out plan.json
check 'the plan is proven' says plan.json '"status": "optimal"'
check 'validate works the bound out again' code 0 "$PARVA" validate plan.json "${given[@]}"
check 'and says that a part of the proof is a search' says out 'the prices prove a lower bound of 11.0000; what the plan claims beyond'
check 'judged as JSON too' code 0 "$PARVA" validate plan.json "${given[@]}" -o json
check 'with what the prices alone prove' says out '"provesOptimality": false'
printf 'id,model,rate,latency_ms\nw,a,80,100\nv,b,10,200\n' >plain.csv
plain=(--workloads plain.csv --profiles profiles.csv)
"$PARVA" plan --deadline 60 "${plain[@]}" --admission half-slo -o json --certificate >plain.json
check 'where the prices prove it all, validate says so' code 0 "$PARVA" validate plain.json "${plain[@]}"
check 'with the least cost' says out "certificate (prices): the prices prove a lower bound of 2.0000; no plan costs less than this one's 2"
check 'YAML holds the certificate as well' bash -c '"$PARVA" plan --deadline 60 --workloads demand.yaml --profiles profiles.csv --pools pools.yaml --admission half-slo --objective cost --certificate -o yaml >plan.yaml && "$PARVA" validate plan.yaml --workloads demand.yaml --profiles profiles.csv --pools pools.yaml >/dev/null'
check 'without --certificate there is none' bash -c '! "$PARVA" plan --deadline 60 --workloads demand.yaml --profiles profiles.csv --pools pools.yaml --admission half-slo -o json | grep -q certificate'

python3 - <<'EOT' || bad=1
import json

plan = json.load(open("plan.json"))
holds = [{s["workload"] for s in gpu["segments"]} for gpu in plan["gpus"]]


def say(name, fine):
    print(("ok - " if fine else "not ok - ") + name)
    return fine


nodes = {gpu["node"] for gpu, ids in zip(plan["gpus"], holds) if "a1" in ids}
fine = say("a spread workload stands on two nodes", nodes == {"s1", "s2"})
fine &= say("a tenant has its GPU to itself", [ids for ids in holds if "a2" in ids] == [{"a2"}])
pools = {gpu["pool"] for gpu, ids in zip(plan["gpus"], holds) if ids & {"a3", "b1"}}
fine &= say("what may not or cannot use the small GPUs is on the large ones", pools == {"large"})

price = plan["certificate"]["parts"][0]["pools"][0]["prices"][0]
price["price"] = price["price"] * 2 + 1
json.dump(plan, open("dearer.json", "w"))
price["price"] = 0
for part in plan["certificate"]["parts"]:
    for pool in part["pools"]:
        pool["prices"] = []
json.dump(plan, open("cheaper.json", "w"))
raise SystemExit(not fine)
EOT
check 'prices that no cut allows end with 4' code 4 "$PARVA" validate dearer.json "${given[@]}"
check 'and are named' says out '[illegal_prices]'
check 'prices that prove too little end with 4' code 4 "$PARVA" validate cheaper.json "${given[@]}"
check 'and the bound is named' says out '[bound_not_proven]'
check 'against another demand the certificate does not hold' bash -c 'sed "s/rate: 15/rate: 5/" demand.yaml >less.yaml; "$PARVA" validate plan.json --workloads less.yaml --profiles profiles.csv --pools pools.yaml >out; [ $? -eq 4 ]'

# --- too few GPUs
printf 'pools: [{name: p, product: A100-80GB, count: 1}]' >one.yaml
cat >scarce.csv <<'EOT'
id,model,rate,latency_ms,priority,allow_partial
first,a,60,100,1,false
second,a,60,100,0,true
third,a,60,100,-1,false
EOT
scarce=(--workloads scarce.csv --profiles profiles.csv --pools one.yaml)
check 'too few GPUs end with 3' code 3 "$PARVA" plan --deadline 60 "${scarce[@]}" --admission half-slo --allow-partial -o json
check 'who is left out is told what would be enough' says err 'more A100-80GB would serve everything [no_stock]'
cp out scarce.json
check 'who allows it is served in part' says scarce.json '"partial": ['
check 'validate accepts it' code 0 "$PARVA" validate scarce.json "${scarce[@]}"
check 'a table tells it too' bash -c '"$PARVA" plan --deadline 60 --workloads scarce.csv --profiles profiles.csv --pools one.yaml --admission half-slo --allow-partial | grep -q "Served in part: 1 workload"'
printf '[{"id":"w","model":"a","rate":1,"slo":{"latencyMs":100},"placement":{"spread":{"over":"gpu","atLeast":2}}}]' >spread.json
check 'a spread that cannot be is refused by code' code 3 "$PARVA" plan --deadline 60 --workloads spread.json --profiles profiles.csv --pools one.yaml --admission half-slo
check 'with what would do' says err '1 more GPU would do [spread_unreachable]'

printf 'id,model,rate,latency_ms,survive,min_replicas\nw,a,1,100,gpus:1,3\n' >survive.csv
check 'a loss that cannot be survived is refused by code' code 3 "$PARVA" plan --deadline 60 --workloads survive.csv --profiles profiles.csv --pools one.yaml --admission half-slo
check 'with what would do' says err '1 more GPU would do [spread_unreachable]'
printf 'pools: [{name: two, product: A100-80GB, count: 2}]\n' >two.yaml
survive=(--workloads survive.csv --profiles profiles.csv --pools two.yaml)
check 'with it the plan is made' code 0 "$PARVA" plan --deadline 60 "${survive[@]}" --admission half-slo --certificate -o json
cp out survive.json
check 'and holds' code 0 "$PARVA" validate survive.json "${survive[@]}"
sed 's/gpus:1,3/gpus:1,99/' survive.csv >more.csv
check 'validate counts replicas by itself' code 4 "$PARVA" validate survive.json --workloads more.csv --profiles profiles.csv --pools two.yaml
check 'and says how many are wanted' says out 'wants at least 99'

exit $bad
