//! Files of any size, hashed as they are read; and signatures as files hold them.

use std::{
    fs::File,
    io::{IsTerminal, Read},
    path::Path,
};

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use composite::{Algorithm, Prehash, Prehasher};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};

use crate::args::SignedContext;

/// How much is read at once.
const PIECE: usize = 1 << 20;

/// The largest file that is read whole: signatures, receipts, public keys.
const LARGEST: u64 = 1 << 30;

/// What is known of a file after it was read once.
pub(crate) struct Digests {
    /// By the algorithm's hash.
    pub(crate) prehash: Prehash,
    /// SHA-256, lower-case hex.
    pub(crate) sha256: String,
    /// In bytes.
    pub(crate) size: u64,
}

/// Reads a file, or standard input, in memory that does not grow with it.
pub(crate) fn hash(path: &Path, algorithm: Algorithm) -> anyhow::Result<Digests> {
    let failed = || format!("`{}` cannot be read", path.display());
    let (mut reader, length): (Box<dyn Read>, Option<u64>) = if is_stdin(path) {
        (Box::new(std::io::stdin().lock()), None)
    } else {
        let file = File::open(path).with_context(failed)?;
        let about = file.metadata().with_context(failed)?;
        if about.is_dir() {
            bail!("`{}` is a folder; sign an archive of it", path.display());
        }
        (Box::new(file), about.is_file().then_some(about.len()))
    };
    let progress = progress(length);
    let (mut prehasher, mut sha256) = (Prehasher::new(algorithm), Sha256::new());
    let mut piece = vec![0; PIECE];
    let mut size = 0;
    loop {
        let read = match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(why) if why.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(why) => return Err(why).with_context(failed),
        };
        let bytes = piece.get(..read).unwrap_or_default();
        prehasher.update(bytes);
        sha256.update(bytes);
        size += bytes.len() as u64;
        progress.set_position(size);
    }
    progress.finish_and_clear();
    Ok(Digests { prehash: prehasher.finish(), sha256: hex::encode(sha256.finalize()), size })
}

/// Reads a small file whole.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let failed = || format!("`{}` cannot be read", path.display());
    let mut bytes = Vec::new();
    let mut reader: Box<dyn Read> = if is_stdin(path) {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(path).with_context(failed)?)
    };
    reader.by_ref().take(LARGEST).read_to_end(&mut bytes).with_context(failed)?;
    if bytes.len() as u64 == LARGEST {
        bail!("`{}` is too large for what it should be", path.display());
    }
    Ok(bytes)
}

/// A signature as a file holds it: base64, with white space at its end or without, or the bytes themselves.
pub(crate) fn read_signature(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = read(path)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) if !text.trim().is_empty() => STANDARD
            .decode(text.trim())
            .with_context(|| format!("`{}` holds neither base64 nor a raw signature", path.display())),
        Ok(_) => bail!("`{}` is empty", path.display()),
        Err(_) => Ok(bytes),
    }
}

/// The context that was given; empty if none was.
pub(crate) fn context(given: &SignedContext) -> anyhow::Result<Vec<u8>> {
    match (&given.context, &given.context_base64) {
        (Some(text), _) => Ok(text.clone().into_bytes()),
        (None, Some(base64)) => STANDARD.decode(base64).context("--context-base64 is not padded base64"),
        (None, None) => Ok(Vec::new()),
    }
}

/// Refuses more than one file from standard input: the second would be found empty.
pub(crate) fn check_stdin(files: &[Option<&Path>]) -> anyhow::Result<()> {
    if files.iter().flatten().filter(|path| is_stdin(path)).count() > 1 {
        bail!("only one file can come from standard input");
    }
    Ok(())
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// A bar where somebody watches and knows how far there is to go.
fn progress(length: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "hashing {bar:32} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    match (length, ProgressStyle::with_template(template)) {
        (Some(length), Ok(style)) => ProgressBar::new(length).with_style(style),
        _ => ProgressBar::new_spinner(),
    }
}
