//! Which sendings of a transaction were answered, the SDK's own retries included.
//!
//! The SDK tells only what became of the last one. A refusal of that one says nothing of an
//! earlier one that was never answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::error::{Said, said};

/// Counts the sendings of one transaction. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sendings {
    sent: Arc<AtomicU32>,
    answered: Arc<AtomicU32>,
}

impl Sendings {
    /// Whether each sending was answered clearly.
    pub(crate) fn all_answered(&self) -> bool {
        self.sent.load(Ordering::SeqCst) == self.answered.load(Ordering::SeqCst)
    }
}

impl Intercept for Sendings {
    fn name(&self) -> &'static str {
        "Sendings"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.sent.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    // Not reached by a sending that times out or loses its connection.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answered = match context.output_or_error() {
            Ok(_) => true,
            Err(error) => {
                let error = error.as_operation_error();
                let error = error.and_then(|error| error.downcast_ref::<TransactWriteItemsError>());
                error.is_some_and(|error| said(error, context.response()) != Said::Nothing)
            }
        };
        if answered {
            self.answered.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}
