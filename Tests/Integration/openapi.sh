#!/usr/bin/env bash
# openapi.yaml is a valid OpenAPI 3.1 document, by an independent validator.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh

name="openapi.yaml is valid OpenAPI 3.1"
python_tool openapi-spec-validator 0.9.0 "$name"
if "$venv/bin/openapi-spec-validator" --schema 3.1 openapi.yaml; then pass "$name"; else fail "$name"; fi
