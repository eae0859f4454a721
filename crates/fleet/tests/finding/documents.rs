//! `docs/findings.md` holds the tables of rules and of vendors' defaults as they are.

use std::path::Path;

use fleet::finding::{rules, vendor_defaults};

/// Writes them with `BLESS=1`.
#[test]
fn r19_the_document_has_the_table_of_rules() {
    let mut table = String::from(
        "| Rule | Weight | What is wrong | Whose rule | What to do |\n| --- | --- | --- | --- | --- |\n",
    );
    for rule in rules() {
        table.push_str(&format!(
            "| `{}` | {} | {} | {} | {} |\n",
            rule.id, rule.severity, rule.title, rule.citation, rule.remedy
        ));
    }
    hold("rules", &table);
    let mut table = String::from("| Product | Known by | Known from |\n| --- | --- | --- |\n");
    for known in vendor_defaults() {
        let of = if known.issuer { "issuer" } else { "subject" };
        let begins: Vec<String> = known
            .attributes
            .iter()
            .map(|(kind, start)| format!("{kind}={start}…"))
            .collect();
        table.push_str(&format!(
            "| {} | {of} {} | {} |\n",
            known.product,
            begins.join(", "),
            known.source
        ));
    }
    hold("defaults", &table);
}

fn hold(name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/findings.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n"));
    let (head, rest) = text.split_once(&begin).expect("a mark where it begins");
    let (stands, tail) = rest.split_once(&end).expect("a mark where it ends");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{head}{begin}{table}{end}{tail}")).unwrap();
    } else {
        assert_eq!(stands, table, "BLESS=1 writes it anew");
    }
}
