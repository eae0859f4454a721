"""A FreeRADIUS that knows EAP-TLS and nothing else, in a folder of its own and in the foreground; and eapol_test as the
device behind a switch."""

from hospital import eventually, free_port, must, run

RADIUSD = """
prefix = /usr
libdir = /usr/lib/freeradius
name = radiusd
confdir = {folder}
run_dir = {folder}
logdir = {folder}
max_request_time = 30
cleanup_delay = 5
max_requests = 1024
security {{
  allow_vulnerable_openssl = yes
}}
thread pool {{
  start_servers = 2
  max_servers = 4
  max_requests_per_server = 0
}}
modules {{
  $INCLUDE {folder}/eap
}}
client switch {{
  ipaddr = 127.0.0.1
  secret = testing123
}}
server default {{
  listen {{
    type = auth
    ipaddr = 127.0.0.1
    port = {port}
  }}
  authorize {{
    eap
  }}
  authenticate {{
    eap
  }}
}}
"""


class Radius:
    def __init__(self, hospital, eap):
        self.hospital, self.port = hospital, free_port()
        self.folder = hospital.folder / f"radius-{self.port}"
        self.folder.mkdir()
        (self.folder / "radiusd.conf").write_text(RADIUSD.format(folder=self.folder, port=self.port))
        (self.folder / "eap").write_text(eap)
        for name in ("dictionary", "proxy.conf"):
            (self.folder / name).write_text("")
        (self.folder / "dictionary").write_text("$INCLUDE /usr/share/freeradius/dictionary\n")
        must(["freeradius", "-C", "-X", "-d", self.folder])
        self.log = open(self.folder / "log", "ab")
        self.process = hospital.spawn(["freeradius", "-X", "-d", self.folder], stdout=self.log, stderr=self.log)
        eventually(20, lambda: "Ready to process requests" in self.said())

    def said(self):
        return (self.folder / "log").read_text(errors="replace")

    def admits(self, root, chain, key, name):
        """What eapol_test makes of it; it ends with SUCCESS or FAILURE."""
        config = self.folder / "eapol.conf"
        config.write_text(f'''network={{
  ssid="ward"
  key_mgmt=WPA-EAP
  eap=TLS
  identity="device"
  ca_cert="{root}"
  domain_match="{name}"
  client_cert="{chain}"
  private_key="{key}"
}}
''')
        return run(["eapol_test", "-c", config, "-a", "127.0.0.1", "-p", self.port, "-s", "testing123", "-r", "0", "-t", "15"])
