#!/usr/bin/env bash
# The controller's page in a real Chromium: every view and every action, what happens live, after a restart, with a token that
# may only read, and with names that want to be scripts; and what axe-core says of its accessibility. No GPU is behind the nodes.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh

system_tool chromium chromium "the page works in a browser"
python_tool axe-playwright-python 0.1.8 "the page is accessible" --no-deps
AXE=$(find "$venv" -name axe.min.js | head -n 1) exec python3 Tests/Integration/dashboard_page.py "$@"
