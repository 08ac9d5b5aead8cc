//! Puts the laptop's own pages together.

fn main() -> Result<(), page_builder::BuildError> {
    page_builder::build("pages/home")?;
    page_builder::build("pages/wallet")
}
