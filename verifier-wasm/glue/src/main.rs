//! `verifier-glue MODULE FOLDER`: puts wasm-bindgen's JavaScript and the module that goes with it into a folder.
//!
//! The wasm-bindgen program of the same version would do; this one comes out of the workspace's lock file, so that the glue
//! never has another version than the module.

use anyhow::{Context, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, folder] = arguments.as_slice() else {
        bail!("verifier-glue MODULE FOLDER");
    };
    Bindgen::new()
        .input_path(module)
        .web(true)?
        .omit_default_module_path(true)
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
        .with_context(|| format!("no glue for {module}"))
}
