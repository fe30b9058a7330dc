//! What std would bring: memory that is only handed out, and a panic that is a trap.

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32::{memory_grow, memory_size, unreachable},
    cell::Cell,
};

const PAGE_BYTES: usize = 64 * 1024;

/// Hands out fresh memory and takes none back: the child is gone before it matters.
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

/// The memory that the host asks for to hand over what a call returned, such as the arguments.
///
/// # Safety
///
/// Only the canonical ABI calls it.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(_: *mut u8, old_bytes: usize, align: usize, bytes: usize) -> *mut u8 {
    // Growing is for strings that change their encoding on the way. These do not.
    match Layout::from_size_align(bytes, align) {
        // SAFETY: `alloc` of `Bump` takes any layout.
        Ok(layout) if old_bytes == 0 => unsafe { BUMP.alloc(layout) },
        _ => unreachable(),
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unreachable()
}
