//! Products, and the tags that their bookings carry.

use domain::product::Product;
use store::products::Stored;

use crate::place::on_every_place;
use crate::records::{IDS, product};

#[tokio::test]
async fn a_product_is_stored_in_place_of_what_it_was() {
    on_every_place(async |place| {
        let (store, tag) = (&place.store, IDS.product_tag("desk"));
        assert_eq!(store.product("desk", &tag).await.unwrap(), None);
        for name in ["Desk", "Desk by the window"] {
            let product = Product { name: name.to_owned(), ..product("desk") };
            assert_eq!(store.put_product(&product, &tag).await.unwrap(), Stored::Yes);
            assert_eq!(store.product("desk", &tag).await.unwrap(), Some(product));
        }
    })
    .await;
}

#[tokio::test]
async fn an_id_whose_tag_is_another_products_cannot_be_used() {
    on_every_place(async |place| {
        let (store, tag) = (&place.store, IDS.product_tag("desk"));
        let (desk, room) = (product("desk"), product("room"));
        assert_eq!(store.put_product(&desk, &tag).await.unwrap(), Stored::Yes);
        assert_eq!(store.put_product(&room, &tag).await.unwrap(), Stored::TagTaken);
        assert_eq!(store.product("desk", &tag).await.unwrap(), Some(desk));
        assert_eq!(store.product("room", &tag).await.unwrap(), None);
    })
    .await;
}
