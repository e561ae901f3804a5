#!/usr/bin/env bash
# The running controller answers as openapi.yaml says: requests generated from the document, valid and broken, and every
# answer compared with it (status, content type, headers, schema), by an independent tool.
#   PARVA_ROLE=reader   asks with a token of that role at a controller that wants one, so that refusals are compared, too
#   PARVA_NAMESPACE=a   with it, a token that is for that namespace alone, beside another with workloads of its own
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh

name="the controller answers as openapi.yaml says"
python_tool schemathesis 4.32.5 "$name"
work=$(mktemp -d)
guarded=()
asking=()
if [ -n "${PARVA_ROLE:-}" ]; then
  name="$name, asked with the role $PARVA_ROLE"
  token=conformance-0123456789abcdef
  admin=administrator-0123456789ab
  printf '%s conformance %s %s\nadmin admin %s\n' "$PARVA_ROLE" "$token" "${PARVA_NAMESPACE:-}" "$admin" >"$work/tokens"
  guarded=(--token-file "$work/tokens")
  asking=(--header "Authorization: Bearer $token")
fi
"$PARVA" serve --listen 127.0.0.1:0 --store "$work/store.sqlite" "${guarded[@]}" 2>"$work/log" &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server"; rm -rf "$work"' EXIT
address=""
for _ in $(seq 200); do
  address=$(grep -om1 '127\.0\.0\.1:[1-9][0-9]*' "$work/log") && break
  sleep 0.1
done
[ -n "$address" ] || { cat "$work/log"; fail "$name"; exit 1; }

if [ -n "${PARVA_NAMESPACE:-}" ]; then
  name="$name, within a namespace"
  for body in "namespaces {\"name\":\"$PARVA_NAMESPACE\"}" 'namespaces {"name":"other"}' \
    'workloads {"id":"other:web","model":"resnet50","rate":50,"slo":{"latencyMs":200}}'; do
    curl -sf -o /dev/null -H "Authorization: Bearer $admin" -d "${body#* }" "http://$address/v1/${body%% *}" ||
      { fail "$name"; exit 1; }
  done
fi

checks=not_a_server_error,status_code_conformance,content_type_conformance
checks+=,response_schema_conformance,response_headers_conformance
examine() { # PHASES OPTIONS...
  (cd "$work" && "$venv/bin/schemathesis" --config-file /dev/null run "http://$address/openapi.yaml" --checks "$checks" \
    --phases "$1" --seed 1 --max-examples 25 --request-timeout 10 --suppress-health-check=too_slow,data_too_large --no-color "${asking[@]}" "${@:2}")
}
# Requests that wait for the next plan, or for events, are not generated at random: they would wait.
waiting=(getPlan streamPlanEvents streamEvents streamEndpoints)
without=()
for operation in "${waiting[@]}"; do without+=(--exclude-operation-id "$operation"); done
if examine examples,coverage,fuzzing "${without[@]}" >"$work/report" 2>&1 &&
  examine examples,coverage --include-operation-id getPlan >>"$work/report" 2>&1; then
  grep -E 'generated, ' "$work/report" | sed 's/^ */  /'
  pass "$name"
else
  cat "$work/report"
  fail "$name"
fi
