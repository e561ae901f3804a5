#!/usr/bin/env bash
# A client that a common generator makes of the controller's own description works against it.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh

python_tool openapi-python-client 0.29.1 "a client generated from the description works"
GENERATOR="$venv/bin/openapi-python-client" PATH="$venv/bin:$PATH" exec "$venv/bin/python3" Tests/Integration/generated_client.py
