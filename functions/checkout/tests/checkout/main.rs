//! The checkout page as it is built into the function.

#[cfg(test)]
mod page;
