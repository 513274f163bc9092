//! Socket objects as Lua sees them: userdata whose metatable tells the class.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::os::fd::IntoRawFd;
use std::ptr;
use std::rc::Rc;

use mlua::ffi::{self, lua_State};

use super::call::Call;
use super::context::Context;
use super::value::Raise;
use crate::net::address;
use crate::net::buffer::ReceiveBuffer;
use crate::net::options::Kinds;
use crate::net::socket::Socket;
use crate::runtime::Runtime;
use crate::scheduler::Direction;

/// A class of socket objects. What a program may call depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    TcpMaster,
    TcpClient,
    TcpServer,
    UdpUnconnected,
    UdpConnected,
    UnixStreamMaster,
    UnixStreamClient,
    UnixStreamServer,
    UnixDatagramUnconnected,
    UnixDatagramConnected,
    SerialClient,
    #[cfg(feature = "tls")]
    Tls,
}

impl Class {
    /// Every class, each at the index that is its number.
    pub(super) const ALL: &'static [Class] = &[
        Class::TcpMaster,
        Class::TcpClient,
        Class::TcpServer,
        Class::UdpUnconnected,
        Class::UdpConnected,
        Class::UnixStreamMaster,
        Class::UnixStreamClient,
        Class::UnixStreamServer,
        Class::UnixDatagramUnconnected,
        Class::UnixDatagramConnected,
        Class::SerialClient,
        #[cfg(feature = "tls")]
        Class::Tls,
    ];

    /// The name: what `tostring` and the field `class` show.
    pub(super) fn name(self) -> &'static str {
        match self {
            Class::TcpMaster => "tcp{master}",
            Class::TcpClient => "tcp{client}",
            Class::TcpServer => "tcp{server}",
            Class::UdpUnconnected => "udp{unconnected}",
            Class::UdpConnected => "udp{connected}",
            Class::UnixStreamMaster => "unixstream{master}",
            Class::UnixStreamClient => "unixstream{client}",
            Class::UnixStreamServer => "unixstream{server}",
            Class::UnixDatagramUnconnected => "unixdgram{unconnected}",
            Class::UnixDatagramConnected => "unixdgram{connected}",
            Class::SerialClient => "serial{client}",
            #[cfg(feature = "tls")]
            Class::Tls => "SSL:Connection",
        }
    }

    /// The family it belongs to.
    pub(super) fn family(self) -> &'static Family {
        match self {
            Class::TcpMaster | Class::TcpClient | Class::TcpServer => &TCP_FAMILY,
            Class::UdpUnconnected | Class::UdpConnected => &UDP_FAMILY,
            Class::UnixStreamMaster | Class::UnixStreamClient | Class::UnixStreamServer => {
                &UNIX_STREAM_FAMILY
            }
            Class::UnixDatagramUnconnected | Class::UnixDatagramConnected => &UNIX_DATAGRAM_FAMILY,
            Class::SerialClient => &SERIAL_FAMILY,
            #[cfg(feature = "tls")]
            Class::Tls => &TLS_FAMILY,
        }
    }

    /// What an object becomes that listens.
    pub(super) fn server(self) -> Class {
        if self == Class::TcpMaster { Class::TcpServer } else { Class::UnixStreamServer }
    }

    /// What an object is that one of this class accepted.
    pub(super) fn client(self) -> Class {
        if self == Class::TcpServer { Class::TcpClient } else { Class::UnixStreamClient }
    }
}

/// What the classes of a family have in common.
#[derive(Debug)]
pub(super) struct Family {
    /// Its name, by which the embedded Lua finds its functions.
    pub(super) name: &'static str,
    /// The groups its classes belong to, by the names that errors give them.
    pub(super) groups: &'static [&'static str],
    /// What kind of socket they are, as far as options are concerned.
    pub(super) kinds: Kinds,
}

const TCP_FAMILY: Family = Family { name: "tcp", groups: &["tcp{any}"], kinds: Kinds::TCP };
const UDP_FAMILY: Family = Family { name: "udp", groups: &["udp{any}", "select{able}"], kinds: Kinds::UDP };
const UNIX_STREAM_FAMILY: Family =
    Family { name: "unix_stream", groups: &["unixstream{any}"], kinds: Kinds::UNIX_STREAM };
const UNIX_DATAGRAM_FAMILY: Family = Family {
    name: "unix_datagram",
    groups: &["unixdgram{any}", "select{able}"],
    kinds: Kinds::UNIX_DATAGRAM,
};
#[cfg(feature = "tls")]
const TLS_FAMILY: Family = Family { name: "tls", groups: &[], kinds: Kinds::NONE };
const SERIAL_FAMILY: Family = Family { name: "serial", groups: &["serial{any}"], kinds: Kinds::NONE };

/// The classes whose objects a method accepts, and how errors name them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted(pub(crate) &'static [Class], pub(crate) &'static str);

/// Any TCP object.
pub(crate) const TCP: Accepted =
    Accepted(&[Class::TcpMaster, Class::TcpClient, Class::TcpServer], "tcp{any}");
/// Any UDP object.
pub(crate) const UDP: Accepted = Accepted(&[Class::UdpUnconnected, Class::UdpConnected], "udp{any}");
/// Any unix stream object.
pub(crate) const UNIX_STREAM: Accepted =
    Accepted(&[Class::UnixStreamMaster, Class::UnixStreamClient, Class::UnixStreamServer], "unixstream{any}");
/// Any unix datagram object.
pub(crate) const UNIX_DATAGRAM: Accepted =
    Accepted(&[Class::UnixDatagramUnconnected, Class::UnixDatagramConnected], "unixdgram{any}");
/// Any serial object: there is one class only.
pub(crate) const SERIAL: Accepted = Accepted(&[Class::SerialClient], "serial{any}");

/// A connection that speaks TLS.
#[cfg(feature = "tls")]
pub(crate) const TLS: Accepted = Accepted(&[Class::Tls], "SSL:Connection");

/// What the userdata of a socket object holds.
struct Block {
    /// The context that made it, by which socket objects are told from all other userdata.
    owner: *const Context,
    class: Cell<Class>,
    /// The object, until it is collected. Not in Lua's memory, which the interpreter frees even when the
    /// finalizer could not be called.
    object: Option<Box<SocketObject>>,
}

#[derive(Debug)]
struct SocketObject {
    socket: RefCell<Socket>,
    runtime: Rc<Runtime>,
}

/// The registry's references to the metatables of all classes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metatables(pub(super) [c_int; Class::ALL.len()]);

impl Call<'_> {
    /// A socket object of an accepted class, and its class.
    pub(crate) fn socket(
        &self,
        index: c_int,
        accepted: Accepted,
    ) -> Result<(&RefCell<Socket>, Class), Raise> {
        let (socket, class) = self
            .any_socket(index)
            .filter(|(_, class)| accepted.0.contains(class))
            .ok_or_else(|| self.class_error(index, accepted))?;
        #[cfg(feature = "tls")]
        if class == Class::Tls && socket.try_borrow_mut().is_err() {
            return Err(Raise::Message("the connection is in the midst of its handshake".into()));
        }
        Ok((socket, class))
    }

    /// Whether an argument is a connection in the midst of whose handshake the program is called.
    #[cfg(feature = "tls")]
    pub(crate) fn is_in_handshake(&self, index: c_int) -> bool {
        self.any_socket(index)
            .is_some_and(|(socket, class)| class == Class::Tls && socket.try_borrow_mut().is_err())
    }

    fn class_error(&self, index: c_int, accepted: Accepted) -> Raise {
        #[cfg(feature = "tls")]
        if accepted.0 == TLS.0 {
            return self.type_error(index, accepted.1);
        }
        self.argument_error(index, format!("{} expected", accepted.1))
    }

    /// A socket object of any class, and its class.
    pub(crate) fn any_socket(&self, index: c_int) -> Option<(&RefCell<Socket>, Class)> {
        let block = self.socket_block(index)?;
        Some((&block.object.as_ref()?.socket, block.class.get()))
    }

    /// What an argument is called, if it is an object of ours.
    pub(super) fn class_name(&self, index: c_int) -> Option<&'static str> {
        if let Some((_, class)) = self.any_socket(index) {
            return Some(class.name());
        }
        #[cfg(feature = "tls")]
        return self.handle_name(index);
        #[cfg(not(feature = "tls"))]
        None
    }

    /// The block of a socket object of this context.
    fn socket_block(&self, index: c_int) -> Option<&Block> {
        // SAFETY: any index is acceptable. What is no full userdata has no block or no length. One of
        // this length has room for the address that is read, which nobody but `push` ever puts there: it
        // is that of the context, a block of its own. What `push` made stays on the stack, and so alive,
        // for as long as the call lasts.
        unsafe {
            let block = ffi::lua_touserdata(self.state(), index).cast::<Block>();
            if block.is_null()
                || ffi::lua_rawlen(self.state(), index) as usize != size_of::<Block>()
                || !ptr::eq(ptr::read(&raw const (*block).owner), self.context)
            {
                return None;
            }
            Some(&*block)
        }
    }

    /// Changes the class of the object at `index`, which must be a socket object.
    pub(crate) fn set_class(&self, index: c_int, class: Class) {
        if let Some(block) = self.socket_block(index) {
            block.class.set(class);
        }
        let reference = self.context.metatables.0[class as usize];
        // SAFETY: the reference is to a table, and `index` is a userdata; setting a metatable
        // allocates nothing.
        unsafe {
            ffi::lua_rawgeti(self.state(), ffi::LUA_REGISTRYINDEX, reference.into());
            ffi::lua_setmetatable(self.state(), index);
        }
    }

    /// The address of the userdata at `index`.
    pub(crate) fn address(&self, index: c_int) -> *mut c_void {
        self.userdata(index).map_or(ptr::null_mut(), |(block, _)| block)
    }
}

/// Pushes a new object. The socket is another one, without a descriptor, when it has been taken over.
///
/// # Safety
/// As `Values::push`.
pub(super) unsafe fn push(state: *mut lua_State, context: &Context, class: Class, socket: &mut Socket) {
    let reference = context.metatables.0[class as usize];
    const { assert!(align_of::<Block>() <= 8, "Lua aligns blocks to 8 bytes") };
    // SAFETY: the block has room for the object and holds it before the metatable is set; the reference
    // is to a table. Nothing is owned while an error may be raised, which is before there is the block.
    unsafe {
        let block = ffi::lua_newuserdata(state, size_of::<Block>());
        let socket = std::mem::replace(socket, Socket::new(None, address::Family::Unspecified));
        let object = SocketObject { socket: RefCell::new(socket), runtime: context.runtime.clone() };
        let new = Block { owner: context, class: Cell::new(class), object: Some(Box::new(object)) };
        block.cast::<Block>().write(new);
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, reference.into());
        ffi::lua_setmetatable(state, -2);
    }
}

/// Takes the answer that was found in the receive buffer of a socket (argument 1) out of it, if that is
/// all there is.
///
/// # Safety
/// As `Values::push`, and argument 1 must be a socket object.
pub(super) unsafe fn take_answer(state: *mut lua_State) -> Option<Vec<u8>> {
    // SAFETY: argument 1 is a userdata made by `push`.
    let object = unsafe { (*ffi::lua_touserdata(state, 1).cast::<Block>()).object.as_ref() };
    object.and_then(|object| object.socket.borrow_mut().buffer.take_found())
}

/// Copies the answer that was found in the receive buffer of a socket (argument 1), which is as long as `room`, and consumes
/// it.
///
/// # Safety
/// As `Values::push`, and argument 1 must be a socket object.
pub(super) unsafe fn copy_answer(state: *mut lua_State, context: &Context, room: &mut [u8]) {
    // SAFETY: argument 1 is a userdata made by `push`.
    let object = unsafe { (*ffi::lua_touserdata(state, 1).cast::<Block>()).object.as_ref() };
    if let Some(object) = object {
        let mut socket = object.socket.borrow_mut();
        room.copy_from_slice(&socket.buffer.as_slice()[..room.len()]);
        socket.buffer.consume_found();
        if let Some(memory) = socket.buffer.settle() {
            context.runtime.keep_memory(memory);
        }
        context.runtime.pass_on(&socket);
    }
}

/// Takes the receive buffer of a socket (argument 1) out of it.
///
/// # Safety
/// As `Values::push`, and argument 1 must be a socket object.
pub(super) unsafe fn take_buffer(state: *mut lua_State) -> ReceiveBuffer {
    // SAFETY: argument 1 is a userdata made by `push`.
    let object = unsafe { (*ffi::lua_touserdata(state, 1).cast::<Block>()).object.as_ref() };
    object.map(|object| std::mem::take(&mut object.socket.borrow_mut().buffer)).unwrap_or_default()
}

/// Gives a socket (argument 1) its receive buffer back.
///
/// # Safety
/// As `Values::push`, and argument 1 must be a socket object.
pub(super) unsafe fn return_buffer(state: *mut lua_State, context: &Context, buffer: ReceiveBuffer) {
    // SAFETY: argument 1 is a userdata made by `push`.
    let object = unsafe { (*ffi::lua_touserdata(state, 1).cast::<Block>()).object.as_ref() };
    if let Some(object) = object {
        let mut socket = object.socket.borrow_mut();
        socket.buffer = buffer;
        context.runtime.pass_on(&socket);
    }
}

/// `__gc` of every class: upvalue 1 is the metatable. The context may be gone already when a state
/// closes, so this does without.
///
/// # Safety
/// To be called by Lua only, as a closure with that upvalue.
pub(super) unsafe extern "C-unwind" fn collect(state: *mut lua_State) -> c_int {
    // SAFETY: a userdata with this metatable was made by `push`; its block holds an object or `None`,
    // and after this it holds `None`.
    unsafe {
        if ffi::lua_type(state, 1) == ffi::LUA_TUSERDATA
            && ffi::lua_getmetatable(state, 1) != 0
            && ffi::lua_rawequal(state, -1, ffi::lua_upvalueindex(1)) != 0
        {
            let block = ffi::lua_touserdata(state, 1).cast::<Block>();
            if let Some(object) = (*block).object.take() {
                close(&object.runtime, &mut object.socket.borrow_mut());
            }
        }
    }
    0
}

/// `__index` of every class: upvalue 1 is the table of methods. Besides those there is
/// `inner_sock`, which is the socket itself: objects that borrow a socket copy that field.
///
/// # Safety
/// To be called by Lua only, as a closure with that upvalue.
pub(super) unsafe extern "C-unwind" fn index(state: *mut lua_State) -> c_int {
    // SAFETY: the upvalue is a table; two values are pushed. `lua_tolstring` is given a string.
    unsafe {
        ffi::lua_pushvalue(state, 2);
        let found = ffi::lua_rawget(state, ffi::lua_upvalueindex(1));
        if found == ffi::LUA_TNIL && ffi::lua_type(state, 2) == ffi::LUA_TSTRING {
            let mut length = 0;
            let bytes = ffi::lua_tolstring(state, 2, &mut length);
            if std::slice::from_raw_parts(bytes.cast::<u8>(), length) == b"inner_sock" {
                ffi::lua_pushvalue(state, 1);
            }
        }
    }
    1
}

/// Closes a socket and wakes whoever waits for it.
pub(crate) fn close(runtime: &Runtime, socket: &mut Socket) {
    #[cfg(feature = "tls")]
    if let Some(tls) = socket.tls.take() {
        tls.end(socket.descriptor.as_ref());
    }
    // What has arrived for a task that wants more is handed to it as its partial result.
    if !runtime.is_in_use(socket, Direction::Read) {
        socket.buffer.clear();
    }
    runtime.release_socket(socket);
    socket.connecting = None;
    socket.forget_knowledge();
    if let Some(descriptor) = socket.descriptor.take() {
        // Errors of close(2) are nothing a program could act upon.
        drop(descriptor);
    }
}

/// Takes the descriptor's number out of a socket without closing it.
pub(crate) fn take_descriptor(context: &Context, socket: &mut Socket) -> Option<c_int> {
    context.runtime.release_socket(socket);
    socket.descriptor.take().map(IntoRawFd::into_raw_fd)
}
