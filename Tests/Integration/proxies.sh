#!/usr/bin/env bash
# A real HAProxy and a real nginx before launched stand-in model servers on simulated nodes: they take the files that are
# written for them, HAProxy is kept by commands as the endpoints change, and what a Prometheus is to read answers.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh

system_tool haproxy haproxy "an HAProxy is kept as the controller tells"
system_tool nginx nginx-light "an nginx takes the upstreams of a controller"
export PATH
exec python3 Tests/Integration/other_proxies.py "$@"
