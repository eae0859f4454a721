//! Human and JSON descriptions of any object this crate reads.
