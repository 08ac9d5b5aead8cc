//! Puts the laptop's own pages together.

fn main() -> Result<(), page_builder::BuildError> {
    // They share a style and a script, which are in neither's own folder.
    #[expect(clippy::print_stdout, reason = "this is how a build script speaks to Cargo")]
    {
        println!("cargo::rerun-if-changed=pages");
    }
    page_builder::build("pages/home")?;
    page_builder::build("pages/wallet")
}
