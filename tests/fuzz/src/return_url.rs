//! Return URLs: where the checkout page may send a customer back to.
//!
//! An input is a URL that somebody asks for; where it begins with an exclamation mark, the rest is
//! a deployment's list of allowed ones.
//!
//! - What is accepted, the reader that browsers have (the URL Standard) reads as well, and finds
//!   there the scheme, the host and the port of an allowed entry, and a path that is the entry's or
//!   below it: nobody is led elsewhere.
//! - It holds neither a name nor a password, and reads the same when it is written again.
//! - A list that is accepted allows each of its own entries, and plain http on this machine alone.

use api::return_url::{RETURN_URL_LEN_MAX, ReturnUrls};
use url::{Host, Url};

/// What the deployment allows.
const ALLOWED: [&str; 5] = [
    "https://good.example.com/shop",
    "https://other.example.com",
    "https://good.example.com:8443",
    "http://127.0.0.1",
    "http://localhost:3000",
];

/// Checks the properties above.
pub fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match text.strip_prefix('!') {
        Some(list) => check_list(list),
        None => check_url(text),
    }
}

fn check_url(text: &str) {
    let allowed = ReturnUrls::parse(&ALLOWED.join(",")).expect("a usable list");
    if allowed.check(text).is_err() {
        return;
    }
    assert!(text.len() <= RETURN_URL_LEN_MAX);
    let url = Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert!(url.username().is_empty() && url.password().is_none(), "{text}");
    assert_eq!(Url::parse(url.as_str()).as_ref(), Ok(&url));
    let is_of = |entry: &&&str| is_below(&url, &Url::parse(entry).expect("an entry"));
    assert!(ALLOWED.iter().find(is_of).is_some(), "{text} leads to {url}");
}

fn is_below(url: &Url, entry: &Url) -> bool {
    let on_any_port = entry.as_str() == "http://127.0.0.1/";
    let same_port = url.port_or_known_default() == entry.port_or_known_default();
    let path = entry.path().trim_end_matches('/');
    let below = url.path().strip_prefix(path);
    url.scheme() == entry.scheme()
        && url.host() == entry.host()
        && (same_port || on_any_port)
        && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn check_list(list: &str) {
    let Ok(allowed) = ReturnUrls::parse(list) else { return };
    for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        assert!(allowed.check(entry).is_ok(), "{entry} does not allow itself");
        // What no browser can open leads nobody anywhere.
        let Ok(url) = Url::parse(entry) else { continue };
        let is_local = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        assert!(url.scheme() == "https" || is_local, "{entry}");
    }
}
