//! One document from a page's files, and the policy that fits it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};

use crate::BuildError;

/// How a document names its style: exactly so, and on a line of its own or not.
const STYLE: Tag = Tag { before: "<link rel=\"stylesheet\" href=\"", after: "\">", name: "style" };
/// How a document names a script.
const SCRIPT: Tag = Tag { before: "<script src=\"", after: "\"></script>", name: "script" };
/// How many styles or scripts a document may name.
const FILES_MAX: usize = 32;
/// What would make a browser ask for more than the document. The rest is refused by the policy.
const REFERENCES: [&str; 5] =
    ["<script src", "<link rel=\"stylesheet\"", "@import", "<base", "url("];

/// A page put together.
#[derive(Debug)]
pub(crate) struct Assembled {
    /// The document.
    pub(crate) document: String,
    /// Its `ETag`.
    pub(crate) tag: String,
    /// Its `Content-Security-Policy`.
    pub(crate) policy: String,
}

struct Tag {
    before: &'static str,
    after: &'static str,
    name: &'static str,
}

/// Puts the named files into a document.
///
/// # Errors
/// [`BuildError::Document`] for what cannot stand within a document, or leads out of it.
pub(crate) fn assemble(
    document: &str,
    read: &dyn Fn(&str) -> Result<String, BuildError>,
) -> Result<Assembled, BuildError> {
    let (document, styles) = inline(document, &STYLE, read)?;
    let (document, scripts) = inline(&document, &SCRIPT, read)?;
    if let Some(reference) = REFERENCES.iter().find(|reference| document.contains(**reference)) {
        return Err(BuildError::Document(format!("the page still has {reference}")));
    }
    let policy = policy(&sources(&styles), &sources(&scripts));
    let digest = digest(&SHA256, document.as_bytes());
    let tag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(digest.as_ref()));
    Ok(Assembled { document, tag, policy })
}

/// Puts each file that a tag names in its place; answers what was put in as well.
fn inline(
    document: &str,
    tag: &Tag,
    read: &dyn Fn(&str) -> Result<String, BuildError>,
) -> Result<(String, Vec<String>), BuildError> {
    let mut parts = document.split(tag.before);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    let mut contents = vec![];
    for part in parts {
        let (file, rest) = part
            .split_once(tag.after)
            .ok_or_else(|| BuildError::Document(format!("a {} is not closed", tag.name)))?;
        let content = read(file)?;
        let end = format!("</{}", tag.name);
        if content.to_ascii_lowercase().contains(&end) || content.contains("<!--") {
            return Err(BuildError::Document(format!("{file} would end before its end")));
        }
        if contents.len() >= FILES_MAX {
            return Err(BuildError::Document(format!("more than {FILES_MAX} files")));
        }
        whole.push_str(&format!("<{0}>{content}</{0}>{rest}", tag.name));
        contents.push(content);
    }
    Ok((whole, contents))
}

/// The sources of a policy that are these contents and nothing else (CSP Level 3, 2.3.1).
fn sources(contents: &[String]) -> String {
    if contents.is_empty() {
        return "'none'".to_owned();
    }
    let hashes = contents.iter().map(|content| {
        let digest = digest(&SHA256, content.as_bytes());
        format!("'sha256-{}'", STANDARD.encode(digest.as_ref()))
    });
    hashes.collect::<Vec<_>>().join(" ")
}

/// What the page may load, run and call: itself and its own origin. It stands in no frame of
/// somebody else's, because a frame could be laid over with something else.
fn policy(styles: &str, scripts: &str) -> String {
    format!(
        "default-src 'none'; script-src {scripts}; style-src {styles}; img-src 'self' data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}
