//! Removing the padding of CBC (RFC 5652 §6.3) without telling anybody whether it was right.
