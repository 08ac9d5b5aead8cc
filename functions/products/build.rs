//! Turns `docs/openapi.yaml` into the JSON that the function serves: one source, so that the two
//! cannot differ.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

/// From the package's folder, where Cargo runs this.
const SOURCE: &str = "../../docs/openapi.yaml";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={SOURCE}");
    let description: serde_json::Value = serde_saphyr::from_str(&fs::read_to_string(SOURCE)?)?;
    let folder = env::var_os("OUT_DIR").ok_or("Cargo names no folder")?;
    fs::write(Path::new(&folder).join("openapi.json"), description.to_string())?;
    Ok(())
}
