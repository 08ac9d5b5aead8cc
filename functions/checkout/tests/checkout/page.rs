//! The checkout page as it is served: its weight, and that it asks for nothing else.

use std::io::Read;

use api::page::Page;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use checkout::PAGE;
use flate2::read::GzDecoder;
use ring::digest::{SHA256, digest};

/// The heaviest that the page may be, compressed, in bytes.
const WEIGHT_MAX: usize = 60 * 1_024;

fn document(page: &Page) -> &str {
    std::str::from_utf8(page.identity).unwrap()
}

#[test]
fn the_page_is_light_however_it_is_compressed() {
    let Page { gzip, brotli, .. } = PAGE;
    assert!(gzip.len() < WEIGHT_MAX, "gzip: {}", gzip.len());
    assert!(brotli.len() < WEIGHT_MAX, "Brotli: {}", brotli.len());
}

#[test]
fn each_compression_unpacks_to_the_same_document() {
    let mut unpacked = vec![];
    GzDecoder::new(PAGE.gzip).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, PAGE.identity);
    unpacked.clear();
    brotli::BrotliDecompress(&mut { PAGE.brotli }, &mut unpacked).unwrap();
    assert_eq!(unpacked, PAGE.identity);
}

/// What stands between the tags of a name.
fn contents<'a>(document: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts = document.split(open.as_str()).skip(1);
    parts.map(|part| part.split(close.as_str()).next().unwrap()).collect()
}

#[test]
fn the_policy_lets_the_pages_own_style_and_scripts_run_and_nothing_else() {
    for (name, directive) in [("style", "style-src"), ("script", "script-src")] {
        let rule = PAGE.policy.split("; ").find_map(|rule| rule.strip_prefix(directive)).unwrap();
        let allowed: Vec<&str> = rule.split_whitespace().collect();
        let own = contents(document(&PAGE), name).into_iter().map(|content| {
            format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, content.as_bytes())))
        });
        assert_eq!(allowed, own.collect::<Vec<_>>(), "{directive}");
    }
    assert!(PAGE.policy.starts_with("default-src 'none'; "));
}

#[test]
fn the_first_request_brings_all_that_is_painted() {
    let document = document(&PAGE);
    // What scripts and styles say is no markup.
    let mut markup = document.to_owned();
    for content in [contents(document, "style"), contents(document, "script")].concat() {
        markup = markup.replace(content, "");
    }
    for attribute in [" src=", " srcset=", " href=", " data=", " poster=", " action="] {
        for reference in markup.split(attribute).skip(1) {
            let value = reference.trim_start_matches('"');
            let is_own = value.starts_with("data:") || value.starts_with('#');
            assert!(is_own, "{attribute}{}", value.chars().take(60).collect::<String>());
        }
    }
    for inline in [" style=", " onclick=", " onload=", "<iframe", "<base", "http-equiv"] {
        assert!(!markup.contains(inline), "{inline}");
    }
    for style in contents(document, "style") {
        assert!(
            !style.contains("@import") && !style.contains("url(h"),
            "a style that asks for more"
        );
    }
}
