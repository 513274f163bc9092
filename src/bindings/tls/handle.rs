//! Objects that are no sockets: contexts and certificates. They are userdata as sockets are, but
//! nothing about them changes its class, and nobody waits for them.

use std::ffi::{c_int, c_void};
use std::rc::Rc;

use mlua::ffi::{self, lua_State};
use mlua::{AnyUserData, Lua, Result, Table};

use crate::bindings::call::{Call, Function};
use crate::bindings::context::Context;
use crate::bindings::value::{Raise, Value, Values, one};
use crate::bindings::{closure, new_function, reference};
use crate::tls::certificate::Certificate;
use crate::tls::context::Context as TlsContext;

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Context,
    Certificate,
}

impl Kind {
    /// Every kind, each at the index that is its number.
    const ALL: [Kind; 2] = [Kind::Context, Kind::Certificate];

    /// The name that errors give it.
    fn name(self) -> &'static str {
        match self {
            Kind::Context => "SSL:Context",
            Kind::Certificate => "SSL:Certificate",
        }
    }

    /// What `tostring` shows in front of the address.
    fn title(self) -> &'static str {
        match self {
            Kind::Context => "SSL context",
            Kind::Certificate => "X509 certificate",
        }
    }
}

/// What an object's block holds, until it is collected.
#[derive(Clone, Debug)]
pub(in crate::bindings) enum Handle {
    Context(Rc<TlsContext>),
    Certificate(Certificate),
}

impl From<Certificate> for Value {
    fn from(certificate: Certificate) -> Self {
        Value::Handle(Box::new(Handle::Certificate(certificate)))
    }
}

impl Handle {
    fn kind(&self) -> Kind {
        match self {
            Handle::Context(_) => Kind::Context,
            Handle::Certificate(_) => Kind::Certificate,
        }
    }
}

/// The metatable of every kind: its address, by which an object's kind is told, and the registry's
/// reference to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metatables([(*const c_void, c_int); Kind::ALL.len()]);

impl Metatables {
    /// The context at `index`, if there is one.
    ///
    /// # Safety
    /// There must be a value at `index`, which stays there for as long as the result is used.
    pub(super) unsafe fn context_at<'a>(
        &self,
        state: *mut lua_State,
        index: c_int,
    ) -> Option<&'a Rc<TlsContext>> {
        // SAFETY: as the caller vouches; a metatable that was pushed is popped again. A userdata with this
        // metatable was made by `push`, so its block holds an object, or `None` once it was collected.
        unsafe {
            if ffi::lua_type(state, index) != ffi::LUA_TUSERDATA || ffi::lua_getmetatable(state, index) == 0 {
                return None;
            }
            let metatable = ffi::lua_topointer(state, -1);
            ffi::lua_pop(state, 1);
            if metatable != self.0[Kind::Context as usize].0 {
                return None;
            }
            match (*ffi::lua_touserdata(state, index).cast::<Option<Handle>>()).as_ref() {
                Some(Handle::Context(context)) => Some(context),
                _ => None,
            }
        }
    }
}

/// Makes the metatables.
pub(super) fn prepare(lua: &Lua) -> Result<(Metatables, Vec<(Kind, Table)>)> {
    let mut metatables = Metatables([(std::ptr::null(), 0); Kind::ALL.len()]);
    let mut tables = Vec::new();
    for (kind, entry) in Kind::ALL.into_iter().zip(&mut metatables.0) {
        let table = lua.create_table()?;
        *entry = (table.to_pointer(), reference(lua, &table)?);
        tables.push((kind, table));
    }
    Ok((metatables, tables))
}

const TO_STRING: Function = Function::direct("tostring", to_string);

/// Fills the metatables, and hands the tables of methods to the embedded Lua, by the names of the kinds.
pub(super) fn install(
    lua: &Lua,
    context: &AnyUserData,
    tables: Vec<(Kind, Table)>,
    native: &Table,
) -> Result<()> {
    let classes = lua.create_table()?;
    for (kind, metatable) in tables {
        let methods = lua.create_table()?;
        // SAFETY: the function gets the one upvalue that it documents.
        let collect = unsafe { closure(lua, collect, &metatable)? };
        metatable.set("__name", kind.name())?;
        metatable.set("__index", &methods)?;
        metatable.set("__tostring", new_function(lua, context, &TO_STRING)?)?;
        metatable.set("__gc", &collect)?;
        metatable.set("__close", collect)?;
        // What `getmetatable` shows: the true one stays out of reach, as it decides what an object is.
        let shown = lua.create_table_from([("__name", kind.name())])?;
        shown.set("__index", &methods)?;
        metatable.set("__metatable", shown)?;
        classes.set(kind.name(), methods)?;
    }
    native.set("classes", classes)
}

impl Call<'_> {
    fn handle(&self, index: c_int, kind: Kind) -> Option<&Handle> {
        let (block, metatable) = self.userdata(index)?;
        if metatable != self.context.tls.metatables.0[kind as usize].0 {
            return None;
        }
        // SAFETY: a userdata with one of these metatables was made by `push`, so its block holds an
        // object, or `None` once it was collected. It stays on the stack, and so alive, for as long as
        // the call lasts.
        unsafe { (*block.cast::<Option<Handle>>()).as_ref() }
    }

    /// What an argument is called, if it is one of these objects.
    pub(in crate::bindings) fn handle_name(&self, index: c_int) -> Option<&'static str> {
        Kind::ALL.into_iter().find(|&kind| self.handle(index, kind).is_some()).map(Kind::name)
    }

    /// The context that an argument is, if it is one.
    pub(super) fn maybe_tls_context(&self, index: c_int) -> Option<&Rc<TlsContext>> {
        match self.handle(index, Kind::Context)? {
            Handle::Context(context) => Some(context),
            Handle::Certificate(_) => None,
        }
    }

    /// The context that an argument is.
    pub(super) fn tls_context(&self, index: c_int) -> std::result::Result<&Rc<TlsContext>, Raise> {
        self.maybe_tls_context(index).ok_or_else(|| self.type_error(index, Kind::Context.name()))
    }
}

impl Call<'_> {
    /// The certificate that an argument is.
    pub(super) fn certificate(&self, index: c_int) -> std::result::Result<&Certificate, Raise> {
        match self.handle(index, Kind::Certificate) {
            Some(Handle::Certificate(certificate)) => Ok(certificate),
            _ => Err(self.type_error(index, Kind::Certificate.name())),
        }
    }
}

/// `tostring(object)`: what it is, and its address.
fn to_string(call: &Call<'_>) -> std::result::Result<Values, Raise> {
    let title = Kind::ALL.into_iter().find(|&kind| call.handle(1, kind).is_some()).map_or("?", Kind::title);
    Ok(one(format!("{title}: {:p}", call.address(1))))
}

/// Pushes a new object.
///
/// # Safety
/// As `Values::push`.
pub(in crate::bindings) unsafe fn push(state: *mut lua_State, context: &Context, handle: &Handle) {
    let (_, reference) = context.tls.metatables.0[handle.kind() as usize];
    const { assert!(align_of::<Option<Handle>>() <= 8, "Lua aligns blocks to 8 bytes") };
    // SAFETY: the block has room for the object and holds it before the metatable is set; the reference
    // is to a table.
    unsafe {
        let block = ffi::lua_newuserdata(state, size_of::<Option<Handle>>());
        // A copy of a reference: nothing is owned while an error may be raised, which is before there is the block.
        block.cast::<Option<Handle>>().write(Some(handle.clone()));
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, reference.into());
        ffi::lua_setmetatable(state, -2);
    }
}

/// `__gc` and `__close` of every kind: upvalue 1 is the metatable. The context of the bindings may be gone
/// already when a state closes, so this does without.
///
/// # Safety
/// To be called by Lua only, as a closure with that upvalue.
unsafe extern "C-unwind" fn collect(state: *mut lua_State) -> c_int {
    // SAFETY: a userdata with this metatable was made by `push`; its block holds an object or `None`,
    // and after this it holds `None`.
    unsafe {
        if ffi::lua_type(state, 1) == ffi::LUA_TUSERDATA
            && ffi::lua_getmetatable(state, 1) != 0
            && ffi::lua_rawequal(state, -1, ffi::lua_upvalueindex(1)) != 0
        {
            let block = ffi::lua_touserdata(state, 1).cast::<Option<Handle>>();
            drop((*block).take());
        }
    }
    0
}
