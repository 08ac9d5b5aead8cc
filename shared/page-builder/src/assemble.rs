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
/// What in a document would make a browser ask for more, or ask elsewhere.
const REFERENCES: [&str; 3] = ["<script src", "<link rel=\"stylesheet\"", "<base"];
/// What in a style would; data within it is no reference.
const STYLE_REFERENCES: [&str; 2] = ["@import", "url("];

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
    refuse(&document, &REFERENCES)?;
    for style in &styles {
        refuse(&style.replace("url(\"data:", ""), &STYLE_REFERENCES)?;
    }
    let policy = policy(&sources(&styles), &sources(&scripts));
    let digest = digest(&SHA256, document.as_bytes());
    let tag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(digest.as_ref()));
    Ok(Assembled { document, tag, policy })
}

fn refuse(text: &str, references: &[&str]) -> Result<(), BuildError> {
    match references.iter().find(|reference| text.contains(**reference)) {
        Some(reference) => Err(BuildError::Document(format!("the page still has {reference}"))),
        None => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    type Files = &'static [(&'static str, &'static str)];

    const FILES: Files = &[("a.css", "a{}\n"), ("a.js", "let a = \"</p>\";"), ("b.js", "a;")];
    const DOCUMENT: &str = "<head>\n<link rel=\"stylesheet\" href=\"a.css\">\n</head>\
                            <script src=\"a.js\"></script>\n<script src=\"b.js\"></script>";

    fn put_together(files: Files, document: &str) -> Result<Assembled, String> {
        let read = |name: &str| {
            let found = files.iter().find(|(file, _)| *file == name);
            let missing = || BuildError::Document(format!("no {name}"));
            found.map(|(_, content)| (*content).to_owned()).ok_or_else(missing)
        };
        assemble(document, &read).map_err(|error| error.to_string())
    }

    #[test]
    fn styles_and_scripts_stand_in_the_document_as_they_are_written() {
        let page = put_together(FILES, DOCUMENT).unwrap();
        let expected = "<head>\n<style>a{}\n</style>\n</head>\
                        <script>let a = \"</p>\";</script>\n<script>a;</script>";
        assert_eq!(page.document, expected);
    }

    #[test]
    fn the_policy_names_each_of_them_by_its_hash() {
        // By `printf 'a{}\n' | openssl dgst -sha256 -binary | base64`, and the like.
        let style = "style-src 'sha256-u0Jj2e1i7IBkNDEHdGEj6YSZteK6W+q1Sv+Vn8x343I=';";
        let scripts = "script-src 'sha256-VB+6QdbgE+wY0mI7ADvs75YNMIg1NVrhXFdvNVyoUkQ=' \
                       'sha256-vrUzXkY9ksEcWCN26IqHUHKtK+0Ox8ToSwm1QgNhMUI=';";
        let page = put_together(FILES, DOCUMENT).unwrap();
        assert!(page.policy.contains(style), "{}", page.policy);
        assert!(page.policy.contains(scripts), "{}", page.policy);
        let bare = put_together(&[], "<p>").unwrap().policy;
        assert!(bare.contains("script-src 'none'; style-src 'none';"), "{bare}");
    }

    #[test]
    fn the_tag_changes_with_any_file() {
        const OTHER: Files = &[("a.css", "a{}\n"), ("a.js", "let a;"), ("b.js", "a;")];
        let (one, again) = (put_together(FILES, DOCUMENT), put_together(FILES, DOCUMENT));
        let tag = one.unwrap().tag;
        assert_eq!(again.unwrap().tag, tag);
        assert_ne!(put_together(OTHER, DOCUMENT).unwrap().tag, tag);
    }

    #[test]
    fn what_cannot_stand_in_one_document_is_refused() {
        const ENDS: Files = &[("a.js", "let a = \"</SCRIPT >\";")];
        const COMMENT: Files = &[("a.js", "let a = \"<!--\";")];
        const IMPORT: Files = &[("a.css", "@import \"b.css\";")];
        const FONT: Files = &[("a.css", "a { background: url(b.png) }")];
        let (script, style) =
            ("<script src=\"a.js\"></script>", "<link rel=\"stylesheet\" href=\"a.css\">");
        for (files, document) in [
            (ENDS, script),
            (COMMENT, script),
            (IMPORT, style),
            (FONT, style),
            (&[], script),
            (FILES, "<script src=\"a.js\" defer></script>"),
            (FILES, "<script src='a.js'></script>"),
            (FILES, "<link rel=\"stylesheet\" media=\"print\" href=\"a.css\">"),
            (FILES, "<base href=\"/\">"),
        ] {
            assert!(put_together(files, document).is_err(), "{document} {files:?}");
        }
        let many = script.repeat(FILES_MAX);
        assert!(put_together(FILES, &many).is_ok());
        assert!(put_together(FILES, &format!("{many}{script}")).is_err());
    }
}
