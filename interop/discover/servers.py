"""A hospital of other people's TLS servers on loopback, each on ports and in a folder of its own, in the foreground; and what was
configured, as the places where a scanner should find it."""

import glob
import os
import pwd
import shutil
import socket
from dataclasses import dataclass

from hospital import eventually, free_port, must

MODERN = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384"


@dataclass
class Place:
    """One service: where it is and how others' tools are told to speak to it."""

    name: str
    port: int
    starttls: str = None
    sni: str = None
    # Answers one connection at a time.
    single: bool = False
    # Also by testssl.sh, which takes most of a minute.
    long: bool = False
    # Asks for a client certificate.
    asks: bool = False
    # What `openssl s_client` needs to be told to speak as old as this.
    old: tuple = ()
    # In the server's own configuration: whether its order decides. None: it does not say.
    ordered: bool = None


class Authority:
    """A root, an issuing authority below it, and what they sign."""

    def __init__(self, folder):
        self.folder = folder
        self.root = folder / "root.pem"
        must(["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "3650", "-subj", "/O=Mercy Hospital/CN=Root",
              "-keyout", folder / "root.key", "-out", self.root])
        self.issuing = self.sign("issuing", "/O=Mercy Hospital/CN=Issuing", "rsa:2048",
                                 "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign", "root")[1]

    def sign(self, name, subject, kind, extensions, by="issuing"):
        key, certificate, request, more = (self.folder / f"{name}.{end}" for end in ("key", "pem", "csr", "ext"))
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else ["-newkey", kind]
        must(["openssl", "req", "-new", "-nodes", *new, "-subj", subject, "-keyout", key, "-out", request])
        more.write_text(extensions + "\nsubjectKeyIdentifier=hash\n")
        must(["openssl", "x509", "-req", "-in", request, "-CA", self.folder / f"{by}.pem", "-CAkey", self.folder / f"{by}.key",
              "-CAcreateserial", "-days", "90", "-extfile", more, "-out", certificate])
        return key, certificate

    def server(self, name, kind="rsa:2048"):
        """(key, leaf followed by its issuer) of a host."""
        key, leaf = self.sign(name, f"/CN={name}.mercy.example", kind, f"subjectAltName=DNS:{name}.mercy.example,DNS:localhost")
        chain = self.folder / f"{name}.chain.pem"
        chain.write_text(leaf.read_text() + self.issuing.read_text())
        for path in (key, chain):
            path.chmod(0o644)
        return key, chain


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Servers:
    def __init__(self, folder, spawn):
        self.folder, self._spawn = folder, spawn
        self.authority = Authority(folder)
        self.places = []
        self.waiting = []

    def all(self):
        for start in (self.postgres, self.nginx, self.haproxy, self.slapd, self.mosquitto, self.postfix, self.dovecot, self.dcmtk,
                      self.freeradius, self.vsftpd, self.xrdp, self.prosody, self.mariadb, self.gnutls, self.old_openssl):
            start()
        for name, port, log in self.waiting:
            if not eventually(30, lambda: listens(port)):
                raise SystemExit(f"{name} does not listen on {port}:\n{log.read_text(errors='replace')[-2000:]}")
        return self.places

    def own(self, name, user=None):
        folder = self.folder / name
        folder.mkdir()
        if user:
            account = pwd.getpwnam(user)
            os.chown(folder, account.pw_uid, account.pw_gid)
        return folder

    def run(self, name, command, *places, **options):
        log = self.folder / f"{name}.log"
        out = open(log, "ab")
        self._spawn(command, stdout=out, stderr=out, **options)
        for place in places:
            self.waiting.append((name, place.port, log))
            self.places.append(place)

    def postgres(self):
        key, chain = self.authority.server("postgres")
        folder = self.own("postgres", "postgres")
        for name, path in (("server.key", key), ("server.crt", chain)):
            shutil.copy(path, folder / name)
            shutil.chown(folder / name, "postgres", "postgres")
            (folder / name).chmod(0o600)
        binaries = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        account = pwd.getpwnam("postgres")
        as_user = ["setpriv", "--reuid", account.pw_uid, "--regid", account.pw_gid, "--clear-groups"]
        must([*as_user, f"{binaries}/initdb", "-D", folder / "data", "-U", "ward", "--auth=trust", "--no-sync"], cwd=folder)
        port = free_port()
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "ssl": "on", "ssl_cert_file": folder / "server.crt",
                    "ssl_key_file": folder / "server.key"}
        self.run("postgres", [*as_user, f"{binaries}/postgres", "-D", folder / "data", "-p", port,
                              *(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))],
                 Place("postgres", port, "postgres", ordered=True), cwd=folder)

    def nginx(self):
        folder = self.own("nginx")
        sites = [(name, *self.authority.server(name, kind)) for name, kind in
                 (("portal", "rsa:2048"), ("fhir", "ec"), ("pacs", "rsa:3072"))]
        names, modules = free_port(), free_port()
        site = "server {{ listen 127.0.0.1:{port} ssl{default}; server_name {name}.mercy.example; ssl_certificate {chain}; ssl_certificate_key {key}; {more} }}"
        servers = [site.format(port=names, default=" default_server" if name == "portal" else "", name=name, chain=chain, key=key, more="")
                   for name, key, chain in sites]
        servers.append(site.format(port=modules, default="", name="engine", chain=sites[0][2], key=sites[0][1],
                                   more=f"ssl_verify_client on; ssl_client_certificate {self.authority.root};"))
        config = folder / "nginx.conf"
        config.write_text(f"""
            daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
            events {{ worker_connections 512; }}
            http {{
              access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
              fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
              ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; ssl_session_cache off;
              {" ".join(servers)}
            }}""")
        self.run("nginx", ["nginx", "-c", config, "-p", folder, "-e", folder / "error.log"],
                 Place("nginx", names, long=True, ordered=True),
                 Place("nginx fhir", names, sni="fhir.mercy.example", ordered=True),
                 Place("nginx pacs", names, sni="pacs.mercy.example", ordered=True),
                 Place("nginx engine", modules, asks=True, ordered=True))

    def haproxy(self):
        folder, port = self.own("haproxy"), free_port()
        key, chain = self.authority.server("haproxy")
        both = folder / "haproxy.pem"
        both.write_text(chain.read_text() + key.read_text())
        config = folder / "haproxy.cfg"
        config.write_text(f"""
            defaults
              mode http
              timeout client 10s
              timeout server 10s
              timeout connect 10s
            frontend tls
              bind 127.0.0.1:{port} ssl crt {both} ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2 ciphers {MODERN}
""".replace("\n            ", "\n"))
        self.run("haproxy", ["haproxy", "-db", "-f", config], Place("haproxy", port, ordered=True))

    def slapd(self):
        folder = self.own("slapd")
        key, chain = self.authority.server("ldap")
        plain, direct = free_port(), free_port()
        (folder / "db").mkdir()
        config = folder / "slapd.conf"
        config.write_text(f"""
include /etc/ldap/schema/core.schema
pidfile {folder}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile {chain}
TLSCertificateKeyFile {key}
database mdb
suffix "dc=mercy,dc=example"
directory {folder}/db
""")
        self.run("slapd", ["slapd", "-d", "0", "-f", config, "-h", f"ldap://127.0.0.1:{plain}/ ldaps://127.0.0.1:{direct}/"],
                 Place("slapd STARTTLS", plain, "ldap"), Place("slapd", direct))

    def mosquitto(self):
        folder, port = self.own("mosquitto"), free_port()
        key, chain = self.authority.server("mqtt", "ec")
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\ncertfile {chain}\nkeyfile {key}\ncafile {self.authority.root}\n"
                          "require_certificate true\nallow_anonymous true\nuser root\n")
        self.run("mosquitto", ["mosquitto", "-c", config], Place("mosquitto", port, asks=True))

    def postfix(self):
        folder, port = self.own("postfix"), free_port()
        key, chain = self.authority.server("mail")
        for name in ("queue", "data"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix", "postfix")
        settings = {
            "compatibility_level": "3.6", "queue_directory": folder / "queue", "data_directory": folder / "data",
            "command_directory": "/usr/sbin", "daemon_directory": "/usr/lib/postfix/sbin", "mail_owner": "postfix", "setgid_group": "postdrop",
            "myhostname": "mail.mercy.example", "mydestination": "", "inet_interfaces": "127.0.0.1", "mynetworks": "127.0.0.0/8",
            "alias_maps": "", "local_recipient_maps": "", "smtpd_tls_security_level": "may", "smtpd_tls_cert_file": chain, "smtpd_tls_key_file": key,
            "smtpd_client_connection_rate_limit": "0", "maillog_file": folder / "maillog", "maillog_file_prefixes": folder,
        }
        (folder / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (folder / "master.cf").write_text(f"127.0.0.1:{port} inet n - n - - smtpd\nanvil unix - - n - 1 anvil\ntlsmgr unix - - n 1000? 1 tlsmgr\n"
                                          "rewrite unix - - n - - trivial-rewrite\nproxymap unix - - n - - proxymap\npostlog unix-dgram n - n - 1 postlogd\n")
        must(["postfix", "-c", folder, "check"])
        self.run("postfix", ["/usr/lib/postfix/sbin/master", "-c", folder, "-d"], Place("postfix", port, "smtp"))

    def dovecot(self):
        folder = self.own("dovecot")
        key, chain = self.authority.server("imap")
        imap, imaps, pop3, pop3s = (free_port() for _ in range(4))
        (folder / "users").write_text("")
        listener = "inet_listener {name} {{\n address = 127.0.0.1\n port = {port}\n ssl = {ssl}\n}}\n"
        service = "service {name}-login {{\n{listeners}}}\n"
        pair = lambda name, plain, direct: service.format(name=name, listeners=listener.format(name=name, port=plain, ssl="no")
                                                          + listener.format(name=name + "s", port=direct, ssl="yes"))
        config = folder / "dovecot.conf"
        config.write_text(f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap pop3
ssl = yes
ssl_cert = <{chain}
ssl_key = <{key}
ssl_prefer_server_ciphers = yes
default_login_user = dovenull
default_internal_user = dovecot
mail_location = maildir:{folder}/mail
passdb {{
 driver = passwd-file
 args = {folder}/users
}}
userdb {{
 driver = passwd
}}
{pair("imap", imap, imaps)}
{pair("pop3", pop3, pop3s)}""")
        self.run("dovecot", ["dovecot", "-F", "-c", config], Place("dovecot IMAP", imap, "imap", ordered=True), Place("dovecot IMAPS", imaps, ordered=True),
                 Place("dovecot POP3", pop3, "pop3", ordered=True), Place("dovecot POP3S", pop3s, ordered=True))

    def dcmtk(self):
        folder, port = self.own("dcmtk"), free_port()
        key, chain = self.authority.server("archive")
        self.run("dcmtk", ["storescp", "+tls", key, chain, "+px", "-ic", "-od", folder, port], Place("dcmtk", port, single=True))

    def freeradius(self):
        folder, port = self.own("freeradius"), free_port()
        key, chain = self.authority.server("radius")
        (folder / "dictionary").write_text("$INCLUDE /usr/share/freeradius/dictionary\n")
        (folder / "proxy.conf").write_text("")
        (folder / "radiusd.conf").write_text(f"""
prefix = /usr
libdir = /usr/lib/freeradius
name = radiusd
confdir = {folder}
run_dir = {folder}
logdir = {folder}
security {{
  allow_vulnerable_openssl = yes
}}
thread pool {{
  start_servers = 1
  max_servers = 4
}}
clients radsec {{
  client loopback {{
    ipaddr = 127.0.0.1
    proto = tls
    secret = radsec
  }}
}}
modules {{
}}
server default {{
  listen {{
    type = auth
    proto = tcp
    ipaddr = 127.0.0.1
    port = {port}
    clients = radsec
    limit {{
      max_connections = 64
    }}
    tls {{
      private_key_file = {key}
      certificate_file = {chain}
      ca_file = {self.authority.root}
      tls_min_version = "1.2"
      tls_max_version = "1.2"
      require_client_cert = yes
    }}
  }}
  authorize {{
  }}
}}
""")
        self.run("freeradius", ["freeradius", "-f", "-l", "stdout", "-d", folder], Place("freeradius", port, asks=True))

    def vsftpd(self):
        folder, port = self.own("vsftpd"), free_port()
        key, chain = self.authority.server("ftp")
        (folder / "empty").mkdir()
        config = folder / "vsftpd.conf"
        config.write_text(f"""listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=NO
local_enable=YES
secure_chroot_dir={folder}/empty
ssl_enable=YES
ssl_tlsv1=NO
ssl_sslv2=NO
ssl_sslv3=NO
rsa_cert_file={chain}
rsa_private_key_file={key}
ssl_ciphers=HIGH
seccomp_sandbox=NO
""")
        self.run("vsftpd", ["vsftpd", config], Place("vsftpd", port, "ftp", asks=True))

    def xrdp(self):
        folder, port = self.own("xrdp"), free_port()
        key, chain = self.authority.server("desktop")
        config = folder / "xrdp.ini"
        config.write_text(f"""[Globals]
ini_version=1
fork=true
port=tcp://127.0.0.1:{port}
security_layer=tls
certificate={chain}
key_file={key}
ssl_protocols=TLSv1.2
autorun=
[Logging]
LogFile={folder}/log
LogLevel=WARNING
EnableSyslog=false
[Channels]
[Xorg]
name=Xorg
lib=libxup.so
""")
        self.run("xrdp", ["xrdp", "-n", "-c", config], Place("xrdp", port, "rdp"))

    def prosody(self):
        folder, port = self.own("prosody"), free_port()
        key, chain = self.authority.server("chat")
        (folder / "data").mkdir()
        config = folder / "prosody.cfg.lua"
        config.write_text(f"""
run_as_root = true
daemonize = false
data_path = "{folder}/data"
pidfile = "{folder}/pid"
log = {{ error = "*console" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
modules_enabled = {{ "tls"; "saslauth" }}
modules_disabled = {{ "s2s"; "http"; "component" }}
c2s_require_encryption = true
limits = {{ }}
ssl = {{ key = "{key}"; certificate = "{chain}" }}
VirtualHost "127.0.0.1"
VirtualHost "chat.mercy.example"
""")
        self.run("prosody", ["prosody", "-F", "--config", config], Place("prosody", port, "xmpp", sni="chat.mercy.example"))

    def mariadb(self):
        folder, port = self.own("mariadb"), free_port()
        key, chain = self.authority.server("registry")
        (folder / "data").mkdir()
        self.run("mariadb", ["mariadbd", "--no-defaults", "--user=root", f"--datadir={folder}/data", f"--socket={folder}/socket", f"--port={port}",
                             "--bind-address=127.0.0.1", "--skip-grant-tables", "--skip-networking=0", "--innodb-buffer-pool-size=16M",
                             f"--ssl-cert={chain}", f"--ssl-key={key}", f"--pid-file={folder}/pid", "--skip-log-bin", "--max-connect-errors=100000"],
                 Place("mariadb", port, "mysql", asks=True), cwd=folder)

    def gnutls(self):
        port = free_port()
        key, chain = self.authority.server("gnutls")
        self.run("gnutls", ["gnutls-serv", "--quiet", "--echo", "--port", port, "--x509keyfile", key, "--x509certfile", chain,
                            "--priority", "NORMAL:+VERS-TLS1.0:+VERS-TLS1.1:+3DES-CBC:%SERVER_PRECEDENCE", "--disable-client-cert"],
                 Place("gnutls", port, ordered=True))

    def old_openssl(self):
        """What stands in a basement: TLS 1.0 and 1.1, RSA key exchange, and a self-signed certificate of 1024 bits with SHA-1."""
        rsa_key, rsa_chain = self.authority.server("analyser")
        weak_key, weak = self.folder / "weak.key", self.folder / "weak.pem"
        must(["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:1024", "-sha1", "-days", "7300", "-subj", "/CN=pump", "-keyout", weak_key, "-out", weak])
        lowest = ("-cipher", "ALL:@SECLEVEL=0")
        above = ["-cert_chain", self.authority.issuing]
        for name, key, certificate, options, more in (
                ("openssl old", rsa_key, rsa_chain, [*above, "-no_tls1_2", "-no_tls1_3", "-cipher", "ALL:!aNULL:@SECLEVEL=0", "-serverpref"],
                 {"old": ("-tls1_1", *lowest), "ordered": True, "long": True}),
                ("openssl kRSA", rsa_key, rsa_chain, [*above, "-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"], {"old": ("-tls1_2", *lowest), "ordered": False}),
                ("openssl weak", weak_key, weak, ["-no_tls1_3", "-cipher", "ALL:eNULL:@SECLEVEL=0"], {"old": ("-tls1_2", *lowest), "ordered": False})):
            port = free_port()
            self.run(name.replace(" ", "-"), ["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", "-key", key, "-cert", certificate, "-www", *options],
                     Place(name, port, single=True, **more), env=os.environ | {"OPENSSL_CONF": "/dev/null"})
