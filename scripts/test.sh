#!/usr/bin/env bash
# Everything that must pass before a change lands. Called by `make test`, which is what CI calls.
#
#   scripts/test.sh              all steps
#   scripts/test.sh STEP…        only these: style tidy console build unit interop browser docs demo
#
# One cargo profile (dev, with optimised dependencies) serves tests, interop and demo, so that the
# expensive dependencies are compiled once.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

step_style() {
  cargo fmt --all --check
  cargo clippy --locked --workspace --all-targets -- -D warnings
}

step_tidy() {
  cargo run --locked -q -p xtask -- tidy
  cargo run --locked -q -p xtask -- deny
  if command -v cargo-deny >/dev/null; then cargo deny check licenses bans sources; fi
}

# Before build, which puts what comes of it into the binary. The build fails above 300 kB of JavaScript on first load.
step_console() {
  cd console
  npm ci --no-progress --prefer-offline --loglevel=error
  npm run --silent types
  npm run --silent check
  npm run --silent lint
  npm run --silent test
  npm run --silent build
}

step_build() { cargo build --locked -p ward; }

# bench/ is measured in release only; style checks that it compiles.
step_unit() {
  export WARD_VENV="$PWD/$VENV"
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace --exclude bench --no-fail-fast --status-level fail --final-status-level slow
  else
    cargo test --locked --workspace --exclude bench --no-fail-fast
  fi
}

step_interop() { interop/run; }
# Debian's Chromium on a Ward with its console, passkeys by a virtual authenticator; pictures are in .tmp/screens.
step_browser() { WARD_BIN=$(ward_binary) npm --prefix console run --silent browser; }
step_docs() { WARD_BIN=$(ward_binary) "$VENV/bin/python" interop/doc_commands.py README.md docs; }
step_demo() { DEMO_EXIT=1 scripts/demo.sh; }

steps=(style tidy console build unit interop browser docs demo)
[ $# = 0 ] || steps=("$@")

failed=()
times=
for step in "${steps[@]}"; do
  printf '\n=== %s (%s)\n' "$step" "$(date -u +%H:%M:%S)"
  started=$SECONDS
  # Not `if ! step_…`: that would switch off `set -e` inside the step.
  set +e
  ( set -e; "step_$step" )
  status=$?
  set -e
  times+=" $step $((SECONDS - started))s"
  if [ $status != 0 ]; then
    failed+=("$step")
    # Nothing after a build that failed can say anything.
    [ "$step" != build ] || break
  fi
done

printf '\n=== times:%s\n' "$times"
if [ ${#failed[@]} -gt 0 ]; then echo "FAILED: ${failed[*]}"; exit 1; fi
echo "all of ${steps[*]} passed"
