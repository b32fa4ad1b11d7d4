//! Compresses the assets and names them after their content, so that a browser can cache them for ever.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// Name and content type of each asset, and the files of which it consists.
const ASSETS: [(&str, &str, &[&str]); 6] = [
    (
        "mains.css",
        "text/css; charset=utf-8",
        &["tokens.css", "mains.css"],
    ),
    ("mains.js", "text/javascript; charset=utf-8", &["mains.js"]),
    (
        "stream.js",
        "text/javascript; charset=utf-8",
        &["stream.js"],
    ),
    (
        "chart.js",
        "text/javascript; charset=utf-8",
        &["uplot/LICENSE.js", "uplot/uPlot.iife.min.js", "chart.js"],
    ),
    ("icons.svg", "image/svg+xml", &["icons.svg"]),
    ("icon.svg", "image/svg+xml", &["icon.svg"]),
];

/// Returns a script or a style without its indentation and its comments of whole lines.
fn bare(text: &str) -> String {
    let mut is_comment = false;
    let mut bare = String::new();
    for line in text.lines().map(str::trim) {
        is_comment |= line.starts_with("/*");
        if !(is_comment || line.is_empty() || line.starts_with("//")) {
            bare.push_str(line);
            bare.push('\n');
        }
        is_comment &= !line.ends_with("*/");
    }
    bare
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=assets");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut table = String::new();
    let mut constants = String::new();
    for (name, content_type, parts) in ASSETS {
        let mut content = Vec::new();
        for part in parts {
            let text = fs::read_to_string(Path::new("assets").join(part))?;
            // What comes from elsewhere stays as it is.
            let is_own = !part.starts_with("uplot/") && !part.ends_with(".svg");
            content.extend(if is_own { bare(&text) } else { text }.into_bytes());
        }
        let digest = Sha256::digest(&content);
        let hash: String = digest.iter().take(5).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let (stem, extension) = name
            .rsplit_once('.')
            .ok_or("an asset without an extension")?;
        let file = format!("{stem}-{hash}.{extension}");
        fs::write(out.join(name), &content)?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&content)?;
        fs::write(out.join(format!("{name}.gz")), encoder.finish()?)?;
        let constant = name.to_ascii_uppercase().replace('.', "_");
        writeln!(
            constants,
            "/// Path of `{name}`.\npub(crate) const {constant}: &str = \"/assets/{file}\";"
        )?;
        if name == "mains.css" {
            let path = out.join(name);
            writeln!(
                constants,
                "/// Content of `{name}`, for a page that holds it.\npub(crate) const {constant}_TEXT: &str = include_str!({path:?});\n\
                 /// Its SHA-256 in Base64.\npub(crate) const {constant}_SHA256: &str = {:?};",
                STANDARD.encode(digest)
            )?;
        }
        writeln!(
            table,
            "    Asset {{ file: {file:?}, content_type: {content_type:?}, content: include_bytes!({:?}), gzip: include_bytes!({:?}) }},",
            out.join(name),
            out.join(format!("{name}.gz")),
        )?;
    }
    let count = ASSETS.len();
    let code = format!("{constants}\nstatic ASSETS: [Asset; {count}] = [\n{table}];\n");
    fs::write(out.join("assets.rs"), code)?;
    Ok(())
}
