#!/usr/bin/env bash
# parva simulate as scripts use it: a plan of ours played through, with events, assertions and reports.
# usage: PARVA=PATH simulate.sh; prints `ok - NAME` and `not ok - NAME` lines, one a check.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
in_empty_folder
field() { python3 -c 'import json, sys; print(eval("d" + sys.argv[2], {"d": json.load(open(sys.argv[1]))}))' "$@"; }
simulate() { "$PARVA" simulate plan.json --workloads demand.csv --duration 20 --warmup 2 "$@"; }

printf 'id,model,rate,latency_ms\nresnet50-eu,resnet50,829,204.5\nbert,bert,19,6434\n' >demand.csv
"$PARVA" plan --workloads demand.csv --admission half-slo --planner parvagpu -o json >plan.json || exit 1
gpus=$(field plan.json '["summary"]["gpuCount"]')

check 'simulate draws a table and ends with 0' code 0 simulate
check 'results alone go to standard output' [ ! -s err ]
check 'the table names the workloads' says out 'resnet50-eu'
check 'and says that the profiles are modelled' says out 'profiles: modelled'
check '--ascii is ASCII' bash -c '! "$PARVA" simulate plan.json --workloads demand.csv --duration 2 --ascii | LC_ALL=C grep -q "[^ -~]"'
for format in table json yaml csv; do
  check "simulate -o $format" code 0 simulate -o "$format"
  cp out "first.$format"
  check "simulate -o $format gives the same bytes again" bash -c \
    '"$PARVA" simulate plan.json --workloads demand.csv --duration 20 --warmup 2 -o "$1" | cmp - "first.$1"' _ "$format"
done
check 'one core gives the same bytes' bash -c \
  'taskset -c 0 "$PARVA" simulate plan.json --workloads demand.csv --duration 20 --warmup 2 -o json | cmp - first.json'
check 'another seed does not' bash -c \
  '! "$PARVA" simulate plan.json --workloads demand.csv --duration 20 --warmup 2 --seed 2 -o json | cmp -s - first.json'
check 'no request is lost sight of' python3 - <<'PY'
import json, sys
for w in json.load(open("first.json"))["workloads"]:
    if w["requests"] != w["completed"] + w["pending"] + sum(w["lost"].values()):
        sys.exit(1)
PY
check '--verbose tells the speed on standard error' code 0 simulate --verbose
check 'in requests a second' says err 'requests/s on one core'
check 'five seeds' code 0 simulate --seeds 5 -o json
check 'are reported one by one' [ "$(field out '["workloads"][0]["attainmentBySeed"].__len__()')" = 5 ]

# --- arrivals
for arrivals in poisson deterministic gamma:4; do
  check "--arrivals $arrivals" code 0 simulate --arrivals "$arrivals"
done
{ echo 'TIMESTAMP,x'; for i in $(seq 200); do echo "2024-01-01 00:00:0$((i % 7)).$((i * i % 1000)),1"; done; } >trace.csv
check '--arrivals trace:FILE' code 0 simulate --arrivals trace:trace.csv
check 'names the trace' says out 'trace:trace'
check 'unknown arrivals end with 2' code 2 simulate --arrivals weibull
check 'a trace without times ends with 2' code 2 simulate --arrivals trace:demand.csv
check 'with its place' says err 'demand.csv:1: a trace needs a column TIMESTAMP'

# --- assertions
check '--assert that holds ends with 0' code 0 simulate --assert 0%
check '--assert that does not ends with 4' code 4 simulate --assert 100% --rate 0=50
check 'and names the workload' says err 'resnet50-eu: '
check 'the report is printed all the same' says out 'resnet50-eu'
check '--assert slo takes the declared percentile' code 4 simulate --assert slo --rate 0=50
check 'an assertion that is none ends with 2' code 2 simulate --assert 200%

# --- events
check 'a rate step' code 0 simulate --rate resnet50-eu@5=1.2 -o json
check 'brings more requests' [ "$(field out '["workloads"][1]["requests"]')" -gt "$(field first.json '["workloads"][1]["requests"]')" ]
check 'a ramp' code 0 simulate --rate 5-15=0.5
check 'a GPU that fails and comes back' code 0 simulate --fail 0@5+5 --on-failure retry
check 'a GPU that there is not ends with 2' code 2 simulate --fail 99@5
check 'with its place' says err -- '--fail 99@5: the plan has no GPU 99'
check 'a workload that there is not ends with 2' code 2 simulate --rate none@5=2
check 'an event after the end ends with 2' code 2 simulate --rate 21=2
printf 'events:\n  - {at: 3, rate: 1.1, over: 2}\n  - {at: 6, fail: {segment: bert/0}, duration: 4}\n' >events.yaml
check '--events' code 0 simulate --events events.yaml
printf 'events:\n  - {at: 3}\n' >broken.yaml
check 'broken events end with 2' code 2 simulate --events broken.yaml
check 'with their place' says err 'broken.yaml:2: '
printf 'id,model,rate,latency_ms\nresnet50-eu,resnet50,1600,204.5\nbert,bert,40,6434\n' >more.csv
"$PARVA" plan --workloads more.csv --admission half-slo -o json >more.json
check 'a plan that takes over' code 0 simulate --then more.json@10 --downtime 5 -o json
check 'brings its segments' says out '"plan": 1'
check 'a replacement without a time ends with 2' code 2 simulate --then more.json

# --- page
check '--html writes a page' code 0 simulate --html page.html --fail 0@5+5
check 'with charts that are XML' python3 - <<'PY'
import re, xml.dom.minidom
page = open("page.html", encoding="utf-8").read()
charts = re.findall(r"<svg.*?</svg>", page, re.S)
assert len(charts) == 4, len(charts)
for chart in charts:
    xml.dom.minidom.parseString(chart.encode())
PY
check 'that needs nothing else' bash -c '! grep -qE "https?:|src=" page.html'
check 'a page that cannot be written ends with 1' code 1 simulate --html /nonexistent/x.html

# --- what does not fit together
sed 's/"batch": [0-9]*/"batch": 60000/' plan.json >large.json
check 'a batch that the profile does not have ends with 2' code 2 "$PARVA" simulate large.json --workloads demand.csv
check 'with file, line and pointer' grep -qE 'large.json:[0-9]+: .*\[unknown_point\] \(/gpus/0/segments/0\)' err
check 'a demand without the workload ends with 2' code 2 "$PARVA" simulate plan.json --workloads <(echo 'id,model,rate,latency_ms'; echo 'other,bert,1,5')
check 'and says so' says err '[unknown_workload]'
check 'a missing plan ends with 2' code 2 "$PARVA" simulate none.json --workloads demand.csv
check 'two standard inputs end with 2' code 2 "$PARVA" simulate - --workloads -
check 'a plan from standard input' bash -c '"$PARVA" simulate - --workloads demand.csv --duration 20 --warmup 2 -o json <plan.json | cmp - first.json'
check 'a duration of 0 ends with 2' code 2 "$PARVA" simulate plan.json --workloads demand.csv --duration 0
check 'GPUs of the report are those of the plan' [ "$(field first.json '["gpus"].__len__()')" = "$gpus" ]
exit "$bad"
