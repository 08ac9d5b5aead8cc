//! Where requests go, and where notifications are to come.

use std::net::IpAddr;

use http::Uri;
use http::uri::{Authority, Scheme};

use crate::settings::SettingsError;

/// The longest address for notifications: WeChat Pay's 255, which is the shortest of the limits.
const NOTIFY_URL_LEN_MAX: usize = 255;
/// The longest address to come back to. It is stored with every payment that is being created.
const RETURN_URL_LEN_MAX: usize = 255;

/// An address for notifications that a gateway accepts and can call.
///
/// # Errors
/// [`SettingsError`] of `notify_url`: it is no plain `https` URL, or too long.
pub(crate) fn notify_url(text: &str) -> Result<String, SettingsError> {
    url(text, "notify_url")?;
    if text.len() > NOTIFY_URL_LEN_MAX {
        return Err(SettingsError::new("notify_url", "is longer than 255 bytes"));
    }
    Ok(text.to_owned())
}

/// An address that the payer's browser is sent back to. Gateways write into its query.
///
/// # Errors
/// [`SettingsError`] of `field`: it is no `https` URL, or too long.
pub(crate) fn return_url(text: &str, field: &str) -> Result<String, SettingsError> {
    address(text, field)?;
    if text.len() > RETURN_URL_LEN_MAX {
        return Err(SettingsError::new(field, "is longer than 255 bytes"));
    }
    Ok(text.to_owned())
}

/// Where requests go: scheme and host, and what every path begins with.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) prefix: String,
}

impl Endpoint {
    /// Reads the setting `base_url`.
    ///
    /// # Errors
    /// [`SettingsError`]: it is no plain `https` URL.
    pub(crate) fn parse(text: &str) -> Result<Self, SettingsError> {
        let uri = url(text, "base_url")?;
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(SettingsError::new("base_url", "is not an absolute URL"));
        };
        Ok(Self { scheme, authority, prefix })
    }

    /// The URI of `path`, which is percent-encoded. Every path that this adapter makes fits a URI;
    /// one that did not would become `/`, which no host answers for.
    pub(crate) fn uri(&self, path: &str) -> Uri {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path}", self.prefix))
            .build()
            .unwrap_or_default()
    }
}

fn url(text: &str, field: &str) -> Result<Uri, SettingsError> {
    let uri = address(text, field)?;
    if text.contains(['?', '#']) {
        return Err(SettingsError::new(field, "has a query string or a fragment"));
    }
    Ok(uri)
}

fn address(text: &str, field: &str) -> Result<Uri, SettingsError> {
    let refuse = |problem| Err(SettingsError::new(field, problem));
    let Ok(uri) = text.parse::<Uri>() else {
        return refuse("is not a URL");
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return refuse("is not an absolute URL");
    };
    if authority.host().is_empty() || authority.as_str().contains('@') {
        return refuse("must name a host and no user");
    }
    match scheme {
        "https" => Ok(uri),
        "http" if is_loopback(authority.host()) => Ok(uri),
        _ => refuse("is not https"),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let ip: Option<IpAddr> = address.parse().ok();
    host == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
}
