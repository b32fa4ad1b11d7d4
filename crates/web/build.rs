//! Compresses the assets and names them after their content, so that a browser can cache them for ever.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// Name and content type of each asset, and the files of which it consists.
const ASSETS: [(&str, &str, &[&str]); 5] = [
    (
        "mains.css",
        "text/css; charset=utf-8",
        &["tokens.css", "mains.css"],
    ),
    ("mains.js", "text/javascript; charset=utf-8", &["mains.js"]),
    (
        "chart.js",
        "text/javascript; charset=utf-8",
        &["uplot/LICENSE.js", "uplot/uPlot.iife.min.js", "chart.js"],
    ),
    ("icons.svg", "image/svg+xml", &["icons.svg"]),
    ("icon.svg", "image/svg+xml", &["icon.svg"]),
];

/// Returns a script without its indentation and its comments of a whole line.
fn bare(script: &str) -> String {
    let lines = script.lines().map(str::trim);
    let lines = lines
        .filter(|line| !line.is_empty() && !line.starts_with("//") && !line.starts_with("/**"));
    lines.flat_map(|line| [line, "\n"]).collect()
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
            let part = fs::read_to_string(Path::new("assets").join(part))?;
            match name {
                "mains.js" => content.extend(bare(&part).into_bytes()),
                _ => content.extend(part.into_bytes()),
            }
        }
        let hash: String =
            Sha256::digest(&content)
                .iter()
                .take(5)
                .fold(String::new(), |mut text, byte| {
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
