//! The gateways that a deployment has configured, by name.

use std::fmt;
use std::sync::Arc;

use domain::gateway::GatewayName;
use serde_json::Value;

use crate::Gateway;
use crate::alipay::{self, Alipay};
use crate::settings::SettingsError;
use crate::stripe::{self, Stripe};
use crate::wechat_pay::{self, WechatPay};

type Build = fn(Value) -> Result<Arc<dyn Gateway>, SettingsError>;

/// Every gateway there is. Adding a gateway means adding a row here.
const GATEWAYS: &[(&str, Build)] = &[
    (alipay::NAME, |settings| Ok(Arc::new(Alipay::new(settings.try_into()?)?))),
    (stripe::NAME, |settings| Ok(Arc::new(Stripe::new(settings.try_into()?)?))),
    (wechat_pay::NAME, |settings| Ok(Arc::new(WechatPay::new(settings.try_into()?)?))),
];

/// Every configured gateway. Built once at start-up.
#[derive(Clone, Default)]
pub struct Registry {
    gateways: Vec<Arc<dyn Gateway>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Registry {
    /// A registry of `gateways`.
    #[must_use]
    pub fn new(gateways: Vec<Arc<dyn Gateway>>) -> Self {
        Self { gateways }
    }

    /// The registry of a settings document: an object of gateway names to their settings, such as
    /// `{"wechat_pay": {"mchid": "1900000109", ...}}`.
    ///
    /// # Errors
    /// [`SettingsError`]: it is not such an object, names no gateway or one that does not exist,
    /// or a field of a gateway's settings is missing, unknown or wrong.
    pub fn from_settings(json: &str) -> Result<Self, SettingsError> {
        let document: Value = serde_json::from_str(json)
            .map_err(|_| SettingsError::new("gateway settings", "are not JSON"))?;
        let Value::Object(rows) = document else {
            return Err(SettingsError::new("gateway settings", "must be an object"));
        };
        if rows.is_empty() {
            return Err(SettingsError::new("gateway settings", "name no gateway"));
        }
        let gateways: Result<_, _> = rows.into_iter().map(build).collect();
        gateways.map(Self::new)
    }

    /// The gateway of that name.
    #[must_use]
    pub fn get(&self, name: &GatewayName) -> Option<&Arc<dyn Gateway>> {
        self.gateways.iter().find(|gateway| gateway.name() == name)
    }

    /// The names of all gateways, in the order of configuration.
    pub fn names(&self) -> impl Iterator<Item = &GatewayName> {
        self.gateways.iter().map(|gateway| gateway.name())
    }
}

fn build((name, settings): (String, Value)) -> Result<Arc<dyn Gateway>, SettingsError> {
    let row = GATEWAYS.iter().find(|(known, _)| *known == name);
    let Some((_, build)) = row else {
        return Err(SettingsError::new(name, "is not a gateway"));
    };
    build(settings).map_err(|error| error.within(&name))
}
