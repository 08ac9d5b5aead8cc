//! Products.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use domain::ids::ProductTag;
use domain::product::Product;

use crate::error::StoreError;
use crate::schema::Key;
use crate::{Store, items, strings};

/// What became of storing a product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stored {
    /// It is stored.
    Yes,
    /// Another product's id has the same tag; this id cannot be used.
    TagTaken,
}

impl Store {
    /// Reads a product.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn product(
        &self,
        product_id: &str,
        tag: &ProductTag,
    ) -> Result<Option<Product>, StoreError> {
        let item = self.get(Key::product(tag)).await?;
        let product: Option<Product> = item.map(items::decode).transpose()?;
        Ok(product.filter(|product| product.product_id == product_id))
    }

    /// Stores a product, in place of what was stored under its id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_product(
        &self,
        product: &Product,
        tag: &ProductTag,
    ) -> Result<Stored, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(items::product(product, Key::product(tag))?))
            .condition_expression("attribute_not_exists(pk) OR product_id = :id")
            .set_expression_attribute_values(Some(strings(&[(":id", &product.product_id)])));
        match put.send().await {
            Ok(_) => Ok(Stored::Yes),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(Stored::TagTaken),
                Some(_) | None => Err(error.into()),
            },
        }
    }
}
