//! What is printed: data on standard output, aligned for a person and plain for a pipe.

use std::{
    io::{IsTerminal, Write},
    path::Path,
};

use anyhow::Context;
use serde_json::Value;

/// How data is printed.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    /// As JSON.
    pub(crate) json: bool,
}

impl Output {
    /// One value that scripts take: an id, a signature. Its JSON is whatever the API said.
    pub(crate) fn value(self, text: &str, json: &Value) -> anyhow::Result<()> {
        if self.json { line(&json.to_string()) } else { line(text) }
    }

    /// Facts about one thing.
    pub(crate) fn facts(self, facts: &[(&str, String)], json: &Value) -> anyhow::Result<()> {
        if self.json {
            return line(&json.to_string());
        }
        let rows: Vec<Vec<String>> =
            facts.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
        table(&rows)
    }

    /// Rows, each under the names in `header`, which are members of its JSON.
    pub(crate) fn rows(self, header: &[&str], items: &[Value]) -> anyhow::Result<()> {
        if self.json {
            return line(&Value::from(items).to_string());
        }
        let mut rows = Vec::new();
        if std::io::stdout().is_terminal() && !items.is_empty() {
            rows.push(header.iter().map(|name| name.to_uppercase()).collect());
        }
        for item in items {
            rows.push(header.iter().map(|name| shown(&item[*name])).collect());
        }
        table(&rows)
    }
}

/// A member of an answer as text: empty where it is null.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        other => other.to_string(),
    }
}

/// Text that somebody else wrote, without what would move a terminal's cursor or begin a line of its own.
pub(crate) fn printable(text: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(visible).collect()
}

/// Aligned on a terminal, separated by tabs in a pipe.
fn table(rows: &[Vec<String>]) -> anyhow::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let aligned = std::io::stdout().is_terminal();
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let text = if aligned {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
            cells.join("  ").trim_end().to_owned()
        } else {
            row.join("\t")
        };
        line(&text)?;
    }
    Ok(())
}

/// A line of data.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// A file that is written whole or not at all. It is prepared before what goes into it is made: a signature that is in the
/// ledger and nowhere else helps nobody.
pub(crate) struct File<'a> {
    path: &'a Path,
    to: Destination,
}

enum Destination {
    /// Beside the file, to take its place.
    New(tempfile::NamedTempFile),
    /// A device, a pipe or a link: what stands there stays there.
    There(std::fs::File),
}

impl<'a> File<'a> {
    /// Makes sure that it can be written.
    pub(crate) fn prepare(path: &'a Path) -> anyhow::Result<Self> {
        let failed = || format!("`{}` cannot be written", path.display());
        let there = std::fs::symlink_metadata(path).is_ok_and(|about| !about.is_file());
        if there {
            let file = std::fs::OpenOptions::new().write(true).open(path).with_context(failed)?;
            return Ok(Self { path, to: Destination::There(file) });
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The library's own error names a file that nobody knows.
        std::fs::metadata(folder).with_context(failed)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".postq-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(|why| std::io::Error::from(why.kind()));
        Ok(Self { path, to: Destination::New(file.with_context(failed)?) })
    }

    /// Writes it.
    pub(crate) fn write(self, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.path;
        let failed = || format!("`{}` cannot be written", path.display());
        match self.to {
            Destination::There(mut file) => {
                // Behind a link there may be a file, whose old content stays until there is new.
                if file.metadata().is_ok_and(|about| about.is_file()) {
                    file.set_len(0).with_context(failed)?;
                }
                file.write_all(bytes).with_context(failed)
            }
            Destination::New(mut file) => {
                file.write_all(bytes).with_context(failed)?;
                file.persist(path).map_err(|why| why.error).with_context(failed)?;
                Ok(())
            }
        }
    }
}

/// Data as it is, to standard output.
pub(crate) fn raw(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Green on a terminal.
pub(crate) fn good(text: &str) -> String {
    format!("\u{1b}[32m{text}\u{1b}[0m")
}

/// Red on a terminal.
pub(crate) fn bad(text: &str) -> String {
    format!("\u{1b}[31m{text}\u{1b}[0m")
}

/// Yellow on a terminal.
pub(crate) fn doubtful(text: &str) -> String {
    format!("\u{1b}[33m{text}\u{1b}[0m")
}
