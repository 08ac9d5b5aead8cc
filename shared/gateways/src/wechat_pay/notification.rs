//! Opening and reading notifications whose signature has been checked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::de::DeserializeOwned;

use super::WechatPay;
use super::reply::refund_state;
use super::wire::{Notification, NotificationKind, RefundNotice, Resource, Transaction};
use crate::settings::SettingsError;
use crate::text::id;
use crate::{Distrust, Event, NamedPayment};

const ALGORITHM: &str = "AEAD_AES_256_GCM";
const KEY_LEN: usize = 32;

/// The `APIv3` keys that notifications are sealed with.
pub(super) struct SealKeys(Vec<LessSafeKey>);

impl SealKeys {
    pub(super) fn new(keys: &[String]) -> Result<Self, SettingsError> {
        if keys.is_empty() {
            return Err(SettingsError::new("apiv3_keys", "is empty"));
        }
        let keys: Result<_, _> = keys.iter().enumerate().map(seal_key).collect();
        keys.map(Self)
    }

    /// Opens a sealed object with whichever key fits.
    fn open<T: DeserializeOwned>(&self, resource: &Resource) -> Result<T, Distrust> {
        let sealed = STANDARD.decode(&resource.ciphertext).map_err(|_| Distrust::Unreadable)?;
        let associated_data = resource.associated_data.as_deref().unwrap_or_default();
        for key in &self.0 {
            let nonce = Nonce::try_assume_unique_for_key(resource.nonce.as_bytes())
                .map_err(|_| Distrust::Unreadable)?;
            let aad = Aad::from(associated_data.as_bytes());
            let mut buffer = sealed.clone();
            if let Ok(plain) = key.open_in_place(nonce, aad, &mut buffer) {
                return serde_json::from_slice(plain).map_err(|_| Distrust::Unreadable);
            }
        }
        Err(Distrust::Unreadable)
    }
}

fn seal_key((at, key): (usize, &String)) -> Result<LessSafeKey, SettingsError> {
    let refuse = || SettingsError::new(format!("apiv3_keys[{at}]"), "is not 32 bytes");
    if key.len() != KEY_LEN {
        return Err(refuse());
    }
    let key = UnboundKey::new(&AES_256_GCM, key.as_bytes()).map_err(|_| refuse())?;
    Ok(LessSafeKey::new(key))
}

impl WechatPay {
    /// What a verified notification tells. Events that are not about our work tell nothing.
    pub(super) fn events(&self, body: &[u8]) -> Result<Vec<Event>, Distrust> {
        let kind: NotificationKind =
            serde_json::from_slice(body).map_err(|_| Distrust::Unreadable)?;
        match kind.event_type.as_str() {
            "TRANSACTION.SUCCESS" => Ok(vec![self.paid(self.unsealed(body)?)?]),
            "REFUND.SUCCESS" => Ok(vec![self.refunded(self.unsealed(body)?, "SUCCESS")?]),
            "REFUND.ABNORMAL" => Ok(vec![self.refunded(self.unsealed(body)?, "ABNORMAL")?]),
            "REFUND.CLOSED" => Ok(vec![self.refunded(self.unsealed(body)?, "CLOSED")?]),
            _ => Ok(Vec::new()),
        }
    }

    fn unsealed<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Distrust> {
        let notification: Notification =
            serde_json::from_slice(body).map_err(|_| Distrust::Unreadable)?;
        if notification.resource.algorithm != ALGORITHM {
            return Err(Distrust::Unreadable);
        }
        self.seal_keys.open(&notification.resource)
    }

    fn paid(&self, transaction: Transaction) -> Result<Event, Distrust> {
        if !self.is_ours(&transaction) {
            return Err(Distrust::WrongMerchant);
        }
        if transaction.trade_state != "SUCCESS" {
            return Err(Distrust::Unreadable);
        }
        Ok(Event::Paid {
            payment_id: transaction.out_trade_no.clone(),
            capture: transaction.capture().ok_or(Distrust::Unreadable)?,
            gateway_ref: None,
            echo: transaction.echo(),
        })
    }

    fn refunded(&self, notice: RefundNotice, status: &str) -> Result<Event, Distrust> {
        // A refund's contents name the merchant only.
        if notice.mchid != self.mchid {
            return Err(Distrust::WrongMerchant);
        }
        if notice.refund_status != status {
            return Err(Distrust::Unreadable);
        }
        Ok(Event::Refund {
            amount: notice.amount.refund().ok_or(Distrust::Unreadable)?,
            outcome: refund_state(&notice.refund_status, 0),
            payment: NamedPayment {
                transaction_id: notice.transaction_id,
                payment_id: Some(notice.out_trade_no),
                echo: None,
            },
            number: id(&notice.out_refund_no).ok_or(Distrust::Unreadable)?,
        })
    }
}
