//! Risk (R18): how bad it is if a certificate ends, why, and what to do about it. One rule, in two forms: a function of
//! what is known about one certificate, which says why; and an SQL expression over the columns, for all of them at once.

mod all;
mod assess;
mod count;
mod explain;
mod level;
#[cfg(test)]
mod tests;

pub use all::Reassessed;
pub use assess::{Assessment, Reason, Settled, assess, settled};
pub use count::{RiskCount, RiskCounts, Within};
pub use explain::Explained;
pub use level::{Level, Light, SOON};
