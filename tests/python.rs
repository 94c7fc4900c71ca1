//! The independent implementation and the published client, in Python.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

/// The checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Runs a script of `tests/python` with JSON on its standard input; what it prints is JSON.
pub(crate) fn run(script: &str, input: &Value) -> Value {
    let python = root().join("target/tools/venv/bin/python");
    assert!(
        python.exists(),
        "the tests' Python packages are not installed; run `cargo xtask test`, which sets them up"
    );
    let mut child = Command::new(python)
        .arg(root().join("tests/python").join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
