//! How the network is reached: which servers are believed to be who they say they are.
//!
//! Reading the system's root certificates is the largest part of a cold start, so it is put off
//! until a gateway is called. AWS's own services are known by the few roots of their own authority.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

/// How long connecting to the store or a gateway may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The roots that AWS's services are certified under. Source: Amazon Trust Services, "Repository":
/// Amazon Root CA 1 to 4, and Starfield Services Root Certificate Authority - G2.
pub const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");
/// What the names of the regions begin with that are no part of AWS's ordinary partition, and may
/// be certified by others.
const OTHER_PARTITIONS: [&str; 5] = ["cn-", "us-gov-", "us-iso", "eu-iso", "eusc-"];

/// Whether AWS's services in a region are certified under [`AMAZON_ROOTS`].
#[must_use]
pub fn is_certified_by_amazon(region: &str) -> bool {
    !OTHER_PARTITIONS.iter().any(|prefix| region.starts_with(prefix))
}

/// A connector to AWS's own services in a region.
///
/// # Errors
/// A line, if the TLS library takes our roots for none.
pub fn aws_connector(region: &str) -> Result<SharedHttpConnector, String> {
    if !is_certified_by_amazon(region) {
        return Ok(system_connector());
    }
    let roots = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    let context = TlsContext::builder().with_trust_store(roots).build();
    let context = context.map_err(|error| error.to_string())?;
    let builder = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring));
    let builder = builder.tls_context(context).connector_settings(settings());
    Ok(SharedHttpConnector::new(builder.build()))
}

/// A connector to whomever the system trusts. Its roots are read at the first call.
#[must_use]
pub fn system_connector() -> SharedHttpConnector {
    SharedHttpConnector::new(AtFirstCall::default())
}

/// A connector without TLS, for servers on this machine.
#[must_use]
pub fn plain_connector() -> SharedHttpConnector {
    SharedHttpConnector::new(Connector::builder().connector_settings(settings()).build_http())
}

/// Clones share what the first call has made.
#[derive(Clone, Debug, Default)]
struct AtFirstCall(Arc<OnceLock<SharedHttpConnector>>);

impl HttpConnector for AtFirstCall {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.0.get_or_init(with_system_roots).call(request)
    }
}

fn with_system_roots() -> SharedHttpConnector {
    let builder = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring));
    SharedHttpConnector::new(builder.connector_settings(settings()).build())
}

fn settings() -> HttpConnectorSettings {
    HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build()
}
