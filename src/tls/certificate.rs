//! Certificates, and what they say.

use std::cell::Cell;
use std::cmp::Ordering;
use std::ffi::CStr;

use foreign_types::ForeignTypeRef;
use openssl::asn1::{Asn1ObjectRef, Asn1StringRef, Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::Id;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509NameRef, X509Ref, X509StoreContext, X509VerifyResult};

use super::error::forget;

/// How names and alternative names are handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As the bytes that the certificate holds.
    #[default]
    Raw,
    /// As UTF-8.
    Utf8,
}

impl Encoding {
    /// A string in this encoding; `None` if it is no text, or not the text that it should be.
    pub(super) fn text(self, string: &Asn1StringRef) -> Option<Vec<u8>> {
        match self {
            Encoding::Raw => Some(string.as_slice().to_vec()),
            Encoding::Utf8 => {
                let text = string.to_string().ok().map(String::into_bytes);
                forget();
                text
            }
        }
    }
}

/// One part of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What kind of part it is, as numbers with points between them.
    pub oid: String,
    /// The same in words, where there are any.
    pub name: String,
    /// What it says, if it can be told so.
    pub value: Option<Vec<u8>>,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// As PEM.
    pub pem: Vec<u8>,
    /// Its kind, as LuaSec names it.
    pub kind: &'static str,
    /// Its size.
    pub bits: u32,
}

/// A certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub(super) x509: X509,
    encoding: Cell<Encoding>,
}

impl From<X509> for Certificate {
    fn from(x509: X509) -> Self {
        Certificate { x509, encoding: Cell::default() }
    }
}

impl From<&X509Ref> for Certificate {
    fn from(x509: &X509Ref) -> Self {
        x509.to_owned().into()
    }
}

impl Certificate {
    /// The first certificate in a PEM text.
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        forget();
        X509::from_pem(pem).ok().map(Certificate::from)
    }

    /// As PEM.
    ///
    /// # Errors
    /// OpenSSL's, for want of memory.
    pub fn to_pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.x509.to_pem()
    }

    /// How names are handed out.
    pub fn encoding(&self) -> Encoding {
        self.encoding.get()
    }

    /// Sets how names are handed out.
    pub fn set_encoding(&self, encoding: Encoding) {
        self.encoding.set(encoding);
    }

    /// Whom it is about.
    pub fn subject(&self) -> Vec<Entry> {
        self.entries(self.x509.subject_name())
    }

    /// Who vouches for it.
    pub fn issuer(&self) -> Vec<Entry> {
        self.entries(self.x509.issuer_name())
    }

    fn entries(&self, name: &X509NameRef) -> Vec<Entry> {
        let encoding = self.encoding();
        let entry = |entry: &openssl::x509::X509NameEntryRef| Entry {
            oid: oid(entry.object()),
            name: entry.object().to_string(),
            value: encoding.text(entry.data()),
        };
        name.entries().map(entry).collect()
    }

    /// From when on it is valid, in words.
    pub fn not_before(&self) -> String {
        time_text(self.x509.not_before())
    }

    /// Until when it is valid, in words.
    pub fn not_after(&self) -> String {
        time_text(self.x509.not_after())
    }

    /// Whether it is valid at a time in seconds since 1970.
    pub fn is_valid_at(&self, seconds: i64) -> bool {
        let Ok(time) = Asn1Time::from_unix(seconds) else { return false };
        let order = |limit: &Asn1TimeRef| time.compare(limit).ok();
        order(self.x509.not_before()).is_some_and(|order| order != Ordering::Less)
            && order(self.x509.not_after()).is_some_and(|order| order != Ordering::Greater)
    }

    /// Its number among those of its issuer, in hexadecimal.
    ///
    /// # Errors
    /// OpenSSL's, for want of memory.
    pub fn serial(&self) -> Result<String, ErrorStack> {
        Ok(self.x509.serial_number().to_bn()?.to_hex_str()?.to_string())
    }

    /// Its fingerprint in hexadecimal; `None` if there is no such algorithm.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn digest(&self, algorithm: &[u8]) -> Option<Result<String, ErrorStack>> {
        let algorithm = match algorithm {
            b"sha1" => MessageDigest::sha1(),
            b"sha256" => MessageDigest::sha256(),
            b"sha512" => MessageDigest::sha512(),
            _ => return None,
        };
        let digest = self.x509.digest(algorithm);
        Some(digest.map(|digest| digest.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The key that it vouches for.
    ///
    /// # Errors
    /// OpenSSL's, for a key that it does not understand.
    pub fn public_key(&self) -> Result<PublicKey, ErrorStack> {
        forget();
        let key = self.x509.public_key()?;
        let kind = match key.id() {
            Id::RSA => "RSA",
            Id::DSA => "DSA",
            Id::DH => "DH",
            Id::EC => "EC",
            _ => "Unknown",
        };
        Ok(PublicKey { pem: key.public_key_to_pem()?, kind, bits: key.bits() })
    }

    /// The name of the algorithm that it was signed with.
    pub fn signature_name(&self) -> Option<&'static str> {
        // SAFETY: the pointer is a certificate's.
        let algorithm = unsafe { openssl_sys::X509_get_signature_nid(self.x509.as_ptr()) };
        openssl::nid::Nid::from_raw(algorithm).short_name().ok()
    }

    /// Whether this one vouches for `certificate`, by way of some of `intermediates`. This one is
    /// trusted; the times count as well.
    ///
    /// # Errors
    /// OpenSSL's. What is wrong with the chain is no error, but the result.
    pub fn vouches_for(
        &self,
        certificate: &Certificate,
        intermediates: &[&Certificate],
    ) -> Result<X509VerifyResult, ErrorStack> {
        forget();
        let mut store = X509StoreBuilder::new()?;
        store.add_cert(self.x509.clone())?;
        let mut chain = Stack::new()?;
        for intermediate in intermediates {
            chain.push(intermediate.x509.clone())?;
        }
        X509StoreContext::new()?.init(&store.build(), &certificate.x509, &chain, |context| {
            context.verify_cert()?;
            Ok(context.error())
        })
    }
}

/// What an object identifier is in numbers.
pub(super) fn oid(object: &Asn1ObjectRef) -> String {
    let mut room = [0u8; 256];
    // SAFETY: the room is as large as is said, and a C string is in it afterwards.
    unsafe {
        openssl_sys::OBJ_obj2txt(room.as_mut_ptr().cast(), room.len() as i32, object.as_ptr(), 1);
        CStr::from_ptr(room.as_ptr().cast()).to_string_lossy().into_owned()
    }
}

/// A time as OpenSSL prints it; of what is none, what it prints as well, for which the crate has a word of its own.
fn time_text(time: &Asn1TimeRef) -> String {
    let text = time.to_string();
    if text == "error" { "Bad time value".to_owned() } else { text }
}
