//! Reads why a certificate failed verification. Pingora does not expose OpenSSL's reason (`X509_V_ERR_...`) and reports
//! only that the verification failed, so the reason is read when OpenSSL frees the verification.

use std::cell::Cell;
use std::ffi::{c_int, c_long, c_void};
use std::ptr;
use std::sync::Once;

use openssl::x509::X509VerifyResult;
use openssl_sys::{CRYPTO_EX_DATA, CRYPTO_get_ex_new_index, X509_STORE_CTX, X509_STORE_CTX_get_error};

/// `CRYPTO_EX_INDEX_X509_STORE_CTX` of `openssl/crypto.h`, since OpenSSL 1.1.0.
const X509_STORE_CTX_CLASS: c_int = 5;

thread_local! {
    /// Result of the last verification on this thread.
    static LAST: Cell<c_int> = const { Cell::new(openssl_sys::X509_V_OK) };
}

/// Records the results of verifications, from now on.
pub fn watch_certificates() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        // OpenSSL must be initialised first. If it gives no index (for lack of memory), no reason is ever known.
        openssl::init();
        // SAFETY: The callback is a function item, valid for the life of the process, and uses no argument of ours.
        #[expect(unsafe_code, reason = "the `openssl` crate has no safe way to see a verification end")]
        unsafe {
            CRYPTO_get_ex_new_index(X509_STORE_CTX_CLASS, 0, ptr::null_mut(), None, None, Some(note));
        }
    });
}

/// Why the last verification on this thread failed, in OpenSSL's words. A handshake verifies and fails in one step, so
/// the reason belongs to the handshake that has just returned its error on this thread.
pub fn certificate_error() -> Option<&'static str> {
    let result = LAST.get();
    // SAFETY: Any number is a valid result: OpenSSL has a text for unknown ones too.
    #[expect(unsafe_code, reason = "the `openssl` crate makes a result of a number only so")]
    let result = unsafe { X509VerifyResult::from_raw(result) };
    (result != X509VerifyResult::OK).then(|| result.error_string())
}

/// OpenSSL calls this for each verification that it frees.
///
/// # Safety
///
/// The first argument is a verification (`X509_STORE_CTX`).
#[expect(unsafe_code, reason = "OpenSSL calls it, with pointers")]
unsafe extern "C" fn note(
    verification: *mut c_void,
    _data: *mut c_void,
    _all: *mut CRYPTO_EX_DATA,
    _index: c_int,
    _number: c_long,
    _argument: *mut c_void,
) {
    let verification: *mut X509_STORE_CTX = verification.cast();
    // SAFETY: The pointer is a verification, since the callback is registered for that class. `X509_STORE_CTX_cleanup`
    // calls this when it has freed only the parameters and the chain, and the result is a plain number in the struct.
    let result = unsafe { X509_STORE_CTX_get_error(verification) };
    // The thread may be ending.
    let _ = LAST.try_with(|last| last.set(result));
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use openssl::stack::Stack;
    use openssl::x509::store::{X509Store, X509StoreBuilder};
    use openssl::x509::{X509, X509NameBuilder, X509StoreContext};

    use super::*;

    /// A self-signed certificate that is valid for two days from the second `from` of the epoch.
    fn certificate(common_name: &str, from: i64) -> X509 {
        let key = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
        let mut name = X509NameBuilder::new().expect("a name");
        name.append_entry_by_text("CN", common_name).expect("an entry");
        let name = name.build();
        let mut builder = X509::builder().expect("a certificate");
        builder.set_version(2).expect("a version");
        builder.set_subject_name(&name).expect("a subject");
        builder.set_issuer_name(&name).expect("an issuer");
        builder.set_pubkey(&key).expect("a key");
        let time = |seconds| Asn1Time::from_unix(seconds).expect("a time");
        builder.set_not_before(&time(from)).expect("a beginning");
        builder.set_not_after(&time(from + 2 * 86_400)).expect("an end");
        builder.sign(&key, MessageDigest::sha256()).expect("a signature");
        builder.build()
    }

    fn verifies(certificate: &X509, store: &X509Store) -> bool {
        let mut verification = X509StoreContext::new().expect("a verification");
        let chain = Stack::new().expect("a chain");
        verification.init(store, certificate, &chain, |verification| verification.verify_cert()).expect("it ends")
    }

    #[test]
    fn reason_of_the_last_failed_verification_is_returned() {
        watch_certificates();
        let now = Asn1Time::days_from_now(0).expect("a time");
        let since = Asn1Time::from_unix(0).expect("a time").diff(&now).expect("a difference");
        let yesterday = i64::from(since.days - 1) * 86_400 + i64::from(since.secs);
        let (good, old) = (certificate("good.test", yesterday), certificate("old.test", 0));
        let mut store = X509StoreBuilder::new().expect("a store");
        for certificate in [&good, &old] {
            store.add_cert(certificate.clone()).expect("it is added");
        }
        let (trusting, empty) = (store.build(), X509StoreBuilder::new().expect("a store").build());
        assert!(!verifies(&old, &trusting));
        assert_eq!(certificate_error(), Some("certificate has expired"));
        assert!(!verifies(&good, &empty));
        assert_eq!(certificate_error(), Some("self-signed certificate"));
        assert_eq!(std::thread::spawn(certificate_error).join().ok(), Some(None), "another thread's");
        assert!(verifies(&good, &trusting));
        assert_eq!(certificate_error(), None);
    }
}
