//! The bills of gateways whose adapters stand elsewhere, read from bytes.

#[cfg(test)]
mod alipay;
#[cfg(test)]
mod stripe;
