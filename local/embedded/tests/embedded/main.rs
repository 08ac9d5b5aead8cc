//! The embedded store and its meter, as seen through the real SDK client.

// One program for all of them: linking the SDK is most of what a test build waits for.
#[cfg(all(test, feature = "http"))]
mod endpoint;
#[cfg(test)]
mod meter;
#[cfg(test)]
mod store;
#[cfg(test)]
mod table;
#[cfg(test)]
mod writes;
