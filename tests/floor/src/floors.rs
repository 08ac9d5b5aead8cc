//! What only some floors can do. What one cannot is not in its binary.

use aws_sdk_dynamodb::Client;
use lambda_http::Error;

use crate::gateway::{self, WechatPay};
use crate::names::Names;
use crate::table::Write;

/// A floor, beside its reads and transactions.
pub trait Floor: Send + Sync {
    /// Writes an item by itself.
    ///
    /// # Errors
    /// What the SDK says.
    fn write_alone(
        &self,
        client: &Client,
        write: &Write,
        names: &Names<'_>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Calls a gateway.
    ///
    /// # Errors
    /// What came of it, if it was not answered well.
    fn call_gateway(
        &self,
        call: &gateway::Call,
        names: &Names<'_>,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Neither.
pub struct Plain;

/// Both.
pub struct WithGateway(pub WechatPay);

impl Floor for Plain {
    async fn write_alone(&self, _: &Client, _: &Write, _: &Names<'_>) -> Result<(), Error> {
        Err("this floor writes in transactions".into())
    }

    async fn call_gateway(&self, _: &gateway::Call, _: &Names<'_>) -> Result<(), Error> {
        Err("this floor has no gateway's client".into())
    }
}

impl Floor for WithGateway {
    async fn write_alone(
        &self,
        client: &Client,
        write: &Write,
        names: &Names<'_>,
    ) -> Result<(), Error> {
        write.make_alone(client, names).await
    }

    async fn call_gateway(&self, call: &gateway::Call, names: &Names<'_>) -> Result<(), Error> {
        self.0.make(call, names).await
    }
}
