# Sourced after lib.sh by the demo and by interop tests: a Ward of one's own in a temporary directory,
# keys and requests made by OpenSSL, and checks that print one line each.

# Prints one line a check and counts. `check TEXT COMMAND…` wants success; `refuse TEXT COMMAND…` wants
# failure, and must stand beside a check of the same command that succeeds, or a dead server passes.
CHECKS=0 FAILURES=0
check() {
  local text=$1 output
  shift
  CHECKS=$((CHECKS + 1))
  if output=$("$@" 2>&1); then printf '  ok    %s\n' "$text"; else fail "$text" "$output" "$@"; fi
}
refuse() {
  local text=$1 output
  shift
  CHECKS=$((CHECKS + 1))
  if output=$("$@" 2>&1); then fail "$text (it was accepted)" "$output" "$@"; else printf '  ok    %s\n' "$text"; fi
}
fail() {
  local text=$1 output=$2
  shift 2
  FAILURES=$((FAILURES + 1))
  printf '  FAIL  %s\n        command: %s\n' "$text" "$*"
  printf '%s\n' "$output" | tail -20 | sed 's/^/        | /'
  [ -z "${STOP_AT_FIRST:-}" ] || exit 1
}
summary() {
  printf '%s: %d passed, %d failed\n' "$1" $((CHECKS - FAILURES)) "$FAILURES"
  [ $FAILURES = 0 ]
}

# contains TEXT COMMAND…: the command succeeds and prints TEXT.
contains() {
  local text=$1 output
  shift
  output=$("$@" 2>&1) || { printf '%s\n' "$output"; return 1; }
  grep -qF -- "$text" <<<"$output" || { printf 'no "%s" in:\n%s\n' "$text" "$output"; return 1; }
}
# within SECONDS COMMAND…: the command succeeds at some time in the interval.
within() {
  local seconds=$1
  shift
  wait_for "$seconds" "$*" "$@" || "$@"
}

# Makes WORK, initialises Ward in it and starts it. Sets WARD_URL (HTTPS), PUBLIC_URL (HTTP), ROOT_PEM.
start_hospital() {
  WARD_BIN=${WARD_BIN:-$(ward_binary)}
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/ward-$1-XXXXXX")
  # Servers that drop root must be able to enter.
  chmod 755 "$WORK"
  trap 'end_hospital' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  WARD_DATA="$WORK/ward"
  export WARD_DATA
  local port http_port
  port=$(free_port) http_port=$(free_port)
  WARD_URL="https://127.0.0.1:$port" PUBLIC_URL="http://127.0.0.1:$http_port"
  ward init --organization "${ORGANIZATION:-Mercy Hospital}" --root-out "$WORK/root-usb" --publish-url "$PUBLIC_URL" \
    --listen "127.0.0.1:$port" --http "127.0.0.1:$http_port" "${@:2}" >"$WORK/init.log" 2>&1 || { cat "$WORK/init.log"; return 1; }
  "$WARD_BIN" serve >"$WORK/ward.log" 2>&1 &
  WARD_PID=$!
  started $WARD_PID
  if ! wait_for 20 "Ward on $PUBLIC_URL" curl -fsS "$PUBLIC_URL/readyz"; then tail -20 "$WORK/ward.log"; return 1; fi
  ROOT_PEM="$WORK/root.pem"
  ward ca export root --out "$ROOT_PEM" >/dev/null
}

end_hospital() {
  local status=$?
  trap - EXIT
  end_started
  if [ -n "${KEEP_WORK:-}" ]; then echo "kept: $WORK"; else rm -rf "$WORK"; fi
  exit $status
}

ward() { "$WARD_BIN" "$@"; }

# make_request FILE SUBJECT [SUBJECTALTNAME] [ALGORITHM]: FILE.key and FILE.csr, by OpenSSL.
make_request() {
  local file=$1 subject=$2 names=${3:-} algorithm=${4:-ec} options=()
  case $algorithm in
    ec) options=(-newkey ec -pkeyopt ec_paramgen_curve:P-256) ;;
    p384) options=(-newkey ec -pkeyopt ec_paramgen_curve:P-384) ;;
    rsa) options=(-newkey rsa:2048) ;;
    *) options=(-newkey "$algorithm") ;;
  esac
  [ -z "$names" ] || options+=(-addext "subjectAltName=$names")
  openssl req -new "${options[@]}" -nodes -sha256 -keyout "$file.key" -out "$file.csr" -subj "$subject" 2>/dev/null
}

# issue FILE PROFILE SUBJECT [NAMES] [ALGORITHM]: also FILE.pem, the chain without the root.
issue() {
  make_request "$1" "$3" "${4:-}" "${5:-ec}" && ward cert issue --profile "$2" --csr "$1.csr" --out "$1.pem"
}

serial_of() { openssl x509 -in "$1" -noout -serial | cut -d= -f2 | tr 'A-F' 'a-f'; }
# The certificates of a chain file: the first alone, or all but the first.
leaf_of() { openssl x509 -in "$1"; }
issuers_of() { awk '/BEGIN CERT/ { n++ } n > 1' "$1"; }
