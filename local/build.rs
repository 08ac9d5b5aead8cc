//! Puts the laptop's own pages together.

fn main() -> Result<(), page_builder::BuildError> {
    // They share a style and a script, which are in neither's own folder.
    println!("cargo::rerun-if-changed=pages");
    page_builder::build("pages/home")?;
    page_builder::build("pages/wallet")
}
