//! Passive discovery (R53): captures of real handshakes, and captures made to hurt.

mod golden;
mod hostile;
mod made;
