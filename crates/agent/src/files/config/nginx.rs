//! nginx: directives in blocks, inherited from block to block (ngx_http_ssl_module and its relatives).

use std::path::{Path, PathBuf};

use super::{Gathered, MAX_DEPTH, address, expand, serves};
use crate::observation::Use;

/// Words of one directive; a list of server names is the longest.
const MAX_WORDS: usize = 10_000;

/// Certificates of one block; RSA and ECDSA make two.
const MAX_NAMED: usize = 32;

/// One block, and what holds in it.
#[derive(Clone, Default)]
struct Block {
    name: String,
    names: Vec<String>,
    listens: Vec<String>,
    /// Certificate, key, purpose, configuration and line.
    certificates: Vec<Named>,
}

#[derive(Clone)]
struct Named {
    file: String,
    key: Option<String>,
    purpose: Use,
    config: PathBuf,
    line: u32,
    /// By the block itself, not by one around it.
    own: bool,
}

struct Reading<'a, 'b> {
    gathered: &'a mut Gathered<'b>,
    /// What relative paths start from: the folder of the main file.
    prefix: PathBuf,
    blocks: Vec<Block>,
}

pub(super) fn read(path: &Path, text: &str, gathered: &mut Gathered<'_>) {
    let mut reading = Reading {
        gathered,
        prefix: path.parent().unwrap_or(path).to_owned(),
        blocks: vec![Block::default()],
    };
    reading.text(path, text, 0);
    // A file that ends too early still says what it said.
    while let Some(block) = reading.blocks.pop() {
        reading.close(block);
    }
}

impl Reading<'_, '_> {
    fn text(&mut self, path: &Path, text: &str, depth: usize) {
        let outer = self.blocks.len();
        let mut words: Vec<String> = Vec::new();
        let mut line = 1;
        for token in tokens(text) {
            match token {
                Token::Line(at) => line = at,
                Token::Word(word) if words.len() < MAX_WORDS => words.push(word),
                Token::Word(_) => {}
                Token::End => {
                    self.directive(path, line, &words, depth);
                    words.clear();
                }
                Token::Open => {
                    self.open(&words);
                    words.clear();
                }
                Token::Close => {
                    words.clear();
                    if self.blocks.len() > outer
                        && let Some(block) = self.blocks.pop()
                    {
                        self.close(block);
                    }
                }
            }
        }
        while self.blocks.len() > outer {
            if let Some(block) = self.blocks.pop() {
                self.close(block);
            }
        }
    }

    fn open(&mut self, words: &[String]) {
        let outer = self.blocks.last().cloned().unwrap_or_default();
        let name = words.first().cloned().unwrap_or_default();
        let mut block = Block { name, ..outer };
        block.certificates.iter_mut().for_each(|c| c.own = false);
        if block.name == "server" {
            (block.names, block.listens) = (Vec::new(), Vec::new());
        }
        // A configuration nested more deeply than any is read no deeper.
        if self.blocks.len() < 100 {
            self.blocks.push(block);
        }
    }

    fn directive(&mut self, path: &Path, line: u32, words: &[String], depth: usize) {
        let Some((name, arguments)) = words.split_first() else {
            return;
        };
        let first = arguments.first().map(String::as_str).unwrap_or_default();
        if name == "include" {
            if depth < MAX_DEPTH {
                for file in expand(&self.prefix.clone(), first) {
                    if let Some(text) = self.gathered.include(&file) {
                        self.text(&file, &text, depth + 1);
                    }
                }
            }
            return;
        }
        let Some(block) = self.blocks.last_mut() else {
            return;
        };
        match name.as_str() {
            "listen" => block.listens.push(address(first, 80)),
            "server_name" => block
                .names
                .extend(arguments.iter().filter(|n| *n != "_").cloned()),
            name => {
                let Some((purpose, is_key)) = meaning(name) else {
                    return;
                };
                // What a block says itself replaces what holds around it.
                block.certificates.retain(|c| c.own || c.purpose != purpose);
                let without_key = |c: &&mut Named| c.key.is_none() && c.purpose == purpose;
                if is_key {
                    if let Some(last) = block.certificates.iter_mut().rev().find(without_key) {
                        last.key = Some(first.to_owned());
                    }
                    return;
                }
                if block.certificates.len() >= MAX_NAMED {
                    self.gathered.summary.unresolved += 1;
                    return;
                }
                block.certificates.push(Named {
                    file: first.to_owned(),
                    key: None,
                    purpose,
                    config: path.to_owned(),
                    line,
                    own: true,
                });
            }
        }
    }

    /// A server is complete; so is whatever named certificates of its own outside of one.
    fn close(&mut self, block: Block) {
        let is_server = block.name == "server";
        let inside_server = self.blocks.iter().any(|b| b.name == "server");
        for named in &block.certificates {
            let concerns = match is_server {
                // Without a port nothing is served; snippets have none either, and are read by who includes them.
                true => true,
                false => named.own && (inside_server || self.blocks.is_empty()),
            };
            if !concerns {
                continue;
            }
            let mut place = serves("nginx", &named.config, named.line, named.purpose);
            place.names.clone_from(&block.names);
            place.addresses.clone_from(&block.listens);
            if is_server && place.addresses.is_empty() {
                place.addresses.push("*:80".to_owned());
            }
            let key = named.key.as_ref().map(|key| self.prefix.join(key));
            self.gathered
                .bind(&self.prefix.join(&named.file), place, key);
        }
    }
}

/// What a directive names, and whether it is the key to it.
fn meaning(name: &str) -> Option<(Use, bool)> {
    match name {
        "ssl_certificate" => Some((Use::Server, false)),
        "ssl_certificate_key" => Some((Use::Server, true)),
        "ssl_client_certificate" | "ssl_trusted_certificate" => Some((Use::Trust, false)),
        name => {
            let (module, rest) = name.split_once("_ssl_")?;
            let known = ["proxy", "grpc", "uwsgi"].contains(&module);
            match rest {
                "certificate" if known => Some((Use::Client, false)),
                "certificate_key" if known => Some((Use::Client, true)),
                "trusted_certificate" if known => Some((Use::Trust, false)),
                _ => None,
            }
        }
    }
}

enum Token {
    /// The line that the next token is on.
    Line(u32),
    Word(String),
    End,
    Open,
    Close,
}

/// Words, semicolons and braces; quotes and comments as nginx has them.
fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut line = 1;
    let mut word = String::new();
    let mut quoted = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_end = matches!(c, ';' | '{' | '}') || c.is_whitespace();
        // `${name}` is part of a word.
        let is_variable = c == '{' && word.ends_with('$');
        if is_end && !is_variable {
            if !word.is_empty() || quoted {
                out.push(Token::Line(line));
                out.push(Token::Word(std::mem::take(&mut word)));
                quoted = false;
            }
            match c {
                ';' => out.push(Token::End),
                '{' => out.push(Token::Open),
                '}' => out.push(Token::Close),
                '\n' => line += 1,
                _ => {}
            }
            continue;
        }
        match c {
            '#' if word.is_empty() => while rest.next_if(|c| *c != '\n').is_some() {},
            '\\' => word.extend(rest.next()),
            '\'' | '"' if word.is_empty() && !quoted => {
                quoted = true;
                while let Some(inner) = rest.next() {
                    match inner {
                        inner if inner == c => break,
                        '\\' => word.extend(rest.next()),
                        inner => {
                            line += u32::from(inner == '\n');
                            word.push(inner);
                        }
                    }
                }
            }
            '{' => {
                word.push('{');
                while let Some(inner) = rest.next_if(|c| *c != '}' && !c.is_whitespace()) {
                    word.push(inner);
                }
                word.extend(rest.next_if(|c| *c == '}'));
            }
            c => word.push(c),
        }
    }
    out
}
