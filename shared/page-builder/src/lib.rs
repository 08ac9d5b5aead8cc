//! Puts a page together when the package that serves it is built.
//!
//! A page is a folder of plain files: `index.html`, and the styles and scripts that it names. They
//! become one document without a reference to anything else, compressed, with a policy that lets
//! exactly these styles and scripts run. `api::page` serves it.

mod assemble;
mod compress;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::assemble::assemble;
use crate::compress::{brotli, gzip};

/// The document's file in a page's folder.
const DOCUMENT: &str = "index.html";

/// Why a page cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file cannot be read or written.
    #[error("{path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Cargo did not say where to build.
    #[error("OUT_DIR is not set; a build script has it")]
    NoFolder,
    /// A page's folder has no name.
    #[error("the page's folder has no name")]
    NoName,
    /// The document names what cannot be put into it.
    #[error("{0}")]
    Document(String),
}

/// Builds the page of a folder, named from the package's own, and leaves in `OUT_DIR` a file of the
/// folder's name that holds an `api::page::Page`:
///
/// ```text
/// static PAGE: Page = include!(concat!(env!("OUT_DIR"), "/page.rs"));
/// ```
///
/// # Errors
/// [`BuildError`] says which file is at fault.
pub fn build(folder: impl AsRef<Path>) -> Result<(), BuildError> {
    let folder = folder.as_ref();
    let name = folder.file_name().and_then(|name| name.to_str()).ok_or(BuildError::NoName)?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(BuildError::NoFolder)?);
    let page = assemble(&read(&folder.join(DOCUMENT))?, &|file| read(&folder.join(file)))?;
    let bytes = page.document.as_bytes();
    write(&out.join(format!("{name}.html")), bytes)?;
    write(&out.join(format!("{name}.html.gz")), &gzip(bytes)?)?;
    write(&out.join(format!("{name}.html.br")), &brotli(bytes)?)?;
    let expression = format!(
        "Page {{\n    identity: include_bytes!(\"{name}.html\"),\n    gzip: \
         include_bytes!(\"{name}.html.gz\"),\n    brotli: include_bytes!(\"{name}.html.br\"),\n    \
         tag: {:?},\n    policy: {:?},\n}}\n",
        page.tag, page.policy,
    );
    write(&out.join(format!("{name}.rs")), expression.as_bytes())
}

/// Reads a file, wherever it is, and has Cargo watch it.
#[expect(clippy::print_stdout, reason = "this is how a build script speaks to Cargo")]
fn read(path: &Path) -> Result<String, BuildError> {
    println!("cargo::rerun-if-changed={}", path.display());
    fs::read_to_string(path).map_err(|source| BuildError::File { path: path.to_owned(), source })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    fs::write(path, bytes).map_err(|source| BuildError::File { path: path.to_owned(), source })
}
