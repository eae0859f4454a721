//! Passive discovery (R53): captures of real handshakes, and captures made to hurt.

#![cfg(test)]

mod golden;
mod hostile;
mod made;
