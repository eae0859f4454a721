use agent::observation::{FileFormat, Observation, Outcome, Serves, Use};

use crate::made::*;

/// What a file is said to serve: (purpose, names, addresses, configuration, line).
fn served(found: &[Observation], folder: &Folder, name: &str) -> Vec<Serves> {
    let here: Vec<_> = found
        .iter()
        .filter(|o| is_at(o, &folder.path(name)))
        .collect();
    assert!(!here.is_empty(), "{name}: {found:#?}");
    here[0].file.as_ref().unwrap().serves.clone()
}

#[test]
fn nginx_says_which_certificate_serves_which_name() {
    let folder = Folder::new();
    for name in [
        "tls/pacs",
        "tls/default",
        "tls/client",
        "tls/ca",
        "tls/snippet",
    ] {
        folder.certificate(name);
    }
    folder.write(
        "nginx/nginx.conf",
        r#"
# the main file
events { worker_connections 10; }
http {
    ssl_certificate ../tls/default.crt; ssl_certificate_key "../tls/default.key";
    log_format x '$remote_addr { ; } ${host}';
    include sites-enabled/*.conf;
    server { listen 80; server_name plain.example; }
}
stream { server { listen [::]:2762 ssl; include snippets/tls.inc; } }
"#,
    );
    folder.write(
        "nginx/sites-enabled/pacs.conf",
        r#"server {
    listen 443 ssl;
    listen 10.0.0.1:8443 ssl;
    server_name pacs.example
                *.pacs.example _;
    ssl_certificate ../tls/pacs.crt;
    ssl_certificate_key ../tls/pacs.key;
    ssl_client_certificate ../tls/ca.crt;
    location / {
        proxy_pass https://behind;
        proxy_ssl_certificate ../tls/client.crt;
        proxy_ssl_certificate_key ../tls/client.key;
    }
}
server { listen 443 ssl; server_name var.example; ssl_certificate /etc/$ssl_server_name.pem; }
server { listen 444 ssl; server_name gone.example; ssl_certificate gone.pem; }
"#,
    );
    folder.write(
        "nginx/snippets/tls.inc",
        "ssl_certificate ../tls/snippet.crt;\n",
    );
    folder.write(
        "nginx/sites-available/old.conf",
        "server { listen 1; ssl_certificate ../../tls/pacs.crt; }",
    );
    let (found, summary) = folder.look();
    let pacs = served(&found, &folder, "tls/pacs.crt");
    let expected = Serves {
        by: "nginx".to_owned(),
        config: folder.text("nginx/sites-enabled/pacs.conf"),
        line: 6,
        purpose: Use::Server,
        names: vec!["pacs.example".to_owned(), "*.pacs.example".to_owned()],
        addresses: vec!["*:443".to_owned(), "10.0.0.1:8443".to_owned()],
    };
    assert_eq!(pacs, [expected]);
    let ca = served(&found, &folder, "tls/ca.crt");
    assert_eq!((ca[0].purpose, ca[0].line), (Use::Trust, 8));
    let client = served(&found, &folder, "tls/client.crt");
    assert_eq!(
        (client.len(), client[0].purpose, client[0].line),
        (1, Use::Client, 11)
    );
    // Inherited by the server without one of its own.
    let default = served(&found, &folder, "tls/default.crt");
    assert_eq!(default[0].names, ["plain.example"]);
    assert_eq!(default[0].addresses, ["*:80"]);
    let snippet = served(&found, &folder, "tls/snippet.crt");
    assert_eq!(
        (snippet.len(), &snippet[0].addresses[..]),
        (1, &["[::]:2762".to_owned()][..])
    );
    let gone = found
        .iter()
        .find(|o| is_at(o, &folder.path("nginx/gone.pem")))
        .unwrap();
    assert!(matches!(gone.outcome, Outcome::Failed { .. }));
    assert_eq!(gone.file.as_ref().unwrap().format, FileFormat::Unknown);
    assert_eq!(
        gone.file.as_ref().unwrap().serves[0].names,
        ["gone.example"]
    );
    assert_eq!((summary.unresolved, summary.configurations), (1, 1));
}

#[test]
fn a_key_that_lies_elsewhere_is_found_by_the_configuration() {
    let folder = Folder::new();
    folder.certificate("certs/a");
    std::fs::create_dir_all(folder.path("private")).unwrap();
    std::fs::rename(folder.path("certs/a.key"), folder.path("private/a.key")).unwrap();
    folder.write(
        "conf.d/a.conf",
        "server { listen 443 ssl; ssl_certificate ../certs/a.crt; ssl_certificate_key ../private/a.key; }",
    );
    let (found, _) = folder.look();
    let a = certificates(&found, &folder.path("certs/a.crt"))[0];
    let key = a.file.as_ref().unwrap().key.clone().unwrap();
    assert_eq!(
        (key.path, key.matches),
        (folder.text("private/a.key"), Some(true))
    );
}

#[test]
fn what_a_configuration_names_is_said_once_whatever_it_is() {
    let folder = Folder::new();
    folder.certificate("z/a");
    folder.write("z/dh.pem", "nothing of use\n");
    folder.write(
        "z/a.conf",
        "server { listen 1 ssl; ssl_certificate a.crt; ssl_certificate dh.pem; ssl_certificate none.pem; }",
    );
    let (found, summary) = folder.look();
    let outcomes: Vec<_> = ["z/a.crt", "z/dh.pem", "z/none.pem"]
        .map(|name| {
            let mut here = found.iter().filter(|o| is_at(o, &folder.path(name)));
            let outcome = here.next().map(|o| o.outcome.clone());
            assert!(here.next().is_none(), "{name}");
            outcome.unwrap()
        })
        .into();
    assert_eq!(outcomes[0], Outcome::Certificate);
    assert!(matches!(outcomes[1], Outcome::NoCertificate { .. }));
    assert!(matches!(outcomes[2], Outcome::Failed { .. }));
    // The folder's four, and the one that is not there.
    assert_eq!((summary.files, summary.ended.unreadable), (5, 1));
}

#[test]
fn apache_says_which_certificate_serves_which_name() {
    let folder = Folder::new();
    for name in ["tls/ehr", "tls/proxy", "tls/ca"] {
        folder.certificate(name);
    }
    folder.write(
        "apache2/apache2.conf",
        "Define TLS ../tls\nIncludeOptional sites-enabled/*.conf\nListen 8443\n",
    );
    folder.write(
        "apache2/sites-enabled/ehr.conf",
        "<IfModule mod_ssl.c>\n<VirtualHost *:443 [2001:db8::1]:443>\n  ServerName https://ehr.example:443\n  ServerAlias www.ehr.example \\\n    ehr2.example\n  SSLCertificateFile \"${TLS}/ehr.crt\"\n  sslcertificatekeyfile ${TLS}/ehr.key\n  SSLCACertificateFile ${TLS}/ca.crt\n  SSLProxyMachineCertificateFile ${TLS}/proxy.crt\n  SSLCertificateFile ${UNKNOWN}/x.crt\n</VirtualHost>\n</IfModule>\n",
    );
    let (found, summary) = folder.look();
    let ehr = served(&found, &folder, "tls/ehr.crt");
    assert_eq!(
        ehr[0].names,
        ["ehr.example", "www.ehr.example", "ehr2.example"]
    );
    assert_eq!(ehr[0].addresses, ["*:443", "[2001:db8::1]:443"]);
    assert_eq!(
        (ehr[0].by.as_str(), ehr[0].line, ehr.len()),
        ("apache", 6, 1)
    );
    assert_eq!(served(&found, &folder, "tls/ca.crt")[0].purpose, Use::Trust);
    assert_eq!(
        served(&found, &folder, "tls/proxy.crt")[0].purpose,
        Use::Client
    );
    assert_eq!(summary.unresolved, 1);
}

#[test]
fn haproxy_says_which_certificate_serves_which_name() {
    let folder = Folder::new();
    for name in ["pems/one", "pems/two", "listed", "backend", "roots"] {
        folder.certificate(name);
    }
    for name in ["pems/one", "pems/two", "listed", "backend"] {
        let both = [
            folder.read(&format!("{name}.crt")),
            folder.read(&format!("{name}.key")),
        ]
        .concat();
        folder.write(&format!("{name}.pem"), both);
        std::fs::remove_file(folder.path(&format!("{name}.crt"))).unwrap();
        std::fs::remove_file(folder.path(&format!("{name}.key"))).unwrap();
    }
    folder.write(
        "list.txt",
        "listed.pem [alpn h2 ssl-min-ver TLSv1.2] a.example b.example !c.example\n# no more\n",
    );
    let root = folder.root();
    let root = root.display();
    folder.write(
        "haproxy.cfg",
        format!(
            "global\n  crt-base {root}\n  ca-base {root}\nfrontend hl7\n  bind :2575,10.0.0.1:2576 ssl crt pems ca-file roots.crt verify required\n  bind *:443 ssl crt-list {root}/list.txt\nbackend ehr\n  server ehr1 10.0.0.2:443 ssl crt backend.pem ca-file roots.crt\n"
        ),
    );
    let (found, _) = folder.look();
    for name in ["pems/one.pem", "pems/two.pem"] {
        let one = served(&found, &folder, name);
        assert_eq!(one[0].addresses, ["*:2575", "10.0.0.1:2576"]);
        assert_eq!((one[0].purpose, one[0].line), (Use::Server, 5));
    }
    let listed = served(&found, &folder, "listed.pem");
    assert_eq!(listed[0].names, ["a.example", "b.example"]);
    assert_eq!(listed[0].addresses, ["*:443"]);
    assert_eq!(
        served(&found, &folder, "backend.pem")[0].purpose,
        Use::Client
    );
    let trust = served(&found, &folder, "roots.crt");
    assert_eq!(
        trust.iter().map(|t| t.purpose).collect::<Vec<_>>(),
        [Use::Trust, Use::Trust]
    );
    // The key stands in the same file.
    let key = certificates(&found, &folder.path("pems/one.pem"))[0]
        .file
        .as_ref()
        .unwrap()
        .key
        .clone();
    assert_eq!(key.unwrap().matches, Some(true));
}
