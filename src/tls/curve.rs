//! Elliptic curves by name.

use std::ffi::CStr;

use openssl::ec::EcKey;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::Params;

use super::ffi::{BuiltinCurve, EC_get_builtin_curves};

/// The names by which NIST knows some of the curves.
const NIST: [(&str, Nid); 3] =
    [("P-256", Nid::X9_62_PRIME256V1), ("P-384", Nid::SECP384R1), ("P-521", Nid::SECP521R1)];
/// What only serves to agree on a key, so that it can be named in lists alone.
const FOR_LISTS: [&str; 2] = ["X25519", "X448"];

/// The curves that this OpenSSL knows.
fn builtin() -> Vec<Nid> {
    openssl::init();
    // SAFETY: nothing is written, as there is room for nothing.
    let count = unsafe { EC_get_builtin_curves(std::ptr::null_mut(), 0) };
    let mut curves = Vec::<BuiltinCurve>::with_capacity(count);
    // SAFETY: there is room for `count` curves, and as many are written.
    unsafe {
        let known = EC_get_builtin_curves(curves.as_mut_ptr(), count);
        curves.set_len(known.min(count));
    }
    curves.iter().map(|curve| Nid::from_raw(curve.nid)).collect()
}

/// The names of all curves.
pub fn names() -> Vec<String> {
    let own = builtin().into_iter().filter_map(|curve| curve.short_name().ok().map(str::to_owned));
    let others = NIST.iter().map(|(name, _)| *name).chain(FOR_LISTS);
    own.chain(others.map(str::to_owned)).collect()
}

/// The curve of that name as the parameters of a key, if there is one.
///
/// # Errors
/// OpenSSL's, for a curve that it knows and cannot use.
pub fn of_name(name: &[u8]) -> Option<Result<EcKey<Params>, ErrorStack>> {
    let nist = NIST.iter().find(|(known, _)| known.as_bytes() == name).map(|&(_, curve)| curve);
    let named = || builtin().into_iter().find(|curve| short_name(*curve).is_some_and(|own| own == name));
    let curve = nist.or_else(named)?;
    Some(EcKey::from_curve_name(curve))
}

fn short_name(curve: Nid) -> Option<&'static [u8]> {
    // SAFETY: OpenSSL's names are constants.
    let name = unsafe { openssl_sys::OBJ_nid2sn(curve.as_raw()) };
    // SAFETY: it is a C string if there is one.
    (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_curves_are_known_by_both_their_names() {
        let names = names();
        for name in ["prime256v1", "secp384r1", "secp521r1", "P-256", "P-384", "P-521"] {
            assert!(names.iter().any(|known| known == name), "{name}");
            assert!(of_name(name.as_bytes()).is_some_and(|key| key.is_ok()), "{name}");
        }
    }

    #[test]
    fn what_is_for_lists_only_is_named_but_no_curve() {
        assert!(names().iter().any(|known| known == "X25519"));
        assert!(of_name(b"X25519").is_none());
        assert!(of_name(b"P-256:P-384").is_none());
    }
}
