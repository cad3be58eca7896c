//! Checks which key exchange groups this host's TLS library supports.

use std::sync::LazyLock;

use openssl::ssl::{Ssl, SslContext, SslMethod};
use pingora::tls::ext::ssl_set_groups_list;

/// Whether OpenSSL accepts a list of groups, joined by colons. Tries it on a session that is never used.
pub fn is_known_group_list(list: &str) -> bool {
    static CONTEXT: LazyLock<Option<SslContext>> =
        LazyLock::new(|| SslContext::builder(SslMethod::tls()).ok().map(|builder| builder.build()));
    let session = CONTEXT.as_ref().and_then(|context| Ssl::new(context).ok());
    session.is_some_and(|mut session| ssl_set_groups_list(&mut session, list).is_ok())
}
