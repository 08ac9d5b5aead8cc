//! The store adapter through the real SDK: one suite for the embedded store and, where
//! `LATCHPAY_TEST_DYNAMODB` names an endpoint, for any other DynamoDB.

// One program for all of them: linking the SDK is most of what a test build waits for.
#[cfg(test)]
mod attention;
#[cfg(test)]
mod bookings;
#[cfg(test)]
mod captures;
#[cfg(test)]
mod commits;
#[cfg(test)]
mod items;
#[cfg(test)]
mod loading;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod place;
#[cfg(test)]
mod products;
#[cfg(test)]
mod records;
#[cfg(test)]
mod releases;
#[cfg(test)]
mod tasks;
#[cfg(test)]
mod wrap;
