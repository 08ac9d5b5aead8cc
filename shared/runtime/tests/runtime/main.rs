//! What stands between a function and Lambda: its configuration and its events.

#[cfg(test)]
mod config;
#[cfg(test)]
mod connectors;
#[cfg(test)]
mod lambda;
