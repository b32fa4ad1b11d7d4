//! Passages of the documentation that quote the program.

use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Adds the texts of a folder: what stands in code and templates, each statement on one line.
fn collect(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, texts);
        } else if path
            .extension()
            .is_some_and(|end| end == "rs" || end == "html")
        {
            texts.push(fs::read_to_string(&path).unwrap());
        }
    }
}

/// Joins strings that go on in the next line, and writes characters as they are shown.
fn shown(source: &str) -> String {
    let mut lines = source.split("\\\n");
    let first = lines.next().unwrap_or("").to_owned();
    let joined = lines.fold(first, |text, line| text + line.trim_start());
    joined
        .replace("\\u{2018}", "\u{2018}")
        .replace("\\u{2019}", "\u{2019}")
        .replace("\\\"", "\"")
}

#[test]
fn every_sentence_that_troubleshooting_quotes_is_one_of_the_program() {
    let mut sources = Vec::new();
    for entry in fs::read_dir(repository().join("crates")).unwrap() {
        let package = entry.unwrap().path();
        for folder in ["src", "templates"] {
            if package.join(folder).is_dir() {
                collect(&package.join(folder), &mut sources);
            }
        }
    }
    let sources: Vec<String> = sources.iter().map(|source| shown(source)).collect();
    let lines: Vec<&str> = sources.iter().flat_map(|source| source.lines()).collect();
    let text = fs::read_to_string(repository().join("docs/troubleshooting.md")).unwrap();
    let quoted: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("> "))
        .collect();
    assert!(quoted.len() > 20, "{quoted:?}");
    let unknown: Vec<&&str> = quoted
        .iter()
        .filter(|sentence| {
            let parts: Vec<&str> = sentence.split('\u{2026}').map(str::trim).collect();
            !lines.iter().any(|line| {
                let mut rest = *line;
                parts.iter().all(|part| match rest.find(part) {
                    Some(at) => {
                        rest = rest.get(at + part.len()..).unwrap_or("");
                        true
                    }
                    None => false,
                })
            })
        })
        .collect();
    assert!(unknown.is_empty(), "not said by the program: {unknown:#?}");
}

#[test]
fn the_documents_are_linked_from_the_readme() {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    for entry in fs::read_dir(repository().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            assert!(readme.contains(&format!("](docs/{name}")), "{name}");
        }
    }
}
