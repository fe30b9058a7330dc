//! Replacements for std: an allocator that never frees, and a panic that is a trap.

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32::{memory_grow, memory_size, unreachable},
    cell::Cell,
};

const PAGE_BYTES: usize = 64 * 1024;

/// Hands out fresh memory and never takes any back. The child ends before that matters.
struct Bump {
    next: Cell<usize>,
    end: Cell<usize>,
}

#[global_allocator]
static BUMP: Bump = Bump { next: Cell::new(0), end: Cell::new(0) };

// SAFETY: this module is compiled for wasm without threads, so no two threads ever share the cells.
unsafe impl Sync for Bump {}

// SAFETY: every block lies in pages that `memory_grow` gave to this allocator alone, begins at or after the end
// of the block before, and is aligned as asked.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut start = self.next.get().next_multiple_of(layout.align());
        if start + layout.size() > self.end.get() {
            let pages = layout.size().div_ceil(PAGE_BYTES);
            start = memory_size::<0>() * PAGE_BYTES;
            if memory_grow::<0>(pages) == usize::MAX {
                return core::ptr::null_mut();
            }
            self.end.set(start + pages * PAGE_BYTES);
        }
        self.next.set(start + layout.size());
        start as *mut u8
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// Allocates the memory for values that a host call returns, such as the arguments. The host calls this.
///
/// # Safety
///
/// Only the canonical ABI calls it.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(_: *mut u8, old_bytes: usize, align: usize, bytes: usize) -> *mut u8 {
    // Growing a block is for strings that change their encoding on the way. These do not.
    match Layout::from_size_align(bytes, align) {
        // SAFETY: `Bump::alloc` accepts any layout.
        Ok(layout) if old_bytes == 0 => unsafe { BUMP.alloc(layout) },
        _ => unreachable(),
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unreachable()
}
