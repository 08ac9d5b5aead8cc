//! Puts the checkout page together.

fn main() -> Result<(), page_builder::BuildError> {
    page_builder::build("page")
}
