//! Codecs, as filters of the lowest level: what they remember goes out with every result and comes back
//! with the next call.

use super::call::{Call, Function};
use super::value::{Raise, Value, Values, failed, one};
use crate::mime::dot::{self, LineEnd};
use crate::mime::{Held, base64, line_ending, quoted_printable, wrap};

/// The codecs.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::direct("b64", encode_base64).with_strings(&[1, 2]),
    Function::direct("unb64", decode_base64).with_strings(&[1, 2]),
    Function::direct("qp", encode_quoted_printable).with_strings(&[1, 2, 3]),
    Function::direct("unqp", decode_quoted_printable).with_strings(&[1, 2]),
    Function::direct("wrp", wrap_text).with_strings(&[2]),
    Function::direct("qpwrp", wrap_quoted_printable).with_strings(&[2]),
    Function::direct("eol", normalize_line_endings).with_strings(&[2, 3]),
    Function::direct("dot", stuff_dots).with_strings(&[2]),
];

/// What ends a line.
const CRLF: &[u8] = b"\r\n";
/// How long lines are if the program does not say.
const LINE_LENGTH: f64 = 76.0;

/// `b64(held, chunk)`: encoded, held; without a chunk, the last of it, or nil.
fn encode_base64(call: &Call<'_>) -> Result<Values, Raise> {
    held_back(call, base64::encode, base64::finish_encoding)
}

/// `unb64(held, chunk)`: decoded, held; without a chunk, the last of it, or nil.
fn decode_base64(call: &Call<'_>) -> Result<Values, Raise> {
    held_back(call, base64::decode, |held, output| {
        base64::decode(held, &[], output);
    })
}

/// `qp(held, chunk, marker)`: encoded, held; without a chunk, the last of it, or nil.
fn encode_quoted_printable(call: &Call<'_>) -> Result<Values, Raise> {
    let marker = call.optional_string(3)?.unwrap_or(CRLF);
    held_back(
        call,
        |held, chunk, output| quoted_printable::encode(held, chunk, marker, output),
        |held, output| quoted_printable::finish_encoding(held, marker, output),
    )
}

/// `unqp(held, chunk)`: decoded, held; without a chunk, the last of it, or nil.
fn decode_quoted_printable(call: &Call<'_>) -> Result<Values, Raise> {
    held_back(call, quoted_printable::decode, |held, output| {
        quoted_printable::decode(held, &[], output);
        // As LuaSocket, which looks for the end of a C string.
        if output.first() == Some(&0) {
            output.clear();
        }
    })
}

/// A codec that gives undecided bytes back. Without any to begin with, it does nothing.
fn held_back(
    call: &Call<'_>,
    encode: impl FnOnce(&[u8], &[u8], &mut Vec<u8>) -> Held,
    finish: impl FnOnce(&[u8], &mut Vec<u8>),
) -> Result<Values, Raise> {
    let Some(held) = call.optional_string(1)? else {
        return Ok(failed(Value::Nil));
    };
    let chunk = call.optional_string(2)?;
    let mut output = call.context.take_buffer();
    Ok(match chunk {
        Some(chunk) => {
            let held = encode(held, chunk, &mut output);
            one(Value::Bytes(output)).and(Value::Held(held))
        }
        None => {
            finish(held, &mut output);
            one(if output.is_empty() { Value::Nil } else { Value::Bytes(output) }).and(Value::Nil)
        }
    })
}

/// `wrp(left, chunk, length)`: text, left.
fn wrap_text(call: &Call<'_>) -> Result<Values, Raise> {
    wrapped(call, "\r\n", wrap::wrap_text)
}

/// `qpwrp(left, chunk, length)`: text, left.
fn wrap_quoted_printable(call: &Call<'_>) -> Result<Values, Raise> {
    wrapped(call, "=\r\n", wrap::wrap_quoted_printable)
}

/// A codec that breaks lines. Without a chunk, it ends the line with `end` if there is anything on it.
fn wrapped(
    call: &Call<'_>,
    end: &'static str,
    wrap: impl FnOnce(i64, &[u8], i64, &mut Vec<u8>) -> i64,
) -> Result<Values, Raise> {
    let left = call.number(1)? as i32;
    let chunk = call.optional_string(2)?;
    let length = call.number_or(3, LINE_LENGTH)? as i32;
    Ok(match chunk {
        Some(chunk) => {
            let mut output = call.context.take_buffer();
            let left = wrap(left.into(), chunk, length.into(), &mut output);
            one(Value::Bytes(output)).and(left as f64)
        }
        None => one(if left < length { Value::from(end) } else { Value::Nil }).and(length),
    })
}

/// `eol(last, chunk, marker)`: text, last.
fn normalize_line_endings(call: &Call<'_>) -> Result<Values, Raise> {
    let last = call.number(1)?;
    if last.fract() != 0.0 || !last.is_finite() {
        return Err(call.argument_error(1, "number has no integer representation"));
    }
    let chunk = call.optional_string(2)?;
    let marker = call.optional_string(3)?.unwrap_or(CRLF);
    let Some(chunk) = chunk else {
        return Ok(one(Value::Nil).and(0));
    };
    let last = [b'\r', b'\n'].into_iter().find(|&ending| f64::from(ending) == last);
    let mut output = call.context.take_buffer();
    let last = line_ending::normalize(last, chunk, marker, &mut output);
    Ok(one(Value::Bytes(output)).and(i32::from(last.unwrap_or(0))))
}

/// `dot(seen, chunk)`: text, seen: how many characters of a CRLF came last.
fn stuff_dots(call: &Call<'_>) -> Result<Values, Raise> {
    const STATES: [LineEnd; 3] = [LineEnd::No, LineEnd::Half, LineEnd::Whole];
    let seen = call.number(1)?;
    let Some(chunk) = call.optional_string(2)? else {
        return Ok(one(Value::Nil).and(2));
    };
    let before = STATES.get(seen as usize).copied().filter(|_| seen >= 0.0).unwrap_or_default();
    let mut output = call.context.take_buffer();
    let after = dot::stuff(before, chunk, &mut output);
    Ok(one(Value::Bytes(output)).and(after as i32))
}
