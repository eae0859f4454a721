#!/usr/bin/env bash
# A PostgreSQL cluster for tests, reachable only through a Unix socket in DIR.
#
#   pg-test-cluster.sh start DIR [PID]  makes DIR, starts a cluster in it, prints its URL;
#                                       stops it when process PID has ended
#   pg-test-cluster.sh stop  DIR        stops it and removes DIR
#   pg-test-cluster.sh crash DIR        ends all of its processes at once, as a crash would
#   pg-test-cluster.sh again DIR        starts it again
#   pg-test-cluster.sh tls   DIR PORT   has it listen on localhost:PORT too, with a certificate
#                                       that DIR/ca.crt verifies
#
# The URL names the database "postgres"; add others with CREATE DATABASE. DIR must be short (a
# socket's path has at most 107 bytes) and in a place that everybody may enter.
# It keeps fsync on: these tests are about what survives.
set -euo pipefail

usage() { sed -n '2,16s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -eq 2 ] || [ $# -eq 3 ] || usage
command=$1
mkdir -p "$(dirname "$2")"
dir=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1 || true)
if [ -z "$bin" ] || [ ! -x "$bin/initdb" ]; then
    echo "PostgreSQL's server is missing: apt-get install postgresql" >&2
    exit 1
fi

# PostgreSQL refuses to run as root.
as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

configure() {
    printf '%s\n' "$@" | as_server tee -a "$dir/data/postgresql.conf" >/dev/null
}

start() {
    as_server "$bin/pg_ctl" start -s -w -t 60 -D "$dir/data" -l "$dir/log" >/dev/null || {
        cat "$dir/log" >&2
        exit 1
    }
}

crash() {
    as_server "$bin/pg_ctl" stop -s -m immediate -D "$dir/data"
}

certificate() {
    local new=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
    as_server openssl req -x509 "${new[@]}" -keyout "$dir/ca.key" -out "$dir/ca.crt" \
        -subj "/CN=test" -days 7 2>/dev/null
    as_server openssl req -new "${new[@]}" -keyout "$dir/server.key" -out "$dir/server.csr" \
        -subj "/CN=localhost" 2>/dev/null
    echo "subjectAltName=DNS:localhost" | as_server tee "$dir/server.ext" >/dev/null
    as_server openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" \
        -CAcreateserial -extfile "$dir/server.ext" -out "$dir/server.crt" -days 7 2>/dev/null
}

case $command in
start)
    mkdir "$dir"
    chmod 755 "$dir"
    [ "$(id -u)" -ne 0 ] || chown postgres "$dir"
    as_server "$bin/initdb" -D "$dir/data" -U ward -A trust -E UTF8 --locale=C >/dev/null
    configure "max_connections = 300" "shared_buffers = 64MB" "port = 5432" \
        "listen_addresses = ''" "unix_socket_directories = '$dir'"
    start
    if [ $# -eq 3 ]; then
        setsid "$0" watch "$dir" "$3" </dev/null >/dev/null 2>&1 &
    fi
    echo "postgres://ward@$(printf %s "$dir" | sed 's#/#%2F#g')/postgres"
    ;;
stop)
    as_server "$bin/pg_ctl" stop -s -m immediate -D "$dir/data" >/dev/null 2>&1 || true
    rm -rf "$dir" "$dir.lock"
    ;;
watch)
    while kill -0 "$3" 2>/dev/null; do sleep 1; done
    exec "$0" stop "$dir"
    ;;
crash)
    crash
    ;;
again)
    start
    ;;
tls)
    certificate
    configure "ssl = on" "ssl_cert_file = '$dir/server.crt'" "ssl_key_file = '$dir/server.key'" \
        "listen_addresses = '127.0.0.1'" "port = $3"
    crash
    start
    ;;
*)
    usage
    ;;
esac
