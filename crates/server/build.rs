//! The dashboard is embedded as it was built last: built anew, it is embedded anew.

#![expect(clippy::print_stdout, reason = "how cargo is told")]

fn main() {
    println!("cargo::rerun-if-changed=../../dashboard/dist");
}
