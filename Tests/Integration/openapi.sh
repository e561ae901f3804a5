#!/usr/bin/env bash
# openapi.yaml is a valid OpenAPI 3.1 document, by an independent validator.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh

name="openapi.yaml is valid OpenAPI 3.1"
version=0.9.0
venv=.cache/openapi-validator-$version
if [ ! -x "$venv/bin/openapi-spec-validator" ]; then
  rm -rf "$venv"
  if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "openapi-spec-validator==$version"; } >&2; then
    rm -rf "$venv"
    if [ "${PARVA_CI:-0}" = 1 ]; then
      fail "$name (the validator could not be installed, and CI must run it)"
      exit 1
    fi
    skip "$name" "the validator could not be installed (is the network reachable?)"
    exit 0
  fi
fi
if "$venv/bin/openapi-spec-validator" --schema 3.1 openapi.yaml; then pass "$name"; else fail "$name"; fi
