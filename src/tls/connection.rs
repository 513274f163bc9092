//! The part of a socket that is there when it speaks TLS.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::rc::Rc;

use foreign_types::ForeignTypeRef;
use openssl::ssl::{ErrorCode, SslRef, SslSession, SslStream, SslVerifyMode, SslVersion};
use openssl_sys::SSL_set_tlsext_host_name;
use socket2::Socket as Descriptor;

use super::context::Context;
use super::error::{SYSTEM_ERROR, UNEXPECTED_EOF, failure, forget, reason};
use super::protocol::Role;
use super::session::Place;
use super::tickets::Tickets;
use super::verification::{Errors, Extensions, Hostname};
use super::wire::{Buffers, Pulled, Wire};
use crate::net::error::{CLOSED, Text};
use crate::net::socket::Failure;
use crate::scheduler::Direction;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The handshake has not succeeded.
    Fresh,
    /// It has.
    Established,
    /// It has, and this side has said that it is the end.
    Ended,
}

/// Why nothing more can be received.
#[derive(Debug)]
enum End {
    /// The peer has said that it is the end.
    Said,
    /// The stream below has ended without that.
    Unexpected,
    /// What has arrived, or how the peer takes what has been sent, leaves no way to go on. The reason stays until it
    /// is told, as it is once.
    Broken(Option<Text>),
}

/// How much there is in a record at most, in bytes.
const RECORD: usize = 16 * 1024;

/// The part of a socket that is there when it speaks TLS.
#[derive(Debug)]
pub struct Connection {
    stream: SslStream<Wire>,
    context: Rc<Context>,
    role: Role,
    state: State,
    /// Whom a client expects at the other end.
    pub(super) hostname: Option<Hostname>,
    /// How it verifies the peer's certificates.
    pub(super) extensions: Extensions,
    /// What was wrong with the peer's certificates, if that is recorded.
    errors: Rc<RefCell<Errors>>,
    /// Where a client keeps what lets it come back faster.
    pub(super) place: Option<Place>,
    /// Why the handshake failed, if it did.
    pub(super) failure: Option<Text>,
    /// Why nothing more can be received, once that is so.
    end: Option<End>,
    /// Whether data of the program's have been sent, and data of the peer's received.
    has_sent: bool,
    has_heard: bool,
    /// Whether tickets have arrived that nobody has looked at.
    pub(super) has_tickets: bool,
    /// The tickets that this side gives at the end of the handshake, while they are put off.
    pub(super) tickets: Option<Rc<Tickets>>,
    /// Whether what is to be sent are those, and may go out together with data.
    pub(super) waits_for_data: bool,
    /// How many bytes have been received in large pieces one after the other, with nothing sent in between.
    pub(super) streamed: usize,
    /// How many bytes sending has received, as a handshake came in between, since anybody received.
    pub(super) unasked: usize,
    /// What the last operation had to wait for.
    pub want: Option<Direction>,
    /// Whether an operation waits for the direction that is not its own.
    waits_across: bool,
}

impl Connection {
    /// A connection at its beginning. `None` if the context does not say which side it is.
    ///
    /// # Errors
    /// OpenSSL's reason.
    pub fn new(context: Rc<Context>) -> Option<Result<Self, Text>> {
        let role = context.role()?;
        let errors = Rc::new(RefCell::new(Errors::default()));
        let hostname = context.hostname().filter(|_| role == Role::Client);
        let extensions = context.extensions();
        let stream = context.connection().and_then(|mut ssl| {
            match role {
                Role::Client => ssl.set_connect_state(),
                Role::Server => {
                    ssl.set_accept_state();
                    if ssl.verify_mode().contains(SslVerifyMode::PEER) || context.looks_up_keys.get() {
                        context.separate_sessions(&mut ssl)?;
                    }
                }
            }
            extensions.apply(&mut ssl, &errors)?;
            if let Some(hostname) = &hostname {
                hostname.apply(&mut ssl)?;
            }
            SslStream::new(ssl, Wire::default())
        });
        Some(match stream {
            Ok(stream) => Ok(Connection {
                stream,
                context,
                role,
                state: State::Fresh,
                hostname,
                extensions,
                errors,
                place: None,
                failure: None,
                end: None,
                has_sent: false,
                has_heard: false,
                has_tickets: false,
                tickets: None,
                waits_for_data: false,
                streamed: 0,
                unasked: 0,
                want: None,
                waits_across: false,
            }),
            Err(stack) => Err(reason(&stack)),
        })
    }

    /// Takes what has been received on the descriptor already.
    pub fn take_over(&mut self, received: &[u8]) {
        *self.wire() = Wire::new(received.to_vec());
    }

    /// What OpenSSL knows about the connection.
    pub fn ssl(&self) -> &SslRef {
        self.stream.ssl()
    }

    /// A client asks for the server of this name; it may be anything. It ends with its first zero byte.
    pub fn ask_for(&mut self, name: &[u8]) {
        let name: Vec<u8> = name.iter().copied().take_while(|&byte| byte != 0).chain([0]).collect();
        // SAFETY: the pointers are the connection's and a string's, which is copied. What OpenSSL does not take cannot be sent.
        unsafe { SSL_set_tlsext_host_name(self.ssl().as_ptr(), name.as_ptr().cast_mut().cast()) };
    }

    /// A client whose context does not say whom it expects at the other end expects this host: the name is
    /// asked for, and looked for in the certificate. To be called before the handshake.
    ///
    /// # Errors
    /// OpenSSL's reason.
    pub fn expect(&mut self, hostname: Hostname) -> Result<(), Text> {
        forget();
        hostname.apply(ssl_mut(&mut self.stream)).map_err(|stack| reason(&stack))?;
        self.hostname = Some(hostname);
        Ok(())
    }

    /// The settings that it was made with.
    pub fn context(&self) -> &Rc<Context> {
        &self.context
    }

    /// Which side it is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What was wrong with the peer's certificates; `None` if that was not to be recorded.
    pub fn recorded_errors(&self) -> Option<Errors> {
        let errors = self.errors.borrow();
        (*errors != Errors::default()).then(|| errors.clone())
    }

    /// Whether data can be exchanged.
    pub fn is_established(&self) -> bool {
        self.state == State::Established
    }

    /// Whether something has been received and not handed out, decrypted or not. The beginning of a record does not
    /// count, as nothing can be made of it yet.
    pub fn has_received(&self) -> bool {
        self.end.is_none() && (self.stream.get_ref().has_record() || self.ssl().pending() > 0)
    }

    /// Whether anything has been received and not handed out, be it only the beginning of a record.
    pub(super) fn may_decrypt(&self) -> bool {
        self.undecrypted() > 0 || self.ssl().pending() > 0
    }

    /// Whether nothing more can be received.
    pub fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether that is because the peer has said so, and everything before has been decrypted.
    pub(super) fn has_ended_well(&self) -> bool {
        matches!(self.end, Some(End::Said))
    }

    /// Whether nothing more can be sent either, as something went wrong.
    pub fn is_broken(&self) -> bool {
        matches!(self.end, Some(End::Broken(_)))
    }

    /// How much has been received that OpenSSL has not taken yet.
    pub(super) fn undecrypted(&self) -> usize {
        self.stream.get_ref().incoming()
    }

    /// About how much there is to be decrypted.
    pub(super) fn expected(&self) -> usize {
        self.stream.get_ref().expected()
    }

    /// Notes what an operation in `direction` that ended so has to wait for.
    pub(super) fn note<T>(&mut self, direction: Direction, outcome: &Result<T, Failure>) {
        self.want = match outcome {
            Err(Failure::Blocked(awaited)) => Some(*awaited),
            Err(Failure::Fruitless) => Some(Direction::Read),
            _ => None,
        };
        self.waits_across |= matches!(outcome, Err(Failure::Blocked(awaited)) if *awaited != direction);
    }

    /// Whether operations that wait for the direction that is not their own can go on. Told once.
    pub fn take_across(&mut self) -> bool {
        let can_go_on = self.waits_across && !self.is_in_handshake() && self.stream.get_ref().outgoing() == 0;
        self.waits_across &= !can_go_on;
        can_go_on
    }

    /// Whether the first handshake has still to come to its end.
    pub(super) fn is_fresh(&self) -> bool {
        self.state == State::Fresh
    }

    /// Whether an operation waits for the direction that is not its own.
    pub(super) fn waits_across(&self) -> bool {
        self.waits_across
    }

    /// Whether OpenSSL is in the midst of a handshake, the first one or a later one.
    pub(super) fn is_in_handshake(&self) -> bool {
        !self.ssl().is_init_finished()
    }

    pub(super) fn wire(&mut self) -> &mut Wire {
        self.stream.get_mut()
    }

    /// Runs an operation in the shared buffers.
    pub(super) fn with_buffers<R>(&mut self, buffers: &mut Buffers, f: impl FnOnce(&mut Self) -> R) -> R {
        self.take_back_tickets();
        self.wire().lend(buffers);
        let result = f(self);
        self.wire().give_back(buffers);
        self.keep_sessions();
        result
    }

    /// Goes on with the handshake, without the system. `Ok(false)` says that it needs more from the peer.
    pub(super) fn shake_hands(&mut self) -> Result<bool, Text> {
        if self.state != State::Fresh {
            return Ok(true);
        }
        forget();
        match self.stream.do_handshake() {
            Ok(()) => {
                self.state = State::Established;
                Ok(true)
            }
            Err(error) => match error.code() {
                ErrorCode::WANT_READ => Ok(false),
                ErrorCode::ZERO_RETURN => Err(CLOSED.into()),
                _ => Err(failure(&error)),
            },
        }
    }

    /// Decrypts what has been received, as far as there is room. `Ok(0)` says that there is nothing
    /// complete; or, if something is left undecrypted, that many records held no data, and others should have a turn.
    ///
    /// # Errors
    /// Why nothing more can be received: [`CLOSED`] if the peer has said that it is the end.
    pub(super) fn decrypt(&mut self, room: &mut [MaybeUninit<u8>]) -> Result<usize, Text> {
        let mut count = 0;
        while self.end.is_none() && count < room.len() && self.may_decrypt() {
            forget();
            // A handshake has only so many, which may be short.
            let limited = !self.is_in_handshake();
            self.wire().limit_records(limited);
            match self.stream.ssl_read_uninit(&mut room[count..]) {
                Ok(more) => count += more,
                Err(error) => match error.code() {
                    ErrorCode::WANT_READ => break,
                    ErrorCode::ZERO_RETURN => self.end = Some(End::Said),
                    _ => self.end = Some(End::Broken(Some(failure(&error)))),
                },
            }
        }
        self.wire().limit_records(false);
        self.has_heard |= count > 0;
        if count > 0 { Ok(count) } else { self.tell_end().map_or(Ok(0), Err) }
    }

    /// The same, and receives more for it where OpenSSL wants it, as long as there is much.
    pub(super) fn receive(
        &mut self,
        room: &mut [MaybeUninit<u8>],
        descriptor: &Descriptor,
        drained: &mut bool,
    ) -> Result<usize, Text> {
        self.wire().receive_at_once(descriptor, *drained);
        let count = self.decrypt(room);
        *drained = self.wire().stop_receiving();
        count
    }

    /// Why nothing more can be received, if that is so.
    fn tell_end(&mut self) -> Option<Text> {
        Some(match self.end.as_mut()? {
            End::Said => CLOSED.into(),
            End::Unexpected => SYSTEM_ERROR.into(),
            End::Broken(reason) => reason.take().unwrap_or_else(|| CLOSED.into()),
        })
    }

    /// Gives up, for a reason that the caller tells.
    pub(super) fn break_off(&mut self) {
        self.end = Some(End::Broken(None));
    }

    /// The stream below has ended. Returns how that counts.
    pub(super) fn end_unexpectedly(&mut self) -> Text {
        if self.context.ignores_unexpected_eof() {
            self.end = Some(End::Said);
            return CLOSED.into();
        }
        self.end = Some(End::Unexpected);
        UNEXPECTED_EOF.into()
    }

    /// Offers the peer to go on where `session` ended.
    pub(super) fn set_session(&mut self, session: &SslSession) {
        // SAFETY: the session is one of this connection's context. If it cannot be used, there will be a
        // new one.
        let _ = unsafe { ssl_mut(&mut self.stream).set_session(session) };
    }

    /// Encrypts `data`, to be sent. Some of it may be out already. `Ok(0)` says that a handshake comes first.
    ///
    /// # Errors
    /// OpenSSL's reason.
    pub(super) fn encrypt(&mut self, data: &[u8], descriptor: &Descriptor) -> Result<usize, Text> {
        forget();
        // What becomes a single record goes out from where OpenSSL has made it.
        if data.len() <= RECORD {
            self.wire().send_at_once(Some(descriptor));
        }
        let encrypted = self.stream.ssl_write(data);
        self.wire().send_at_once(None);
        self.has_sent |= encrypted.is_ok();
        match encrypted {
            Err(error) if error.code() == ErrorCode::WANT_READ => Ok(0),
            Err(error) => {
                self.break_off();
                Err(failure(&error))
            }
            Ok(count) => Ok(count),
        }
    }

    /// How much is to be sent.
    pub(super) fn outgoing(&self) -> usize {
        self.stream.get_ref().outgoing()
    }

    /// Sends what has been encrypted. Returns whether that is all.
    pub(super) fn push(&mut self, descriptor: &Descriptor) -> std::io::Result<bool> {
        self.waits_for_data = false;
        self.wire().push(descriptor)
    }

    /// Receives what has arrived.
    pub(super) fn pull(&mut self, descriptor: &Descriptor) -> std::io::Result<Pulled> {
        self.wire().pull(descriptor)
    }

    /// Whether data have been sent that the server may answer with tickets for later connections, of its own accord:
    /// those of TLS 1.3 come behind the handshake, but before any data.
    pub(super) fn may_get_tickets(&self) -> bool {
        self.role == Role::Client
            && self.has_sent
            && !self.has_heard
            && self.ssl().version2() == Some(SslVersion::TLS1_3)
    }

    /// Says to the peer that this is the end, if there is anybody to say it to; what that takes is then
    /// to be sent.
    pub(super) fn say_end(&mut self) {
        if self.state == State::Established {
            self.state = State::Ended;
            forget();
            // What fails here has failed before, and has been told.
            let _ = self.stream.shutdown();
        }
    }
}

/// OpenSSL's part of a stream, to be changed; the crate hands it out only to be looked at.
fn ssl_mut(stream: &mut SslStream<Wire>) -> &mut SslRef {
    // SAFETY: the stream is borrowed for as long as the result is, and its connection is nobody else's.
    unsafe { SslRef::from_ptr_mut(stream.ssl().as_ptr()) }
}
