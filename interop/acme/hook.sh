#!/bin/sh
# The one hook of all clients that have hooks: puts a challenge where the authority looks for it, and, if
# RESTART_URL is set, has the server restarted in the middle of the order.
#
#   hook.sh http|dns|alpn add|remove NAME TOKEN-or-VALUE [CONTENT]
#
# WEBROOT, DNS_PORT, TSIG_KEY and UALPN_SOCK say where. Names are checked by the callers, which are the tests.
set -eu

kind=$1 act=$2 name=${3#\*.} value=$4 content=${5:-}

case $kind-$act in
  http-add) printf %s "$content" >"$WEBROOT/.well-known/acme-challenge/$value" ;;
  http-remove) rm -f "$WEBROOT/.well-known/acme-challenge/$value" ;;
  dns-*)
    verb=add; [ "$act" = add ] || verb=delete
    nsupdate -k "$TSIG_KEY" <<END
server 127.0.0.1 $DNS_PORT
update $verb _acme-challenge.$name. 1 IN TXT "$value"
send
END
    ;;
  alpn-add) printf 'auth %s %s\n' "$name" "$value" | ualpn -s "$UALPN_SOCK" | grep -q '^OK' ;;
  alpn-remove) printf 'unauth %s\n' "$name" | ualpn -s "$UALPN_SOCK" >/dev/null ;;
  *) echo "hook.sh: $kind $act?" >&2; exit 2 ;;
esac

if [ "$act" = add ] && [ -n "${RESTART_URL:-}" ]; then curl -fsS --noproxy '*' -o /dev/null "$RESTART_URL"; fi
