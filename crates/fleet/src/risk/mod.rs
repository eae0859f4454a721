//! Risk (R18): how bad it is if a certificate ends, why, and what to do about it. One rule, in two forms: a function of
//! what is known about one certificate, which says why; and an SQL expression over the columns, for all of them at once.

mod assess;
mod level;
#[cfg(test)]
mod tests;

pub use assess::{Assessment, Reason, assess};
pub use level::{Level, Light, SOON};
