//! The receive buffer against a naive parser, over every way to split the same bytes.

use proptest::prelude::*;

use super::*;
use crate::memory::gathered::Layout;
use crate::memory::gathered::tests::Checked;

/// What a naive parser makes of the whole input: the answer and what is left.
fn naive(pattern: Pattern, input: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    match pattern {
        Pattern::Line | Pattern::LineUpTo(_) => {
            let end = input.iter().position(|&byte| byte == b'\n')?;
            if matches!(pattern, Pattern::LineUpTo(most) if end > most) {
                return None;
            }
            let line = input[..end].iter().copied().filter(|&byte| byte != b'\r').collect();
            Some((line, &input[end + 1..]))
        }
        Pattern::Exactly(count) => {
            if input.len() < count {
                return None;
            }
            Some((input[..count].to_vec(), &input[count..]))
        }
        Pattern::Between { .. } | Pattern::All => None,
    }
}

/// Feeds `input` in `pieces` to a buffer and asks for `patterns` in turn, as soon as each is there.
fn drive(input: &[u8], cuts: &[usize], patterns: &[Pattern]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let checked = Checked::new(usize::MAX);
    let memory = checked.memory(Layout { header: 24, trailer: 1, unit: 1 });
    let mut buffer = ReceiveBuffer::default();
    let mut answers = Vec::new();
    let mut wanted = patterns.iter().copied().peekable();
    let mut from = 0;
    for &to in cuts.iter().chain([&input.len()]) {
        let piece = &input[from..to];
        let write = |room: &mut [std::mem::MaybeUninit<u8>]| {
            for (slot, byte) in room.iter_mut().zip(piece) {
                slot.write(*byte);
            }
            Ok::<_, Exhausted>(piece.len())
        };
        // All ways in must do the same.
        if to % 3 == 0 && buffer.is_empty() {
            let (count, unused) = buffer.begin(Vec::with_capacity(piece.len() + 3), write);
            assert_eq!(count, Ok(piece.len()));
            assert_eq!(unused.is_some(), piece.is_empty());
        } else if to % 2 == 0 {
            buffer.extend(piece);
        } else {
            assert_eq!(buffer.extend_with(piece.len() + 3, write), Ok(piece.len()));
        }
        if to % 5 == 0 {
            buffer.settle();
        }
        if to % 7 == 0 {
            buffer.move_to(&memory);
        }
        from = to;
        let mut fails = to % 2 == 0;
        while let Some(&pattern) = wanted.peek() {
            let Some(found) = buffer.find(pattern) else {
                break;
            };
            // And all ways out.
            if let Some(all) = buffer.take_found() {
                answers.push(all[..found.answer].to_vec());
                assert!(buffer.is_empty());
            } else if let Some(block) = buffer.take_string(found.answer) {
                // SAFETY: the block has become nothing.
                let answer = unsafe { block.into_gathered() };
                if !std::mem::take(&mut fails) {
                    answers.push(answer.to_vec());
                } else {
                    // It could not become a string, and is found again.
                    buffer.put_back(answer);
                    continue;
                }
            } else {
                answers.push(buffer.as_slice()[..found.answer].to_vec());
                buffer.consume_found();
            }
            wanted.next();
        }
    }
    (answers, buffer.as_slice().to_vec())
}

fn pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![
        3 => Just(Pattern::Line),
        2 => (0usize..9).prop_map(Pattern::Exactly),
        1 => (0usize..30).prop_map(Pattern::LineUpTo),
    ]
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    // Few different bytes, so that line ends are frequent.
    prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(0), any::<u8>()], 0..60)
}

proptest! {
    #[test]
    fn any_split_gives_what_a_naive_parser_gives(
        input in input(),
        cuts in prop::collection::vec(0usize..60, 0..12),
        patterns in prop::collection::vec(pattern(), 1..12),
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|&cut| cut <= input.len()).collect();
        cuts.sort_unstable();

        let mut rest = input.as_slice();
        let mut expected = Vec::new();
        for &pattern in &patterns {
            let Some((answer, left)) = naive(pattern, rest) else { break };
            expected.push(answer);
            rest = left;
        }

        let (answers, left) = drive(&input, &cuts, &patterns);
        prop_assert_eq!(answers, expected);
        prop_assert_eq!(left, rest);
    }

    #[test]
    fn a_line_is_too_long_however_it_was_split(
        input in input(),
        cuts in prop::collection::vec(0usize..60, 0..12),
        most in 0usize..40,
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|&cut| cut <= input.len()).collect();
        cuts.sort_unstable();
        cuts.push(input.len());
        let pattern = Pattern::LineUpTo(most);

        // As long as there is neither a line nor too much, more is received.
        let mut buffer = ReceiveBuffer::default();
        let mut from = 0;
        let mut found = None;
        for to in cuts {
            buffer.extend(&input[from..to]);
            from = to;
            found = buffer.find(pattern);
            if found.is_some() || pattern.is_exceeded_by(buffer.len()) {
                break;
            }
        }

        let end = input.iter().position(|&byte| byte == b'\n');
        let too_long = end.unwrap_or(input.len()) > most;
        prop_assert_eq!(found.is_some(), end.is_some() && !too_long);
        prop_assert_eq!(found.is_none() && pattern.is_exceeded_by(buffer.len()), too_long);
        if too_long {
            let rest = buffer.rest(pattern);
            let beginning = input[..most].iter().copied().filter(|&byte| byte != b'\r');
            prop_assert_eq!(&buffer.as_slice()[..rest.answer], beginning.collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_kept_is_found_again(
        input in input(),
        before in 0usize..10,
        pattern in pattern(),
        is_over in any::<bool>(),
    ) {
        // The beginning of a line that is too long gets a different length by what it loses.
        let is_over = is_over && !matches!(pattern, Pattern::LineUpTo(_));
        let mut buffer = ReceiveBuffer::default();
        buffer.extend(&input);
        buffer.consume(before.min(input.len()));
        let mut answers = Vec::new();
        for _ in 0..3 {
            let Some(found) = buffer.find(pattern).or_else(|| is_over.then(|| buffer.rest(pattern))) else { break };
            answers.push(buffer.as_slice()[..found.answer].to_vec());
            buffer.keep_found(found.answer);
        }
        prop_assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
        // What follows is what followed before.
        let mut other = ReceiveBuffer::default();
        other.extend(&input);
        other.consume(before.min(input.len()));
        for buffer in [&mut buffer, &mut other] {
            if buffer.find(pattern).is_some() {
                buffer.consume_found();
            } else if is_over {
                buffer.rest(pattern);
                buffer.consume_found();
            } else {
                buffer.clear();
            }
        }
        prop_assert_eq!(buffer.as_slice(), other.as_slice());
    }

    #[test]
    fn what_is_there_comes_up_to_a_limit(there in 0usize..40, least in 0usize..20, more in 0usize..20) {
        let most = least + more;
        let mut buffer = ReceiveBuffer::default();
        buffer.extend(&vec![b'x'; there]);
        let found = buffer.find(Pattern::Between { least, most });
        let count = there.min(most);
        prop_assert_eq!(found, (there >= least).then_some(Found { answer: count, used: count }));
    }
}

#[test]
fn every_single_and_double_split_of_the_same_lines() {
    let input = b"one\r\ntwo\n\r\n\0three\r\nrest\r";
    let patterns = [Pattern::Line, Pattern::Exactly(2), Pattern::Line, Pattern::Line, Pattern::Line];
    let whole = drive(input, &[], &patterns);
    assert_eq!(whole.0, [b"one".to_vec(), b"tw".to_vec(), b"o".to_vec(), b"".to_vec(), b"\0three".to_vec()]);
    for first in 0..=input.len() {
        for second in first..=input.len() {
            assert_eq!(drive(input, &[first, second], &patterns), whole, "split at {first} and {second}");
        }
    }
}

#[test]
fn the_rest_of_a_line_comes_without_carriage_returns() {
    let mut buffer = ReceiveBuffer::default();
    buffer.extend(b"ab\rc\r");
    assert_eq!(buffer.find(Pattern::Line), None);
    let found = buffer.rest(Pattern::Line);
    assert_eq!(&buffer.as_slice()[..found.answer], b"abc");
    assert_eq!(found.used, 5);
}

#[test]
fn an_empty_buffer_owns_no_memory() {
    let mut buffer = ReceiveBuffer::default();
    buffer.extend(&[7; 100_000]);
    buffer.consume(100_000);
    assert!(buffer.is_empty());
    assert_eq!(buffer.bytes.capacity(), 0);
}

#[test]
fn long_answers_are_what_was_received() {
    let mut buffer = ReceiveBuffer::default();
    let mut sizes = [1usize, 100_000, 65_536, 1_000_003, 7].into_iter().cycle();
    let mut next = 0u8;
    let mut expected = Vec::new();
    while expected.len() < 6 * WORTH_ASKING {
        let piece: Vec<u8> = std::iter::repeat_with(|| {
            next = next.wrapping_mul(5).wrapping_add(1);
            next
        })
        .take(sizes.next().unwrap_or(1))
        .collect();
        let received = buffer.extend_with(piece.len() + 10, |room| {
            room.iter_mut().zip(&piece).for_each(|(slot, byte)| {
                slot.write(*byte);
            });
            Ok::<_, Exhausted>(piece.len())
        });
        assert_eq!(received, Ok(piece.len()));
        expected.extend(piece);
    }
    assert!(buffer.as_slice() == expected);
}

#[test]
fn without_memory_nothing_is_lost() {
    let mut buffer = ReceiveBuffer::default();
    buffer.extend(b"here");
    let received = buffer.extend_with(isize::MAX as usize - 100, |_| Ok::<_, Exhausted>(0));
    assert!(received.is_err());
    assert_eq!(buffer.as_slice(), b"here");
}
