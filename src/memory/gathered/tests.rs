//! Gathered bytes against a `Vec`, in the memory of an allocator that checks what it is told.

use std::cell::RefCell;
use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// Knows the sizes of its blocks, and gives no more than `most` bytes altogether.
#[derive(Debug)]
pub(crate) struct Checked {
    blocks: RefCell<HashMap<usize, usize>>,
    most: usize,
}

impl Checked {
    pub(crate) fn new(most: usize) -> Box<Self> {
        Box::new(Checked { blocks: RefCell::default(), most })
    }

    /// The memory of strings that lie so in their blocks. The allocator must outlive it.
    pub(crate) fn memory(&self, layout: Layout) -> Rc<StringMemory> {
        // SAFETY: the function behaves as it must with this data.
        unsafe { Rc::new(StringMemory::new(allocate, ptr::from_ref(self).cast_mut().cast(), layout)) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.borrow().is_empty()
    }
}

/// What an interpreter's allocator does.
///
/// # Safety
/// The data must be a [`Checked`], and blocks come from here.
unsafe extern "C" fn allocate(
    data: *mut c_void,
    old: *mut c_void,
    old_size: usize,
    size: usize,
) -> *mut c_void {
    // SAFETY: as the caller vouches.
    unsafe {
        let checked = &*data.cast::<Checked>();
        let mut blocks = checked.blocks.borrow_mut();
        let known = blocks.remove(&old.addr());
        assert!(old.is_null() || known == Some(old_size), "a block of {old_size} bytes has {known:?}");
        if size == 0 {
            libc::free(old);
            return ptr::null_mut();
        }
        if blocks.values().sum::<usize>() + size > checked.most {
            blocks.extend(known.map(|size| (old.addr(), size)));
            return ptr::null_mut();
        }
        let new = libc::realloc(old, size);
        blocks.insert(new.addr(), size);
        new
    }
}

#[derive(Clone, Debug)]
enum Step {
    Receive(usize, u8),
    Truncate(usize),
    RemoveFront(usize),
    Block,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0usize..60, any::<u8>()).prop_map(|(count, byte)| Step::Receive(count, byte)),
        (0usize..200).prop_map(Step::Truncate),
        (0usize..200).prop_map(Step::RemoveFront),
        Just(Step::Block),
    ]
}

#[test]
fn layouts_are_found() {
    for (header, trailer, unit) in [(0, 1, 1), (24, 1, 1), (24, 4, 4), (16, 8, 8)] {
        let layout = Layout { header, trailer, unit };
        let sizes = [64, 61].map(|length| (length, layout.size_of_string(length)));
        assert_eq!(Layout::found(header, sizes), Some(layout));
    }
    assert_eq!(Layout::found(24, [(64, 88), (61, 85)]), None);
    assert_eq!(Layout::found(24, [(64, 89), (61, 89)]), None);
    assert_eq!(Layout::found(24, [(64, 80), (61, 80)]), None);
}

proptest! {
    #[test]
    fn gathered_bytes_are_what_was_gathered(
        first in proptest::collection::vec(any::<u8>(), 0..50),
        steps in proptest::collection::vec(step(), 0..40),
        header in 0usize..40,
        (trailer, unit) in prop_oneof![(1usize..5).prop_map(|trailer| (trailer, 1)), Just((4, 4)), Just((8, 8))],
        most in 0usize..1500,
    ) {
        let checked = Checked::new(most);
        let layout = Layout { header, trailer, unit };
        let memory = checked.memory(layout);
        let mut expected = first.clone();
        let mut gathered = Gathered::copy(&memory, &first);
        prop_assert_eq!(gathered.is_none(), layout.size_of_string((2 * first.len()).max(1)) > most);
        for step in gathered.is_some().then_some(steps).into_iter().flatten() {
            let bytes = gathered.as_mut().expect("it is there");
            match step {
                Step::Receive(count, byte) => {
                    if bytes.reserve(count) {
                        let room = bytes.spare();
                        prop_assert!(room.len() >= count);
                        room[..count].iter_mut().for_each(|slot| { slot.write(byte); });
                        // SAFETY: all were written.
                        unsafe { bytes.set_len(expected.len() + count) };
                        expected.extend(std::iter::repeat_n(byte, count));
                    } else {
                        prop_assert!(layout.size_of_string(expected.len() + count) > most);
                    }
                }
                Step::Truncate(length) => {
                    bytes.truncate(length);
                    expected.truncate(length);
                }
                Step::RemoveFront(count) => {
                    let count = count.min(expected.len());
                    bytes.remove_front(count);
                    expected.drain(..count);
                }
                Step::Block => {
                    prop_assert!(bytes.shrink());
                    let block = gathered.take().expect("it is there").into_block();
                    prop_assert_eq!(block.size, layout.size_of_string(expected.len()));
                    prop_assert!((header + expected.len()..=header + expected.len() + trailer).contains(&block.size));
                    prop_assert_eq!(block.bytes().addr() - block.block.addr().get(), header);
                    prop_assert_eq!(block.bytes().len(), expected.len());
                    // SAFETY: they are among the bytes.
                    prop_assert_eq!(unsafe { &*block.end() }, &expected[expected.len() / unit * unit..]);
                    // SAFETY: the block has become nothing.
                    gathered = Some(unsafe { block.into_gathered() });
                }
            }
            let bytes = gathered.as_ref().expect("it is there");
            prop_assert_eq!(&bytes[..], &expected[..]);
            prop_assert!(bytes.capacity() >= bytes.len());
        }
        drop(gathered);
        prop_assert!(checked.is_empty());
    }
}
