//! Puts the operator's page together.

fn main() -> Result<(), page_builder::BuildError> {
    page_builder::build("page")
}
