//! Settings of contexts by which the program decides in the midst of a handshake. What is called then is
//! in the table `decisions`, which the embedded Lua fills: see `ssl/decisions.lua`.

use std::rc::Rc;

use super::program::{Answer, Argument};
use crate::bindings::call::{Call, Function};
use crate::bindings::value::{Raise, Value, Values, failed, nothing, one};
use crate::tls::alpn;
use crate::tls::callback::Choice;
use crate::tls::psk::Credentials;

/// Functions of contexts, but for `keep` and `kept`, which are for connections too.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::direct("keep", keep),
    Function::direct("kept", kept),
    Function::direct("setalpn", offer_protocols),
    Function::direct("setalpnlist", prefer_protocols),
    Function::direct("setalpnfunction", ask_for_protocols),
    Function::direct("setdhfunction", ask_for_parameters),
    Function::direct("setclientpsk", ask_for_credentials),
    Function::direct("setserverpsk", look_up_keys),
    Function::direct("setpskhint", set_hint),
    Function::direct("setsnifunction", choose_context),
];

/// `keep(object, table)`: nothing. The object keeps the table, so that what is in it is garbage when the
/// object is.
fn keep(call: &Call<'_>) -> Result<Values, Raise> {
    if call.userdata(1).is_some() && call.kind(2) == mlua::ffi::LUA_TTABLE {
        // SAFETY: the arguments are what they have to be, and there is room for a value.
        unsafe {
            mlua::ffi::lua_pushvalue(call.state(), 2);
            mlua::ffi::lua_setuservalue(call.state(), 1);
        }
    }
    Ok(nothing())
}

/// `kept(object)`: the table.
fn kept(call: &Call<'_>) -> Result<Values, Raise> {
    match call.userdata(1) {
        Some(_) => Ok(one(Value::Kept)),
        None => Err(call.type_error(1, "userdata")),
    }
}

/// The names from argument 2 on as they are sent.
fn names(call: &Call<'_>) -> Result<Result<Vec<u8>, alpn::Invalid>, Raise> {
    let names: Vec<&[u8]> =
        (2..=call.argument_count()).map(|index| call.string(index)).collect::<Result<_, _>>()?;
    Ok(alpn::encode(names))
}

/// `setalpn(context, name...)`: true, or `nil, error`. What a client offers.
fn offer_protocols(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    Ok(match names(call)? {
        Err(invalid) => failed(invalid.text()),
        Ok(encoded) => match context.offer_protocols(&encoded) {
            Ok(()) => one(true),
            Err(reason) => failed(format!("error setting ALPN list ({reason})")),
        },
    })
}

/// `setalpnlist(context, name...)`: true, or `nil, error`. What a server speaks, best first.
fn prefer_protocols(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    Ok(match names(call)? {
        Err(invalid) => failed(invalid.text()),
        Ok(encoded) => {
            context.choose_protocol(move |_, _| Ok(Some(encoded.clone())));
            one(true)
        }
    })
}

/// `setalpnfunction(context)`: true. A server's `decisions.alpn` is told the client's list, and gives what
/// the server speaks as it is sent.
fn ask_for_protocols(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    let program = Rc::clone(&call.context.tls.program);
    context.choose_protocol(move |ssl, offered| {
        let [answer, _] = program.call(ssl, c"alpn", &[Argument::List(alpn::decode(offered))])?;
        Ok(match answer {
            Answer::Bytes(encoded) => Some(encoded),
            _ => None,
        })
    });
    Ok(one(true))
}

/// `setdhfunction(context)`: true, or `nil, error`. A server's `decisions.dhparam` is told whether
/// parameters are for an exported cipher and how many bits are wanted, and gives PEM.
fn ask_for_parameters(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    let program = Rc::clone(&call.context.tls.program);
    let set = context.ask_for_parameters(move |ssl, for_export, length| {
        let arguments = [Argument::Boolean(for_export), Argument::Number(length as usize)];
        match program.call(ssl, c"dhparam", &arguments) {
            Ok([Answer::Bytes(pem), _]) => Some(pem),
            _ => None,
        }
    });
    Ok(match set {
        Ok(()) => one(true),
        Err(reason) => failed(format!("error setting DH parameters ({reason})")),
    })
}

/// `setclientpsk(context)`: true. A client's `decisions.client_psk` is told the server's hint, and how long
/// an identity and a key may be, and gives both.
fn ask_for_credentials(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    let program = Rc::clone(&call.context.tls.program);
    context.ask_for_credentials(move |ssl, hint, identity_room, key_room| {
        let hint = hint.map_or(Argument::Nil, Argument::Bytes);
        let arguments = [hint, Argument::Number(identity_room), Argument::Number(key_room)];
        match program.call(ssl, c"client_psk", &arguments) {
            Ok([Answer::Bytes(identity), Answer::Bytes(key)]) => Some(Credentials { identity, key }),
            _ => None,
        }
    });
    Ok(one(true))
}

/// `setserverpsk(context)`: true. A server's `decisions.server_psk` is told who the client says that it is,
/// and how long a key may be, and gives the key.
fn look_up_keys(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    let program = Rc::clone(&call.context.tls.program);
    context.look_up_keys(move |ssl, identity, room| {
        match program.call(ssl, c"server_psk", &[Argument::Bytes(identity), Argument::Number(room)]) {
            Ok([Answer::Bytes(key), _]) => Some(key),
            _ => None,
        }
    });
    Ok(one(true))
}

/// `setpskhint(context, hint)`: true, or `nil, error`.
fn set_hint(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    Ok(match context.set_key_hint(call.string(2)?) {
        Ok(()) => one(true),
        Err(reason) => failed(format!("error setting PSK hint ({reason})")),
    })
}

/// `setsnifunction(connection)`: whether it is a server that is not closed. Its `decisions.sni` is told the
/// name that the client asks for, and gives a context, false to refuse, or nil.
fn choose_context(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.socket(1, crate::bindings::object::TLS)?;
    let socket = socket.borrow();
    let Some(tls) = &socket.tls else { return Ok(one(false)) };
    let program = Rc::clone(&call.context.tls.program);
    tls.context().choose_context(move |ssl, name| {
        let name = name.map_or(Argument::Nil, Argument::Bytes);
        match program.call(ssl, c"sni", &[name]) {
            Ok([Answer::Context(context), _]) => Choice::Other(context),
            Ok([Answer::Nil | Answer::Bytes(_), _]) => Choice::Own,
            Ok([Answer::False, _]) | Err(_) => Choice::Refuse,
        }
    });
    Ok(one(true))
}
