//! A window that slides over a stream of unknown length: what stands in it is parsed in place, without a copy a packet.

use std::io::{self, Read};

/// Bytes asked of the source at once. Large reads are what makes a capture of bulk traffic cheap to go through.
const CHUNK: usize = 1 << 20;

pub(super) struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the source of what stands at `start`.
    offset: u64,
}

impl<R: Read> Window<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            offset: 0,
        }
    }

    /// Where the next byte stands in the source.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether so many bytes could be had; fewer are left at the end of the source. The caller bounds `length`.
    pub(super) fn has(&mut self, length: usize) -> io::Result<bool> {
        if self.end - self.start >= length {
            return Ok(true);
        }
        self.make_room(length);
        while self.end - self.start < length {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn make_room(&mut self, length: usize) {
        if self.start + length <= self.buffer.len() {
            return;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < length {
            self.buffer.resize(length + CHUNK, 0);
        }
    }

    /// What is there, without moving on; not more than `length` bytes.
    pub(super) fn peek(&self, length: usize) -> &[u8] {
        let end = self.end.min(self.start + length);
        &self.buffer[self.start..end]
    }

    /// Moves behind so many bytes that [`Window::has`] has promised, and returns them.
    pub(super) fn take(&mut self, length: usize) -> &[u8] {
        let from = self.start;
        let to = self.end.min(from + length);
        self.start = to;
        self.offset += (to - from) as u64;
        &self.buffer[from..to]
    }

    /// Moves over bytes that nobody reads, however many. Returns whether they were all there.
    pub(super) fn skip(&mut self, mut length: u64) -> io::Result<bool> {
        while length > 0 {
            let step = length.min(CHUNK as u64) as usize;
            if !self.has(step)? {
                self.take(step);
                return Ok(false);
            }
            self.take(step);
            length -= step as u64;
        }
        Ok(true)
    }

    /// Whether the source ends here.
    pub(super) fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(!self.has(1)?)
    }
}
