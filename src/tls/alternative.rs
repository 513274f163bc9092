//! The alternative names of a certificate: hosts, addresses and others that it is for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use foreign_types::ForeignTypeRef;
use openssl::asn1::{Asn1ObjectRef, Asn1StringRef};
use openssl::x509::GeneralNameRef;
use openssl_sys::{GEN_DNS, GEN_EMAIL, GEN_IPADD, GEN_OTHERNAME, GEN_URI, GENERAL_NAME};

use super::certificate::{Certificate, Encoding, oid};
use super::ffi::OtherName;

/// An alternative name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlternativeName {
    /// Its kind: one of four names, or an object identifier in numbers.
    pub kind: String,
    /// What the kind is called, if it is told by an identifier.
    pub title: Option<String>,
    /// The name itself, if it can be told so.
    pub value: Option<Vec<u8>>,
}

impl Certificate {
    /// The alternative names, in their order; `None` if the certificate does not have that extension.
    /// Kinds that no program asks for are left out.
    pub fn alternative_names(&self) -> Option<Vec<AlternativeName>> {
        let names = self.x509.subject_alt_names()?;
        Some(names.iter().filter_map(|name| read(name, self.encoding())).collect())
    }
}

fn read(name: &GeneralNameRef, encoding: Encoding) -> Option<AlternativeName> {
    let pointer: *const GENERAL_NAME = name.as_ptr();
    // SAFETY: the pointer is a name's.
    let (kind, value) = unsafe { ((*pointer).type_, (*pointer).d) };
    let string = || {
        // SAFETY: names of the kinds for which this is called are strings, and live as long as `name`.
        unsafe { Asn1StringRef::from_ptr(value.cast()) }
    };
    let plain = |kind: &str, value| Some(AlternativeName { kind: kind.to_owned(), title: None, value });
    match kind {
        GEN_EMAIL => plain("rfc822Name", encoding.text(string())),
        GEN_DNS => plain("dNSName", encoding.text(string())),
        GEN_URI => plain("uniformResourceIdentifier", encoding.text(string())),
        GEN_IPADD => plain("iPAddress", Some(address(string().as_slice())?.to_string().into_bytes())),
        // SAFETY: names of this kind are other names.
        GEN_OTHERNAME => unsafe { Some(read_other(&*value.cast::<OtherName>(), encoding)) },
        _ => None,
    }
}

/// # Safety
/// `other` must be a valid name.
unsafe fn read_other(other: &OtherName, encoding: Encoding) -> AlternativeName {
    // SAFETY: as the caller vouches; the value is looked at as what it says it is.
    unsafe {
        let kind = Asn1ObjectRef::from_ptr(other.kind);
        let string = (*other.value).value.asn1_string;
        let is_string = !NO_STRINGS.contains(&(*other.value).type_) && !string.is_null();
        let value = if is_string { encoding.text(Asn1StringRef::from_ptr(string)) } else { None };
        AlternativeName { kind: oid(kind), title: Some(kind.to_string()), value }
    }
}

/// The types of ASN.1 that OpenSSL does not keep as strings of bytes: truth values, nothing, and object identifiers.
const NO_STRINGS: [i32; 3] = [1, 5, 6];

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(bytes).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).into())
}
