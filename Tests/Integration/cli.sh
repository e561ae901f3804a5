#!/usr/bin/env bash
# The command line as scripts use it: results alone on standard output, codes as promised, the same bytes again.
# usage: PARVA=PATH cli.sh; prints `ok - NAME` and `not ok - NAME` lines, one a check.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
shared=${PARVA_SHARED:-$here/../../../shared}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
in_empty_folder

cat >demand.yaml <<'EOF'
workloads:
  - {id: resnet50-eu, model: resnet50, rate: 829, slo: {latencyMs: 204.5}}
  - {id: bert, model: bert, rate: 19, slo: {latencyMs: 6434}}
EOF
printf 'id,model,rate,latency_ms\nresnet50-eu,resnet50,829,204.5\nbert,bert,19,6434\n' >demand.csv
printf '[{"id":"ok","model":"bert","rate":1,"slo":{"latencyMs":5000}},{"id":"unknown","model":"none","rate":1,"slo":{"latencyMs":5}}]' >partly.json
printf '[{"id":"a","model":"bert","rate":-1,"slo":{"latencyMs":5}}]' >broken.json

# --- plan
check 'plan draws a table and ends with 0' code 0 "$PARVA" plan --deadline 60 --workloads demand.yaml
check 'the table says that the profiles are modelled' says out 'profiles: modelled'
check 'results alone go to standard output' silent_err
check 'a table in a UTF-8 locale has bars' says out '│'
check 'another locale gets ASCII' env LC_ALL=C bash -c '"$PARVA" plan --deadline 60 --workloads demand.yaml | LC_ALL=C grep -vq "[^ -~]" && ! "$PARVA" plan --workloads demand.yaml | LC_ALL=C grep -q "[^ -~]"'
check '--ascii too' bash -c '! "$PARVA" plan --deadline 60 --workloads demand.yaml --ascii | LC_ALL=C grep -q "[^ -~]"'
check 'no colour into a pipe' bash -c '! "$PARVA" plan --deadline 60 --workloads demand.yaml | grep -q "$(printf "\033")"'
"$PARVA" plan --deadline 60 --workloads demand.yaml -o json >first.json
"$PARVA" plan --deadline 60 --workloads demand.csv -o json >second.json
check 'the same demand gives the same bytes, from YAML and from CSV' cmp first.json second.json
check 'standard input is -' bash -c '"$PARVA" plan --deadline 60 --workloads - -o json <demand.csv | cmp - first.json'
check 'JSON says modelled too' says first.json '"profileSource": "modelled"'
check 'CSV says modelled too' bash -c '"$PARVA" plan --deadline 60 --workloads demand.csv -o csv | tail -1 | grep -q ",modelled$"'
check '--verbose tells times on standard error' bash -c '"$PARVA" plan --deadline 60 --workloads demand.csv -o json --verbose 2>err | cmp - first.json && grep -q "planned with" err'
cache=$XDG_CACHE_HOME/parva/capacities
check 'what was found out about capacities is kept' test -s "$cache"
check 'a cache that is damaged changes nothing' bash -c \
  'head -c 500 "$1" >cut && cp cut "$1" && "$PARVA" plan --deadline 60 --workloads demand.csv -o json | cmp - first.json' _ "$cache"
check 'and is written anew' bash -c '! cmp -s cut "$1"' _ "$cache"
check '--no-cache leaves none' bash -c \
  'rm "$1" && "$PARVA" plan --deadline 60 --workloads demand.csv --no-cache -o json | cmp - first.json && test ! -e "$1"' _ "$cache"
awk 'BEGIN { print "id,model,rate,latency_ms"
  for (i = 0; i < 40; i++) print "w" i "," (i % 2 ? "bert" : "resnet50") "," 50 + 37 * i % 900 "," (i % 2 ? 6434 - 60 * i : 204 + 5 * i) }' >many.csv
cat >few.yaml <<'EOF'
pools:
  - {name: a, product: A100-80GB, count: 9, hourlyCost: 2.1}
  - {name: b, product: A30-24GB, count: 4, hourlyCost: 0.9}
EOF
many=(plan --workloads many.csv --pools few.yaml --objective cost --admission half-slo --allow-partial)
"$PARVA" "${many[@]}" --deadline 0 -o json >short.json 2>err
check 'a plan that the clock cut short says so' says short.json '"cutShort": true'
"$PARVA" "${many[@]}" --deadline 0 >table 2>err
check 'and people are told what gives it more time' says err '--deadline'
"$PARVA" "${many[@]}" --deadline 600 -o json >whole.json 2>err
check 'a plan that had all the time it wanted does not' bash -c '! grep -q cutShort whole.json'
"$PARVA" "${many[@]}" --deadline 500 -o json >again.json 2>err
check 'and is the same bytes in another process, with hash seeds of its own' cmp whole.json again.json
check 'a plan that was cut short is read again' code 0 "$PARVA" diff short.json short.json
check 'a margin of 10 % is the default' says first.json '"margin": 0.1'
check '--margin 0 plans without' bash -c '"$PARVA" plan --deadline 60 --workloads demand.csv --margin 0 -o json | grep -q "\"margin\": 0[,.]"'
for format in table json yaml csv; do
  check "plan -o $format" code 0 "$PARVA" plan --deadline 60 --workloads demand.csv -o "$format"
done
check 'the optimal planner proves its plan' bash -c '"$PARVA" plan --deadline 60 --workloads demand.csv --planner optimal | grep -q "proven minimal"'
check 'an unknown objective ends with 2' code 2 "$PARVA" plan --deadline 60 --workloads demand.csv --objective fun
check 'infeasible ends with 3' code 3 "$PARVA" plan --deadline 60 --workloads partly.json -o json
check 'and prints no plan' silent_out
check 'but the reason' says err 'unknown: '
check 'with its code' says err '[no_profile]'
check '--allow-partial prints what fits, and still ends with 3' code 3 "$PARVA" plan --deadline 60 --workloads partly.json --allow-partial -o json
check 'the plan of what fits names what it leaves out' says out '"code": "no_profile"'
check 'and serves the rest' says out '"workload": "ok"'

# --- bad usage and input
check 'no verb is no failure' code 0 "$PARVA"
check 'an unknown verb ends with 2' code 2 "$PARVA" frobnicate
check 'an unknown option ends with 2' code 2 "$PARVA" plan --deadline 60 --workloads demand.csv --frobnicate
check 'a missing option ends with 2' code 2 "$PARVA" plan
check 'S8: a mistyped option is named, and not the one that is missing then' code 2 "$PARVA" plan --deadline 60 --wokloads demand.csv
check 'S8: with the one that was meant' says err "Unknown option '--wokloads'. Did you mean '--workloads'?"
check 'S8: a port that is none ends with 2' code 2 "$PARVA" serve --listen 127.0.0.1:99999
check 'S8: for the agent, too' code 2 "$PARVA" node run --simulate A100-80GBx1 --listen 127.0.0.1:99999
check 'S8: the help of --pools names the keys that are read' bash -c '"$PARVA" plan --deadline 60 --help | grep -q "count, hourlyCost"'
check 'an unknown planner ends with 2' code 2 "$PARVA" plan --deadline 60 --workloads demand.csv --planner none
check 'naming those there are' says err 'parvagpu'
check 'an unknown product ends with 2' code 2 "$PARVA" plan --deadline 60 --workloads demand.csv --product none
check 'an unknown admission ends with 2' code 2 "$PARVA" plan --deadline 60 --workloads demand.csv --admission none
check '0 processes end with 2' code 2 "$PARVA" plan --deadline 60 --workloads demand.csv --max-processes 0
check 'two standard inputs end with 2' code 2 "$PARVA" plan --deadline 60 --workloads - --pools -
check 'a missing file ends with 2' code 2 "$PARVA" plan --deadline 60 --workloads none.json
check 'bad input ends with 2' code 2 "$PARVA" plan --deadline 60 --workloads broken.json
check 'with the place' says err 'broken.json:1: rate must be'
check 'and silence on standard output' silent_out
check '--help ends with 0' code 0 "$PARVA" plan --deadline 60 --help
check 'and goes to standard output' silent_err
check '--version ends with 0' code 0 "$PARVA" --version
check 'a full disk ends with 1' bash -c '"$PARVA" geometry >/dev/full 2>err; [ $? -eq 1 ] && grep -q "cannot be written" err'

# --- validate
check 'a plan of ours is valid by itself' code 0 "$PARVA" validate first.json
check 'and against its demand' code 0 "$PARVA" validate first.json --workloads demand.yaml
check 'from standard input and YAML' bash -c '"$PARVA" plan --deadline 60 --workloads demand.csv -o yaml | "$PARVA" validate - --workloads demand.csv >/dev/null'
sed 's/"start": [0-9]*/"start": 5/' first.json >illegal.json
check 'an illegal placement ends with 4' code 4 "$PARVA" validate illegal.json
check 'and is named' says out '[illegal_start]'
check 'as JSON too' code 4 "$PARVA" validate illegal.json -o json
check 'with a verdict' says out '"valid": false'
printf '[{"id":"resnet50-eu","model":"resnet50","rate":9000,"slo":{"latencyMs":204.5}}]' >more.json
check 'a plan that does not cover its demand ends with 4' code 4 "$PARVA" validate first.json --workloads more.json
check 'a plan that cannot be read ends with 2' code 2 "$PARVA" validate demand.yaml
check 'profiles without demand end with 2' code 2 "$PARVA" validate first.json --profiles x.csv
scenario=$here/../../examples/scenario-2.json
"$PARVA" plan --deadline 60 --workloads "$scenario" --planner whole-gpu -o json >dear.json
python3 - <<'PY'
import json
plan = json.load(open("dear.json"))
plan["planner"], plan["status"] = "optimal", "optimal"
plan["summary"]["lowerBound"], plan["summary"]["gap"] = plan["summary"]["gpuCount"], 0
json.dump(plan, open("claim.json", "w"))
PY
check 'a plan of a heuristic is valid' code 0 "$PARVA" validate dear.json --workloads "$scenario"
check 'but not of least cost' code 4 "$PARVA" validate claim.json --workloads "$scenario"
check 'and is told so' says out '[not_optimal]'
check 'a plan that says it is of least cost is proven again' code 0 "$PARVA" validate first.json --workloads demand.yaml
check 'and the verdict tells how' says out 'proven again'
python3 - <<'PY'
import copy
import json
plan = json.load(open("first.json"))
def claim(name, change):
    changed = copy.deepcopy(plan)
    change(changed)
    json.dump(changed, open(f"claim-{name}.json", "w"))
claim("planner", lambda p: p.update(planner="xyz"))
claim("objective", lambda p: p.update(objective="fun"))
claim("processes", lambda p: p.update(maxProcesses=0))
claim("bound", lambda p: p["summary"].update(lowerBound=p["summary"]["lowerBound"] + 5))
claim("gap", lambda p: p["summary"].update(gap=1))
claim("cost", lambda p: p["summary"].update(cost=5))
claim("watts", lambda p: p["summary"].update(watts=5))
claim("node", lambda p: p["gpus"][0].update(node="ghost"))
claim("older", lambda p: (p.pop("objective"), p.pop("maxProcesses")))
PY
for what in planner bound gap cost watts; do
  check "a false $what ends with 4" code 4 "$PARVA" validate "claim-$what.json" --workloads demand.yaml
done
check 'a false planner is named without demand, too' code 4 "$PARVA" validate claim-planner.json
check 'with its code' says out '[wrong_claim]'
for what in objective processes; do
  check "an unknown $what ends with 2" code 2 "$PARVA" validate "claim-$what.json" --workloads demand.yaml
done
check 'a node that nobody lists is no violation' code 0 "$PARVA" validate claim-node.json --workloads demand.yaml
check 'and told as not verified' says out 'not verified: node: '
check 'in JSON as well' bash -c '"$PARVA" validate claim-node.json --workloads demand.yaml -o json | grep -q "\"claim\": \"node\""'
check 'a plan that does not say what it minimised is read' code 0 "$PARVA" validate claim-older.json --workloads demand.yaml
printf 'pools:\n  - {name: a, product: A100-80GB, hourlyCost: 2.5, watts: 400}\n  - {name: b, product: A30-24GB, hourlyCost: 1, watts: 165}\n' >priced.yaml
for objective in gpus cost watts; do
  for processes in 1 3; do
    "$PARVA" plan --deadline 60 --workloads "$scenario" --pools priced.yaml --objective "$objective" --max-processes "$processes" -o json >made.json
    check "a plan of least $objective with $processes processes is proven again" code 0 "$PARVA" validate made.json --deadline 60 --workloads "$scenario" --pools priced.yaml
  done
done
check '--require what it is' code 0 "$PARVA" validate first.json --workloads demand.yaml --require optimal
check '--require a certificate that is not there ends with 4' code 4 "$PARVA" validate first.json --workloads demand.yaml --require certificate
check 'and says so' says out '[requirement_missed]'
check '--require another admission ends with 4' code 4 "$PARVA" validate first.json --require admission=half-slo,margin=300%
check '--require words that are none end with 2' code 2 "$PARVA" validate first.json --require cheap

# --- diff
check 'a plan does not differ from itself' code 0 "$PARVA" diff first.json second.json
"$PARVA" plan --deadline 60 --workloads more.json -o json >grown.json
check 'differences end with 4' code 4 "$PARVA" diff first.json grown.json
check 'and are told' says out 'GPUs '
for format in json yaml csv; do
  check "diff -o $format" code 4 "$PARVA" diff first.json grown.json -o "$format"
done

# --- plan --from, --headroom
check 'the same demand from its own plan gives the same bytes' bash -c \
  '"$PARVA" plan --deadline 60 --workloads demand.csv --from first.json -o json | cmp - first.json'
check 'from standard input too' bash -c \
  '"$PARVA" plan --deadline 60 --workloads demand.csv --from - -o json <first.json | cmp - first.json'
check 'only one input can be standard input' code 2 "$PARVA" plan --deadline 60 --workloads - --from -
check 'a plan in force that is none ends with 2' code 2 "$PARVA" plan --deadline 60 --workloads demand.csv --from demand.csv
"$PARVA" plan --deadline 60 --workloads more.json --from first.json -o json >kept.json
check 'a grown demand is planned from the plan in force' code 0 "$PARVA" validate kept.json --workloads more.json
check 'without headroom slices stay free' bash -c \
  '"$PARVA" plan --deadline 60 --workloads demand.csv --headroom off -o json >bare.json && ! cmp -s bare.json first.json'
check 'and the number of GPUs is the same' bash -c \
  '[ "$(grep -o "\"gpuCount\": [0-9]*" bare.json)" = "$(grep -o "\"gpuCount\": [0-9]*" first.json)" ]'
check 'headroom is on or off' code 2 "$PARVA" plan --deadline 60 --workloads demand.csv --headroom maybe
check 'a price for moving keeps a plan of the same demand' bash -c \
  '"$PARVA" plan --deadline 60 --workloads demand.csv --from first.json --move-cost 0.05 -o json | cmp - first.json'
check 'a price for moving is not negative' code 2 "$PARVA" plan --deadline 60 --workloads demand.csv --move-cost=-1
check 'extra GPUs are not negative' code 2 "$PARVA" plan --deadline 60 --workloads demand.csv --max-extra-gpus=-1

"$PARVA" plan --deadline 60 --workloads demand.csv --from illegal.json -o json >out 2>err
check 'S8: an illegal plan in force ends with 2 and its place' test "$?" -eq 2 -a -n "$(grep -F '/gpus/0/segments/' err)"
python3 - <<'END'
import json
plan = json.load(open("first.json"))
gpus = plan["gpus"]
for gpu in gpus:
    gpu["index"] = len(gpus) - 1 - gpu["index"]
json.dump(plan, open("renumbered.json", "w"))
END
check 'S8: plans whose GPUs are only numbered otherwise do not differ' code 0 "$PARVA" diff first.json renumbered.json
cat >labelled.json <<'END'
[{"id": "a", "model": "resnet50", "rate": 1, "slo": {"latencyMs": 99}, "labels": {"team": "x"},
  "arrivals": {"process": "gamma", "cv2": 4}},
 {"id": "b", "model": "resnet50", "rate": 1, "slo": {"latencyMs": 99}, "launch": {"command": "serve"}}]
END
check 'S5: CSV refuses what it cannot hold' code 2 "$PARVA" workloads show labelled.json -o csv
check 'S5: naming it' says err 'CSV cannot hold the launch of b'
sed -i '/"launch"/d; s/cv2": 4}},/cv2": 4}}]/' labelled.json
check 'S5: and carries the rest' bash -c \
  '"$PARVA" workloads show labelled.json -o csv | "$PARVA" workloads show - -o json | cmp - <("$PARVA" workloads show labelled.json -o json)'

# --- compare
check 'compare runs every planner' code 0 "$PARVA" compare --workloads demand.csv --svg chart.svg
check 'names them' says out 'parvagpu'
check 'and says what the profiles are' says out 'profiles: modelled'
check 'its chart is XML' python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' chart.svg
check 'with the profiles said too' says chart.svg 'profiles: modelled'
for format in json yaml csv; do
  check "compare -o $format" code 0 "$PARVA" compare --workloads demand.csv --planners parvagpu,optimal -o "$format"
done
"$PARVA" compare --workloads demand.csv -o json >compared.json
check 'S8: what all planners share is told apart' grep -qE '"capacityMilliseconds": [0-9.]*[1-9]' compared.json
check 'a planner that is none ends with 2' code 2 "$PARVA" compare --workloads demand.csv --planners parvagpu,
check 'a chart that cannot be written ends with 1' code 1 "$PARVA" compare --workloads demand.csv --svg /nonexistent/x

# --- geometry, profiles, workloads
check 'geometry lists the products' code 0 "$PARVA" geometry
check 'A30 among them' says out 'A30-24GB'
check 'geometry of A30 has 5 maximal placements' bash -c '"$PARVA" geometry a30-24gb | grep -q "^5 maximal placements"'
for format in json yaml csv; do
  check "geometry -o $format" code 0 "$PARVA" geometry A100-80GB -o "$format"
done
check 'an unknown product of geometry ends with 2' code 2 "$PARVA" geometry none
check 'profiles show says that the catalogue is modelled' bash -c '"$PARVA" profiles show | tail -1 | grep -qx "profiles: modelled"'
for format in json yaml csv; do
  "$PARVA" profiles show -o "$format" >"profiles.$format"
  check "what profiles show -o $format prints is read back" bash -c \
    '"$PARVA" plan --deadline 60 --workloads demand.csv --profiles "$1" -o json | cmp - first.json' _ "profiles.$format"
  "$PARVA" workloads show demand.yaml -o "$format" >"demand-again.$format"
  check "what workloads show -o $format prints is read back" bash -c \
    '"$PARVA" plan --deadline 60 --workloads "$1" -o json | cmp - first.json' _ "demand-again.$format"
done
check 'an unknown model ends with 2' code 2 "$PARVA" profiles show none

# --- profiles fit and suggest
check 'suggest names a dozen points' bash -c '[ "$("$PARVA" profiles suggest -o csv | wc -l)" -eq 13 ]'
# What the catalogue has for the points of the form stands for measurements of them.
"$PARVA" profiles suggest --model resnet50 -o csv >form.csv
"$PARVA" profiles show resnet50 -o csv | sed 's/,modelled,/,measured,/' >all.csv
{ head -1 all.csv; tail -n +2 form.csv | sed 's/,,,$/,/' | grep -Ff - all.csv; } >dozen.csv
check 'the form is refused while it is empty' code 2 "$PARVA" profiles fit form.csv
check 'fit reports its error' code 0 "$PARVA" profiles fit dozen.csv --verbose
check 'by cross-validation' says out 'cross-validated error'
for format in json yaml csv; do
  "$PARVA" profiles fit dozen.csv -o "$format" >"filled.$format"
  check "a plan on what fit -o $format printed" code 0 "$PARVA" plan --deadline 60 --workloads more.json --profiles "filled.$format"
  check 'says that its profiles are filled' says out 'profiles: filled'
done
check 'three points are too few' bash -c \
  'head -4 dozen.csv >three.csv; "$PARVA" profiles fit three.csv 2>three.err; [ $? = 2 ] && grep -q suggest three.err'
check 'a model that was not measured ends with 2' code 2 "$PARVA" profiles fit dozen.csv --model none
check 'suggest goes on from what is there' code 0 "$PARVA" profiles suggest --measured dozen.csv --points 3

# --- pools
printf 'pools:\n  - {name: eu, product: A100-80GB, count: 0}\n' >none.yaml
check 'an empty stock ends with 3' code 3 "$PARVA" plan --deadline 60 --workloads demand.csv --pools none.yaml
check 'naming the stock' says err '[no_stock]'
printf 'pools:\n  - {name: eu, product: A100-80GB, count: 5, hourlyCost: 2.5, watts: 400}\n' >some.yaml
check 'a stock that is enough ends with 0' code 0 "$PARVA" plan --deadline 60 --workloads demand.csv --pools some.yaml -o json
check 'in its pool' says out '"pool": "eu"'

# --- the published scenarios
published=$shared/data/parvagpu-sc24
if [ -d "$published" ]; then
  limits3=(2 3 5 7 13 17) limits5=(2 3 5 7 13 16)
  for row in 1 2 3 4 5 6; do
    "$PARVA" workloads import --rates "$published/slo_request_rate.csv" --latencies "$published/slo_latency_ms.csv" \
      --row "$row" -o json >"scenario-$row.json"
    for processes in 3 5; do
      [ "$processes" -eq 3 ] && most=${limits3[$((row - 1))]} || most=${limits5[$((row - 1))]}
      options=(--profiles "$published/profiles" --max-processes "$processes")
      "$PARVA" plan --deadline 60 --workloads "scenario-$row.json" "${options[@]}" --planner parvagpu --admission half-slo -o json >plan.json
      gpus=$(sed -n 's/.*"gpuCount": \([0-9]*\).*/\1/p' plan.json)
      check "scenario $row with $processes processes: at most $most GPUs, here ${gpus:-none}" [ "${gpus:-99}" -le "$most" ]
      check "scenario $row with $processes processes: legal and covering" \
        code 0 "$PARVA" validate plan.json --workloads "scenario-$row.json" "${options[@]}"
    done
  done
else
  printf 'skip - published scenarios: %s is not here\n' "$published"
fi
exit "$bad"
