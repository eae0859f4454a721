#!/usr/bin/env bash
# kill -9 under load, on both databases: nothing acknowledged is lost. CRASH_KILLS sets how often.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .tmp/venv/bin/python interop/crash.py "$@"
