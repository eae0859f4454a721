//! Puts the built console (`console/dist`) into the binary: one table of files with their compressed twins.
//!
//! Without it (nobody ran npm) the table is empty, and the server shows a page that says how to build it: Ward itself needs
//! no Node.js.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let dist = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default())
        .join("../../console/dist");
    // The folder is there before the first build of the console (it holds a .gitignore): Cargo would take one that is
    // missing for changed at every build.
    println!("cargo:rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    // An interrupted build has no page yet, and its files would be served for nothing.
    if dist.join("index.html").exists() {
        collect(&dist, &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for file in files.iter().filter(|file| is_served(file)) {
        let name = file.strip_prefix(&dist).unwrap_or(file);
        let mut hasher = DefaultHasher::new();
        fs::read(file)?.hash(&mut hasher);
        // Nobody fails on a `String`.
        let _ = writeln!(
            table,
            "File {{ path: {name:?}, tag: \"\\\"{tag:016x}\\\"\", plain: include_bytes!({file:?}), brotli: {brotli}, gzip: {gzip} }},",
            name = format!("/{}", name.display()),
            tag = hasher.finish(),
            brotli = twin(file, "br"),
            gzip = twin(file, "gz"),
        );
    }
    table.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("console.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn is_served(file: &Path) -> bool {
    let extension = file.extension().and_then(|end| end.to_str());
    !matches!(extension, None | Some("br" | "gz" | "gitignore"))
}

fn twin(file: &Path, end: &str) -> String {
    let mut twin = file.as_os_str().to_owned();
    twin.push(format!(".{end}"));
    if Path::new(&twin).exists() {
        format!("Some(include_bytes!({twin:?}))")
    } else {
        "None".to_owned()
    }
}
