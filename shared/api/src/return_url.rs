//! Return URLs: where the checkout page may send a customer back to.
//!
//! What is allowed is compared as text, not as two parsers may read it, so that what is accepted
//! here cannot lead a browser elsewhere: whatever could be read in two ways is refused.

use crate::problem::Problem;

/// The longest return URL, in characters: a link's token has to hold it.
pub const RETURN_URL_LEN_MAX: usize = 1_024;
/// How many allowed return URLs a deployment may name.
pub const RETURN_URLS_MAX: usize = 64;
/// Hosts that are this machine to whoever opens them.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// The return URLs that a deployment allows; none unless it names some.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReturnUrls {
    allowed: Vec<Allowed>,
}

/// An origin, and a path that what is allowed begins with.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Allowed {
    scheme: Scheme,
    authority: String,
    path: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scheme {
    Https,
    /// For this machine alone.
    Http,
}

/// An entry that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0} is no https URL, and no http URL of 127.0.0.1, localhost or [::1], without ? and #, and \
     one of at most {RETURN_URLS_MAX}"
)]
pub struct InvalidReturnUrls(String);

impl ReturnUrls {
    /// Reads URLs that are parted by commas. Each allows itself and what is below its path; an http
    /// URL without a port allows every port, because a program on this machine takes any (RFC 8252,
    /// 7.3).
    ///
    /// # Errors
    /// [`InvalidReturnUrls`] names the first that is not acceptable.
    pub fn parse(text: &str) -> Result<Self, InvalidReturnUrls> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let mut allowed = vec![];
        for entry in entries {
            let fits = !entry.contains(['?', '#']) && allowed.len() < RETURN_URLS_MAX;
            let url = Url::read(entry).filter(|_| fits);
            let url = url.ok_or_else(|| InvalidReturnUrls(entry.to_owned()))?;
            allowed.push(Allowed {
                scheme: url.scheme,
                authority: url.authority.to_ascii_lowercase(),
                path: url.path.trim_end_matches('/').to_owned(),
            });
        }
        Ok(Self { allowed })
    }

    /// Refuses a URL that is not allowed.
    ///
    /// # Errors
    /// [`Problem::InvalidRequest`] naming `return_url`.
    pub fn check(&self, text: &str) -> Result<(), Problem> {
        let url = Url::read(text);
        let fits = url.is_some_and(|url| self.allowed.iter().any(|one| one.allows(&url)));
        let rule = "an https URL that this deployment allows, at most 1,024 characters";
        if fits { Ok(()) } else { Err(Problem::invalid("return_url", rule)) }
    }
}

impl Allowed {
    fn allows(&self, url: &Url<'_>) -> bool {
        let below = url.path.strip_prefix(self.path.as_str());
        let is_below = below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.scheme == url.scheme && self.has_authority(url) && is_below
    }

    fn has_authority(&self, url: &Url<'_>) -> bool {
        let same = self.authority.eq_ignore_ascii_case(url.authority);
        match self.scheme {
            Scheme::Https => same,
            Scheme::Http => same || (url.port.is_some() && self.authority == url.host),
        }
    }
}

/// The parts of a URL that are compared. The path ends before the query.
struct Url<'a> {
    scheme: Scheme,
    authority: &'a str,
    host: &'a str,
    port: Option<&'a str>,
    path: &'a str,
}

impl<'a> Url<'a> {
    /// Reads a URL in the one spelling that every reader understands alike: visible ASCII without
    /// backslashes, a plain host, a numeric port, and no step back in its path.
    fn read(text: &'a str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !br#"\"<>^`{|}"#.contains(&byte);
        if text.len() > RETURN_URL_LEN_MAX || !text.bytes().all(is_plain) {
            return None;
        }
        let (scheme, rest) = match text.split_once("://")? {
            ("https", rest) => (Scheme::Https, rest),
            ("http", rest) => (Scheme::Http, rest),
            _ => return None,
        };
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            Some(_) | None => (authority, None),
        };
        let url = Self { scheme, authority, host, port, path };
        url.is_clear().then_some(url)
    }

    fn is_clear(&self) -> bool {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        let is_host = !self.host.is_empty() && self.host.bytes().all(is_name);
        let is_port = self.port.is_none_or(|port| port.parse::<u16>().is_ok_and(|one| one > 0));
        let steps_back = self.path.split('/').any(is_dots);
        let is_loopback = LOOPBACK.contains(&self.host);
        // Plain http stays on this machine.
        let fits = match self.scheme {
            Scheme::Https => true,
            Scheme::Http => is_loopback,
        };
        (is_host || is_loopback) && is_port && !steps_back && fits
    }
}

/// Whether a URL can stand before a path of our own: an origin and nothing behind it.
#[must_use]
pub fn is_base_url(text: &str) -> bool {
    Url::read(text).is_some_and(|url| url.path.is_empty()) && !text.contains(['?', '#'])
}

/// `.` or `..`, however it is spelt: a reader would take it out of the path.
fn is_dots(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(allowed: &str, rows: &[(&str, bool)]) {
        let urls = ReturnUrls::parse(allowed).unwrap();
        for (url, fits) in rows {
            assert_eq!(urls.check(url).is_ok(), *fits, "{url} by {allowed}");
        }
    }

    #[test]
    fn an_origin_allows_everything_on_it_and_nothing_that_only_looks_like_it() {
        check(
            "https://good.example.com",
            &[
                ("https://good.example.com", true),
                ("https://good.example.com/", true),
                ("https://good.example.com/orders/7?paid=1#top", true),
                ("https://good.example.com?paid=1", true),
                ("https://good.example.com#paid", true),
                ("https://GOOD.Example.com/orders", true),
                ("https://good.example.com/%E9%A2%84%E5%AE%9A", true),
                ("https://good.example.com:443/", false),
                ("https://good.example.com:8443/", false),
                ("https://good.example.com.evil.test/", false),
                ("https://good.example.comevil.test/", false),
                ("https://evil.test/https://good.example.com", false),
                ("https://evil.test#https://good.example.com", false),
                ("https://evil.test?https://good.example.com", false),
                ("https://good.example.com@evil.test/", false),
                ("https://good.example.com:pass@evil.test/", false),
                ("https://user@good.example.com/", false),
                ("https://good.example.com\\@evil.test/", false),
                ("https://evil.test\\@good.example.com/", false),
                ("https://good.example.com\\.evil.test/", false),
                ("https://good.example.com%2eevil.test/", false),
                ("https://good.example.com./", false),
                ("https://sub.good.example.com/", false),
                ("http://good.example.com/", false),
                ("HTTPS://good.example.com/", false),
                ("https:/good.example.com/", false),
                ("https:good.example.com/", false),
                ("https:///good.example.com/", false),
                ("//good.example.com/", false),
                ("javascript:alert(1)//https://good.example.com", false),
                ("javascript://good.example.com/%0aalert(1)", false),
                (" https://good.example.com/", false),
                ("https://good.example.com/ ", false),
                ("https://good.example.com/a\tb", false),
                ("https://good.example.com/a\nb", false),
                ("https://good.example.com\t.evil.test/", false),
                ("https://good.example.com/预定", false),
                ("https://gооd.example.com/", false),
                ("https://", false),
                ("https:///", false),
                ("", false),
            ],
        );
    }

    #[test]
    fn a_path_allows_itself_and_what_is_below_it() {
        for allowed in ["https://good.example.com/shop", "https://good.example.com/shop/"] {
            check(
                allowed,
                &[
                    ("https://good.example.com/shop", true),
                    ("https://good.example.com/shop/", true),
                    ("https://good.example.com/shop/done?order=1", true),
                    ("https://good.example.com/shop?order=1", true),
                    ("https://good.example.com/shopping", false),
                    ("https://good.example.com/Shop", false),
                    ("https://good.example.com/", false),
                    ("https://good.example.com/?/shop", false),
                    ("https://good.example.com/shop/../admin", false),
                    ("https://good.example.com/shop/%2e%2E/admin", false),
                    ("https://good.example.com/shop/.%2e/admin", false),
                    ("https://good.example.com/shop/..", false),
                    ("https://good.example.com/shop/./done", false),
                    ("https://good.example.com/shop/..done", true),
                ],
            );
        }
    }

    #[test]
    fn a_port_is_part_of_the_origin() {
        check(
            "https://good.example.com:8443",
            &[
                ("https://good.example.com:8443/", true),
                ("https://good.example.com/", false),
                ("https://good.example.com:84430/", false),
                ("https://good.example.com:08443/", false),
                ("https://good.example.com:/", false),
            ],
        );
    }

    #[test]
    fn http_leads_to_this_machine_alone_and_without_a_port_to_any() {
        check(
            "http://127.0.0.1, http://localhost:3000,http://[::1]",
            &[
                ("http://127.0.0.1/", true),
                ("http://127.0.0.1:1/", true),
                ("http://127.0.0.1:65535/done", true),
                ("http://127.0.0.1:65536/", false),
                ("http://127.0.0.1:0/", false),
                ("http://127.0.0.1.evil.test/", false),
                ("http://127.0.0.1:80@evil.test/", false),
                ("https://127.0.0.1/", false),
                ("http://localhost:3000/", true),
                ("http://localhost:3001/", false),
                ("http://localhost/", false),
                ("http://[::1]/", true),
                ("http://[::1]:8080/", true),
                ("http://[::2]/", false),
            ],
        );
    }

    #[test]
    fn nothing_is_allowed_unless_it_is_named() {
        check("", &[("https://good.example.com/", false), ("http://127.0.0.1/", false)]);
    }

    #[test]
    fn a_return_url_has_a_longest() {
        let of_length = |length: usize| {
            let base = "https://good.example.com/";
            format!("{base}{}", "a".repeat(length - base.len()))
        };
        let urls = ReturnUrls::parse("https://good.example.com").unwrap();
        assert!(urls.check(&of_length(RETURN_URL_LEN_MAX)).is_ok());
        assert!(urls.check(&of_length(RETURN_URL_LEN_MAX + 1)).is_err());
    }

    #[test]
    fn what_a_deployment_cannot_mean_is_refused() {
        for entry in [
            "good.example.com",
            "http://good.example.com",
            "https://*.example.com",
            "https://good.example.com/?a=b",
            "https://good.example.com/#a",
            "https://user@good.example.com",
            "https://good.example.com/../",
            "ftp://good.example.com",
            "null",
        ] {
            let listed = format!("https://fine.example.com,{entry}");
            assert_eq!(ReturnUrls::parse(&listed), Err(InvalidReturnUrls(entry.to_owned())));
        }
        let many = |count: usize| vec!["https://good.example.com"; count].join(",");
        assert!(ReturnUrls::parse(&many(RETURN_URLS_MAX)).is_ok());
        assert!(ReturnUrls::parse(&many(RETURN_URLS_MAX + 1)).is_err());
    }
}
