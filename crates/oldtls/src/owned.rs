//! One reference to an object of the library, given back when it goes.

#![allow(
    unsafe_code,
    reason = "objects of a library in C are freed by hand; see `library`"
)]

use std::ptr::NonNull;

/// A function of the library that frees a `T`.
pub(crate) type Free<T> = unsafe extern "C" fn(*mut T);

/// The only user of a reference that the library has given away.
pub(crate) struct Owned<T> {
    pointer: NonNull<T>,
    free: Free<T>,
}

impl<T> Owned<T> {
    /// `None` for a null pointer, which is how the library says that it failed.
    ///
    /// # Safety
    /// `pointer` is null or a reference that the caller owns, and `free` is what gives it back.
    pub(crate) unsafe fn new(pointer: *mut T, free: Free<T>) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self { pointer, free })
    }

    /// Lives as long as `self`.
    pub(crate) fn as_ptr(&self) -> *mut T {
        self.pointer.as_ptr()
    }

    /// The reference itself: whoever takes it gives it back.
    pub(crate) fn into_raw(self) -> *mut T {
        let pointer = self.pointer.as_ptr();
        std::mem::forget(self);
        pointer
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: `new` was promised that the reference is ours and that this gives it back, and it is used no more.
        unsafe { (self.free)(self.pointer.as_ptr()) }
    }
}
