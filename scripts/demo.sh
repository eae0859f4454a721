#!/usr/bin/env bash
# make demo: a sample hospital on one machine. Ward issues what three real servers need, real clients
# connect with mutual TLS, one certificate is revoked and refused, and the log proves all of it.
# Ward stays up afterwards; with DEMO_EXIT=1 (tests) it stops.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
. scripts/hospital.sh
STOP_AT_FIRST=1

if [ -z "${WARD_BIN:-}" ]; then
  echo "Building Ward (the first time takes some minutes)"
  cargo build --locked -q -p ward
fi
started_at=$SECONDS
say() { printf '\n%s\n' "$*"; }

# --- the authority -----------------------------------------------------------------------------

say "1. Mercy Hospital gets a certificate authority"
start_hospital demo
certificates() { curl -fsS --cacert "$ROOT_PEM" -H "Authorization: Bearer $(cat "$WORK/token")" "$WARD_URL/api/v1/certificates$1" "${@:2}"; }
check "offline root and issuing authorities made; the root key lies encrypted in $WORK/root-usb" \
  grep -q 'BEGIN ENCRYPTED PRIVATE KEY' -r "$WORK/root-usb"
refuse "the root key is not on this machine's key store" sh -c "'$WARD_BIN' key list --json | grep -q '\"root\"'"
check "Ward serves its API over TLS with a certificate that it issued to itself" \
  contains 'ok' curl -fsS --cacert "$ROOT_PEM" "$WARD_URL/healthz"
check "a bearer token for the integration team: role issuer, 1 day, hashed at rest" \
  ward token create --name integration --role issuer --days 1 --out "$WORK/token"

# --- FHIR: nginx -------------------------------------------------------------------------------

say "2. nginx is the FHIR end point and lets in only clients with a certificate"
make_request "$WORK/fhir" "/CN=fhir.mercy.example" "DNS:fhir.mercy.example"
jq -n --rawfile csr "$WORK/fhir.csr" '{profile: "fhir-mtls", csr: $csr}' >"$WORK/fhir.json"
issue_by_rest() {
  certificates "" -H 'Content-Type: application/json' -d @"$WORK/fhir.json" | jq -er '.chain // .certificate' >"$WORK/fhir.pem"
}
check "its certificate is issued over REST from its own request (profile fhir-mtls)" issue_by_rest
check "the EHR's client certificate is issued from the command line" issue "$WORK/ehr" fhir-mtls /CN=ehr.mercy.example DNS:ehr.mercy.example
ward ca export servers --chain --out "$WORK/servers-chain.pem" >/dev/null
issuers_of "$WORK/fhir.pem" >"$WORK/servers.pem"
[ -s "$WORK/servers.pem" ] || openssl x509 -in "$WORK/servers-chain.pem" >"$WORK/servers.pem"
fetch_status() {
  openssl ocsp -issuer "$WORK/servers.pem" -cert "$1" -url "$PUBLIC_URL/ocsp" -CAfile "$ROOT_PEM" -no_nonce "${@:2}"
}
check "OpenSSL asks Ward about the server's certificate (OCSP): good" \
  contains ': good' fetch_status "$WORK/fhir.pem" -respout "$WORK/fhir-status.der"

FHIR_PORT=$(free_port)
mkdir -p "$WORK/nginx"
cat "$WORK/servers-chain.pem" "$ROOT_PEM" >"$WORK/nginx/anchors.pem"
cat >"$WORK/nginx/nginx.conf" <<CONF
daemon off; master_process on; worker_processes 1; pid $WORK/nginx/pid; error_log $WORK/nginx/error.log info;
events { worker_connections 256; }
http {
  access_log $WORK/nginx/access.log;
  client_body_temp_path $WORK/nginx/body; proxy_temp_path $WORK/nginx/proxy; fastcgi_temp_path $WORK/nginx/fastcgi;
  uwsgi_temp_path $WORK/nginx/uwsgi; scgi_temp_path $WORK/nginx/scgi;
  server {
    listen 127.0.0.1:$FHIR_PORT ssl;
    server_name fhir.mercy.example;
    ssl_certificate $WORK/fhir.pem;
    ssl_certificate_key $WORK/fhir.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_stapling on;
    ssl_stapling_file $WORK/fhir-status.der;
    # Clients: a certificate from the house, and Ward asked about it on every connection.
    ssl_client_certificate $WORK/nginx/anchors.pem;
    ssl_verify_client on;
    ssl_verify_depth 3;
    ssl_ocsp leaf;
    ssl_session_cache off;
    ssl_session_tickets off;
    default_type application/fhir+json;
    location /Patient { return 200 '{"resourceType":"Bundle","total":0,"client":"\$ssl_client_s_dn"}'; }
  }
}
CONF
nginx -p "$WORK/nginx" -c "$WORK/nginx/nginx.conf" 2>>"$WORK/nginx/error.log" &
started $!
wait_for 10 nginx port_open "$FHIR_PORT"
fhir() {
  curl -sS -f --cacert "$ROOT_PEM" --resolve "fhir.mercy.example:$FHIR_PORT:127.0.0.1" "https://fhir.mercy.example:$FHIR_PORT/Patient" "$@"
}
as_ehr() { fhir --cert "$WORK/ehr.pem" --key "$WORK/ehr.key" "$@"; }
check "the EHR reads /Patient: mutual TLS, stapled status of the server checked by curl, status of the client by nginx" \
  contains 'CN=ehr.mercy.example' as_ehr --cert-status
refuse "a client without a certificate is turned away" fhir

# --- DICOM: dcmtk ------------------------------------------------------------------------------

say "3. dcmtk's storescp is the image archive, echoscu a CT scanner (DICOM over TLS, PS3.15)"
check "the archive's certificate (profile dicom-node)" issue "$WORK/pacs" dicom-node /CN=PACS DNS:localhost,IP:127.0.0.1
check "the scanner's certificate (profile dicom-node, its serial number in the subject)" \
  issue "$WORK/ct" dicom-node /CN=CT-1/serialNumber=SN-20817 DNS:ct1.mercy.example
DICOM_PORT=$(free_port)
ward ca export devices --chain --out "$WORK/devices-chain.pem" >/dev/null
openssl x509 -in "$WORK/devices-chain.pem" >"$WORK/devices.pem"
device_crl() {
  curl -fsS "$PUBLIC_URL/crl/devices.crl" -o "$WORK/devices.crl" && openssl crl -inform DER -in "$WORK/devices.crl" -out "$WORK/devices.crl.pem"
}
check "the archive fetches the revocation list of the devices authority" device_crl
start_archive() {
  storescp +tls "$WORK/pacs.key" "$WORK/pacs.pem" +cf "$WORK/devices.pem" +cf "$ROOT_PEM" -rc +crl "$WORK/devices.crl.pem" \
    --output-directory "$WORK" --aetitle PACS "$DICOM_PORT" >>"$WORK/storescp.log" 2>&1 &
  ARCHIVE_PID=$!
  started $ARCHIVE_PID
  wait_for 10 storescp port_open "$DICOM_PORT"
}
start_archive
echo_from() {
  timeout 20 echoscu +tls "$WORK/$1.key" "$WORK/$1.pem" +cf "$WORK/devices.pem" +cf "$ROOT_PEM" -rc -aet CT1 -aec PACS 127.0.0.1 "$DICOM_PORT"
}
check "C-ECHO from the scanner to the archive, both sides authenticated, revocation list checked" echo_from ct
issue "$WORK/web" server-tls /CN=web.mercy.example DNS:web.mercy.example >/dev/null
refuse "C-ECHO with a web server's certificate is turned away" echo_from web

# --- MQTT: mosquitto ---------------------------------------------------------------------------

say "4. mosquitto takes vital signs from bedside devices"
check "the broker's certificate (profile server-tls)" issue "$WORK/broker" server-tls /CN=localhost DNS:localhost
check "an infusion pump's identity (profile device-ldevid, RSA as older devices want it)" \
  issue "$WORK/pump" device-ldevid /CN=pump-4711/serialNumber=SN-4711 "" rsa
MQTT_PORT=$(free_port)
cat "$WORK/devices.pem" "$ROOT_PEM" >"$WORK/mqtt-anchors.pem"
cat >"$WORK/mosquitto.conf" <<CONF
listener $MQTT_PORT 127.0.0.1
certfile $WORK/broker.pem
keyfile $WORK/broker.key
cafile $WORK/mqtt-anchors.pem
require_certificate true
use_identity_as_username true
allow_anonymous false
CONF
[ "$(id -u)" != 0 ] || { chown root:mosquitto "$WORK/broker.key"; chmod 640 "$WORK/broker.key"; }
mosquitto -c "$WORK/mosquitto.conf" >"$WORK/mosquitto.log" 2>&1 &
started $!
wait_for 10 mosquitto port_open "$MQTT_PORT"
publish() { timeout 20 mosquitto_pub -h localhost -p "$MQTT_PORT" --cafile "$ROOT_PEM" -t vitals/pump-4711 -m '{"rate":5}' -q 1 "$@"; }
check "the pump publishes with its own certificate as user name" publish --cert "$WORK/pump.pem" --key "$WORK/pump.key"
refuse "without a certificate nothing is published" publish

# --- revocation --------------------------------------------------------------------------------

say "5. The EHR's key and the scanner's are reported stolen"
EHR=$(serial_of "$WORK/ehr.pem") CT=$(serial_of "$WORK/ct.pem")
check "ward cert revoke $EHR --reason keyCompromise" ward cert revoke "$EHR" --reason keyCompromise --why "laptop stolen"
check "ward cert revoke $CT --reason keyCompromise" ward cert revoke "$CT" --reason keyCompromise --why "drive lost"
status_of_ehr() { contains ': revoked' fetch_status "$WORK/ehr.pem"; }
check "OCSP says revoked within a second or two" within 2 status_of_ehr
refuse "the EHR's next connection is refused by nginx, which asked Ward" as_ehr
issue "$WORK/ehr2" fhir-mtls /CN=ehr.mercy.example DNS:ehr.mercy.example >/dev/null
check "the EHR's new certificate is let in" contains 'CN=ehr.mercy.example' fhir --cert "$WORK/ehr2.pem" --key "$WORK/ehr2.key"
listed() { device_crl && contains "$(tr 'a-f' 'A-F' <<<"$CT")" openssl crl -in "$WORK/devices.crl.pem" -noout -text; }
check "the new revocation list has the scanner's serial number" within 3 listed
kill "$ARCHIVE_PID"; wait "$ARCHIVE_PID" 2>/dev/null || true
start_archive
refuse "the archive, with the new list, refuses the scanner" echo_from ct
check "and accepts the archive's own node" echo_from pacs

# --- proof -------------------------------------------------------------------------------------

say "6. The log proves it"
check "ward audit verify: tree, checkpoints, every certificate" ward audit verify
check "the log is exported as a folder" ward audit export "$WORK/log"
outside() { python3 interop/verify_log.py "$1" --vkey "$(cat "$1/vkey")"; }
check "a verifier in another language accepts the folder" outside "$WORK/log"
tamper() {
  cp -r "$WORK/log" "$WORK/log-tampered"
  python3 - "$WORK/log-tampered" <<'PY'
import pathlib, sys
bundle = next(path for path in sorted((pathlib.Path(sys.argv[1]) / "tile/entries").rglob("*")) if path.is_file())
data = bytearray(bundle.read_bytes())
data[len(data) // 2] ^= 1
bundle.write_bytes(data)
PY
}
check "one bit of one event is changed in a copy" tamper
refuse "and the verifier finds it" outside "$WORK/log-tampered"

# --- a whole hospital --------------------------------------------------------------------------

say "7. The rest of the hospital: some 1,200 certificates, four segments, devices, flows, findings"
"$VENV/bin/python" scripts/demo_hospital.py --ward "$WARD_BIN" --data "$WARD_DATA" --url "$WARD_URL" --root-key "$WORK/root-usb" | tee "$WORK/hospital.log"
radar_is_whole() {
  curl -fsS --cacert "$ROOT_PEM" -H "Authorization: Bearer $(cat "$WORK/token")" "$WARD_URL/api/v1/radar" |
    jq -e '[.axes[].value] | length == 8 and all(. != null)'
}
people_of_every_role() {
  jq -ne --argjson people "$(ward person list --json)" --argjson groups "$(ward group list --json)" '
    [$people[] | select(.state == "active") | .groups[] as $name | $groups[] | select(.name == $name) | .grants[].role] | unique as $have
    | ["admin", "approver", "auditor", "clinical-engineering", "help-desk", "integration", "ra-officer", "read-only", "security"] - $have == []'
}
check "people of every role are written down" people_of_every_role
links_for_them() { [ "$(grep -c '#/welcome/' "$WORK/hospital.log")" -ge 9 ]; }
check "and each has a one-time link to register a passkey by" links_for_them
check "the Health Radar has a value on every axis" radar_is_whole

# --- where to look -----------------------------------------------------------------------------

printf '\n%d checks passed in %d s.\n' "$CHECKS" $((SECONDS - started_at))
if [ -n "${DEMO_EXIT:-}" ]; then exit 0; fi
cat <<TEXT

Ward is up. The console: $WARD_URL/ (its root certificate: $ROOT_PEM; $(grep -h 'tokens of every role' "$WORK/hospital.log")).
Sign in as somebody of the list above by their link; each works once, for a day.
In another terminal:
  export WARD_DATA=$WARD_DATA; PATH=$(dirname "$WARD_BIN"):\$PATH
  ward status                      what runs and how old everything is
  ward cert list                   what was issued
  ward audit show                  what happened, and who did it
  ward x509 show $WORK/ehr2.pem
  curl --cacert $ROOT_PEM -H "Authorization: Bearer \$(cat $WORK/token)" $WARD_URL/api/v1/certificates
  curl $PUBLIC_URL/log/checkpoint  the signed head of the log
  curl --cacert $ROOT_PEM -H "Authorization: Bearer \$(cat $WORK/token)" $WARD_URL/api/v1/overview
  OpenAPI: $WARD_URL/api/v1/openapi.json    metrics: $WARD_URL/metrics
Ctrl-C ends Ward and the servers and removes $WORK.
TEXT
wait "$WARD_PID"
