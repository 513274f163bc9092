//! Every codec against a naive one, and over every way to split the same bytes.

mod naive;

use proptest::prelude::*;

use super::dot::{self, LineEnd};
use super::{Held, base64, line_ending, quoted_printable, wrap};

/// A codec run over a text in pieces, to its end.
type Run = fn(&[&[u8]]) -> Vec<u8>;

/// A codec that has the whole text.
type Naive = fn(&[u8]) -> Vec<u8>;

/// A codec that holds bytes back.
type HoldsBack = fn(&[u8], &[u8], &mut Vec<u8>) -> Held;

/// Every codec, and the naive one.
const CODECS: &[(&str, Run, Naive)] = &[
    (
        "encode base64",
        |pieces| held_back(pieces, base64::encode, base64::finish_encoding),
        naive::encode_base64,
    ),
    ("decode base64", |pieces| held_back(pieces, base64::decode, |_, _| ()), naive::decode_base64),
    (
        "encode quoted-printable",
        |pieces| encode_quoted_printable(pieces, b"\r\n"),
        |text| naive::encode_quoted_printable(text, b"\r\n"),
    ),
    (
        "encode quoted-printable, binary",
        |pieces| encode_quoted_printable(pieces, b"=0D=0A"),
        |text| naive::encode_quoted_printable(text, b"=0D=0A"),
    ),
    (
        "decode quoted-printable",
        |pieces| held_back(pieces, quoted_printable::decode, |_, _| ()),
        naive::decode_quoted_printable,
    ),
    (
        "wrap text",
        |pieces| with_state(pieces, 5, |left, piece, output| wrap::wrap_text(left, piece, 7, output)),
        |text| naive::wrap_text(5, text, 7),
    ),
    (
        "wrap text where nothing fits",
        |pieces| with_state(pieces, 2, |left, piece, output| wrap::wrap_text(left, piece, -1, output)),
        |text| naive::wrap_text(2, text, -1),
    ),
    (
        "wrap quoted-printable",
        |pieces| {
            with_state(pieces, 5, |left, piece, output| wrap::wrap_quoted_printable(left, piece, 7, output))
        },
        |text| naive::wrap_quoted_printable(5, text, 7),
    ),
    (
        "normalize",
        |pieces| {
            with_state(pieces, None, |last, piece, output| {
                line_ending::normalize(last, piece, b"<end>", output)
            })
        },
        |text| naive::normalize(text, b"<end>"),
    ),
    ("stuff", |pieces| with_state(pieces, LineEnd::Whole, dot::stuff), naive::stuff),
];

fn held_back(
    pieces: &[&[u8]],
    codec: impl Fn(&[u8], &[u8], &mut Vec<u8>) -> Held,
    finish: impl Fn(&[u8], &mut Vec<u8>),
) -> Vec<u8> {
    let mut output = Vec::new();
    let mut held = Held::new();
    for piece in pieces {
        held = codec(&held, piece, &mut output);
    }
    finish(&held, &mut output);
    output
}

fn encode_quoted_printable(pieces: &[&[u8]], marker: &[u8]) -> Vec<u8> {
    held_back(
        pieces,
        |held, piece, output| quoted_printable::encode(held, piece, marker, output),
        |held, output| quoted_printable::finish_encoding(held, marker, output),
    )
}

fn with_state<S: Copy>(pieces: &[&[u8]], start: S, codec: impl Fn(S, &[u8], &mut Vec<u8>) -> S) -> Vec<u8> {
    let mut output = Vec::new();
    let mut state = start;
    for piece in pieces {
        state = codec(state, piece, &mut output);
    }
    output
}

/// Cuts after every byte whose bit is set.
fn split(text: &[u8], cuts: u32) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for to in 1..text.len() {
        if cuts >> (to - 1) & 1 == 1 {
            pieces.push(&text[from..to]);
            from = to;
        }
    }
    pieces.push(&text[from..]);
    pieces
}

/// Bytes that codecs care about, more often than others.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        3 => prop::sample::select(&b"\r\n\r\n=. \tA"[..]),
        2 => prop::sample::select(&b"0123456789abcdefABCDEFxyz+/="[..]),
        1 => any::<u8>(),
    ]
}

fn short_text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(byte(), 0..=9)
}

/// Runs of one kind, as in real data: the fast roads are taken there.
fn long_text() -> impl Strategy<Value = Vec<u8>> {
    let run = prop_oneof![
        4 => prop::collection::vec(byte(), 0..20),
        2 => prop::collection::vec(prop::sample::select(&b"abcdefghijklmnopqrstuvwxyzABCDEF01234567"[..]), 0..200),
        1 => prop::collection::vec(any::<u8>(), 0..100),
        1 => prop::collection::vec(Just(b' '), 0..20),
    ];
    prop::collection::vec(run, 0..8).prop_map(|runs| runs.concat())
}

proptest! {
    #[test]
    fn the_result_is_that_of_a_naive_codec(text in long_text()) {
        for (name, run, naive) in CODECS {
            prop_assert_eq!(run(&[&text]), naive(&text), "{}", name);
        }
    }

    #[test]
    fn it_does_not_depend_on_any_split_of_a_short_text(text in short_text()) {
        for (name, run, _) in CODECS {
            let whole = run(&[&text]);
            for cuts in 0..1 << text.len().saturating_sub(1) {
                let pieces = split(&text, cuts);
                prop_assert_eq!(&run(&pieces), &whole, "{}, {:?}", name, pieces);
            }
        }
    }

    #[test]
    fn it_does_not_depend_on_where_a_long_text_is_cut(
        text in long_text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        // Some pieces are empty.
        for to in cuts {
            pieces.push(&text[from..to]);
            from = to;
        }
        pieces.push(&text[from..]);
        for (name, run, _) in CODECS {
            prop_assert_eq!(run(&pieces), run(&[&text]), "{}", name);
        }
    }

    #[test]
    fn what_is_held_back_may_be_given_in_any_length(text in short_text(), cut in 0usize..10) {
        // Programs may pass a whole text as what was held back.
        let (held, chunk) = text.split_at(cut.min(text.len()));
        let codecs: [HoldsBack; 4] = [
            base64::encode,
            base64::decode,
            |held, chunk, output| quoted_printable::encode(held, chunk, b"\r\n", output),
            quoted_printable::decode,
        ];
        for codec in codecs {
            let (mut together, mut apart) = (Vec::new(), Vec::new());
            prop_assert_eq!(codec(held, chunk, &mut together), codec(&[], &text, &mut apart));
            prop_assert_eq!(together, apart);
        }
    }

    #[test]
    fn base64_comes_back(data in prop::collection::vec(any::<u8>(), 0..300)) {
        let encoded = held_back(&[&data], base64::encode, base64::finish_encoding);
        prop_assert_eq!(&held_back(&[&encoded], base64::decode, |_, _| ()), &data);
        let wrapped = with_state(&[&encoded], 76, |left, piece, output| {
            wrap::wrap_text(left, piece, 76, output)
        });
        prop_assert_eq!(held_back(&[&wrapped], base64::decode, |_, _| ()), data);
    }

    #[test]
    fn quoted_printable_comes_back_and_its_lines_are_short(data in long_text()) {
        let encoded = encode_quoted_printable(&[&data], b"\r\n");
        let wrapped = with_state(&[&encoded], 76, |left, piece, output| {
            wrap::wrap_quoted_printable(left, piece, 76, output)
        });
        for line in wrapped.split(|&byte| byte == b'\n') {
            prop_assert!(line.strip_suffix(b"\r").unwrap_or(line).len() <= 76);
        }
        prop_assert_eq!(&held_back(&[&wrapped], quoted_printable::decode, |_, _| ()), &data);
        let binary = encode_quoted_printable(&[&data], b"=0D=0A");
        prop_assert_eq!(held_back(&[&binary], quoted_printable::decode, |_, _| ()), data);
    }

    #[test]
    fn normalizing_twice_changes_nothing(text in long_text()) {
        let normalize = |text: &[u8]| {
            with_state(&[text], None, |last, piece, output| line_ending::normalize(last, piece, b"\r\n", output))
        };
        prop_assert_eq!(normalize(&normalize(&text)), normalize(&text));
    }

    #[test]
    fn no_line_of_stuffed_text_is_a_dot(text in long_text()) {
        let stuffed = naive::lines(&with_state(&[&text], LineEnd::Whole, dot::stuff));
        prop_assert!(stuffed.iter().all(|line| line != b"."));
    }
}
