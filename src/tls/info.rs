//! What was negotiated.

use std::ptr;

use foreign_types::ForeignTypeRef;
use openssl::ssl::SslRef;
use openssl_sys::SSL_export_keying_material;

use super::connection::Connection;
use super::error::forget;

/// What was negotiated, as LuaSec tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// The version of the protocol: `"TLSv1.3"`.
    pub protocol: String,
    /// The name of the cipher.
    pub cipher: String,
    /// How keys are agreed upon, how the peers prove who they are, how data are encrypted and protected
    /// from changes: what OpenSSL's description has as `Kx`, `Au`, `Enc` and `Mac`.
    pub key: String,
    /// See above.
    pub authentication: String,
    /// See above.
    pub encryption: String,
    /// See above.
    pub mac: String,
    /// Whether the cipher is one of those that were weakened to be exported.
    pub export: bool,
    /// The secret bits that the cipher uses.
    pub bits: i32,
    /// The secret bits that its algorithm could use.
    pub algorithm_bits: i32,
}

impl Connection {
    /// Fills `room` with secret bytes that both sides know, by a label and perhaps a context of the program's (RFC 5705). They
    /// need not be text. Returns whether there are any.
    pub fn export_keys(&self, room: &mut [u8], label: &[u8], context: Option<&[u8]>) -> bool {
        forget();
        let (start, length) = context.map_or((ptr::null(), 0), |context| (context.as_ptr(), context.len()));
        // SAFETY: the pointers are to so many bytes as is said, and are not used later.
        let exported = unsafe {
            SSL_export_keying_material(
                self.ssl().as_ptr(),
                room.as_mut_ptr(),
                room.len(),
                label.as_ptr().cast(),
                label.len(),
                start,
                length,
                context.is_some().into(),
            )
        };
        exported == 1
    }
}

impl Info {
    /// What a connection has negotiated; `None` before it has.
    pub fn of(ssl: &SslRef) -> Option<Self> {
        let cipher = ssl.current_cipher()?;
        let bits = cipher.bits();
        let mut info = Info::from_description(&cipher.description());
        info.protocol = ssl.version_str().to_owned();
        (info.bits, info.algorithm_bits) = (bits.secret, bits.algorithm);
        Some(info)
    }

    /// Reads OpenSSL's description: a name, a version, then words of the form `Kx=ECDH`.
    fn from_description(description: &str) -> Self {
        let mut words = description.split_whitespace();
        let mut info = Info { cipher: words.next().unwrap_or_default().to_owned(), ..Info::default() };
        for word in words {
            let Some((key, value)) = word.split_once('=') else {
                info.export |= word == "export";
                continue;
            };
            let field = match key {
                "Kx" => &mut info.key,
                "Au" => &mut info.authentication,
                "Enc" => &mut info.encryption,
                "Mac" => &mut info.mac,
                _ => continue,
            };
            value.clone_into(field);
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read_word_by_word() {
        let info = Info::from_description(
            "ECDHE-RSA-AES256-GCM-SHA384    TLSv1.2 Kx=ECDH     Au=RSA   Enc=AESGCM(256)            Mac=AEAD\n",
        );
        assert_eq!(info.cipher, "ECDHE-RSA-AES256-GCM-SHA384");
        assert_eq!((info.key.as_str(), info.authentication.as_str()), ("ECDH", "RSA"));
        assert_eq!((info.encryption.as_str(), info.mac.as_str()), ("AESGCM(256)", "AEAD"));
        assert!(!info.export);
    }
}
