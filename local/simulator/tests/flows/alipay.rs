//! The simulated Alipay, called by a merchant who has only its settings and the protocol.

mod bill;
mod calls;
mod faults;
mod merchant;
mod notifications;
mod precreate;
mod refunds;
mod restart;
mod trades;
