# Sourced by the scripts: where things are, free ports, waiting, and ending what was started.

VENV=.tmp/venv
PATH="$PATH:/usr/sbin:/sbin"
# Node.js, where the machine has none that is new enough (scripts/install-deps.sh).
[ ! -d "$PWD/.tmp/node/bin" ] || PATH="$PWD/.tmp/node/bin:$PATH"

# The binary under test: WARD_BIN, or what cargo built.
ward_binary() {
  if [ -n "${WARD_BIN:-}" ]; then echo "$WARD_BIN"; return; fi
  local target
  target=$(cargo metadata --no-deps --format-version 1 --offline 2>/dev/null | sed -nE 's/.*"target_directory":"([^"]*)".*/\1/p')
  echo "${target:-target}/debug/ward"
}

# A TCP port that nobody listens on and that nobody was given lately.
free_port() { python3 interop/ports.py; }

# wait_for SECONDS WHAT COMMAND…: polls until the command succeeds.
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ $SECONDS -ge $deadline ]; then echo "gave up waiting for $what" >&2; return 1; fi
    sleep 0.05
  done
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Processes that this script started; ended by their own ids, never by name.
STARTED=()
started() { STARTED+=("$1"); }
end_started() {
  local pid
  for pid in "${STARTED[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${STARTED[@]}"; do
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  STARTED=()
}
