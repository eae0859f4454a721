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

# A TCP port on loopback that nobody listens on and that no other call handed out lately.
# Below the range from which the kernel takes ports for outgoing connections.
free_port() {
  python3 - <<'PY'
import fcntl, os, random, socket, tempfile, time
path = os.path.join(tempfile.gettempdir(), f"ward-ports-{os.getuid()}")
with open(path, "a+") as book:
    fcntl.flock(book, fcntl.LOCK_EX)
    book.seek(0)
    recent = dict(line.split() for line in book.read().splitlines() if float(line.split()[1]) > time.time() - 600)
    for _ in range(2000):
        port = random.randint(20001, 32000)
        if str(port) in recent:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        recent[str(port)] = str(time.time())
        break
    else:
        raise SystemExit("no free port")
    book.seek(0)
    book.truncate()
    book.writelines(f"{port} {when}\n" for port, when in recent.items())
print(port)
PY
}

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
