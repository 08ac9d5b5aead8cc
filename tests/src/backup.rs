//! A copy of the whole table, and putting it back: what a restore from a backup does.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use local::stack::TABLE;
use store::schema::{PK, SK};

use crate::World;

/// How many pages of the table are read at most.
const PAGES_MAX: u32 = 1_000;

/// An item as DynamoDB holds it.
pub type Item = HashMap<String, AttributeValue>;

impl World {
    /// The client of an operator, who is beside the product.
    #[must_use]
    pub fn table_client(&self) -> Client {
        Client::from_conf(self.stack.embedded.sdk_config().build())
    }

    /// Every item of the table as it is now.
    pub async fn back_up(&self) -> Vec<Item> {
        let client = self.table_client();
        let (mut items, mut from) = (vec![], None);
        for _ in 0..PAGES_MAX {
            let scan = client.scan().table_name(TABLE).consistent_read(true);
            let page = scan.set_exclusive_start_key(from).send().await.unwrap();
            items.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() {
                return items;
            }
        }
        panic!("the table has more than {PAGES_MAX} pages");
    }

    /// The table of a backup in place of the one that is there: whatever came later is gone.
    pub async fn restore(&self, backup: Vec<Item>) {
        let client = self.table_client();
        for mut item in self.back_up().await {
            item.retain(|name, _| name == PK || name == SK);
            let gone = client.delete_item().table_name(TABLE).set_key(Some(item));
            gone.send().await.unwrap();
        }
        for item in backup {
            let put = client.put_item().table_name(TABLE).set_item(Some(item));
            put.send().await.unwrap();
        }
    }
}
