#!/usr/bin/env bash
# `parva plan` against an independent integer program, solved by HiGHS (scipy), on random demands over all features.
# usage: PARVA=PATH planning_model.sh [--count N] [--seed FIRST]; 300 demands without arguments
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh
python_tool scipy 1.17.1 'plans are those of an independent integer program'
exec "$venv/bin/python" Tests/Integration/planning_model.py "$@"
