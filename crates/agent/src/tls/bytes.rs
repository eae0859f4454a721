//! Reading TLS's vectors: every length checked against what is there.

use super::Fault;

pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
    /// What is read, for the fault.
    what: &'static str,
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(rest: &'a [u8], what: &'static str) -> Self {
        Self { rest, what }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(Fault::Garbage(format!(
                "{}: a length reaches beyond its end",
                self.what
            )));
        };
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Fault> {
        Ok(self.number(1)? as u8)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Fault> {
        Ok(self.number(2)? as u16)
    }

    /// A vector whose length takes `size` bytes (RFC 8446 §3.4).
    pub(crate) fn vector(&mut self, size: usize) -> Result<&'a [u8], Fault> {
        let length = self.number(size)?;
        self.take(length)
    }

    /// A vector as something to read on in.
    pub(crate) fn inner(&mut self, size: usize) -> Result<Bytes<'a>, Fault> {
        Ok(Bytes::new(self.vector(size)?, self.what))
    }

    fn number(&mut self, size: usize) -> Result<usize, Fault> {
        let bytes = self.take(size)?;
        Ok(bytes
            .iter()
            .fold(0, |number, &byte| number << 8 | usize::from(byte)))
    }
}
