//! Files of modules that change under a proxy: however they are put there, and whatever happens beside them.

use pointsman_tests::{Live, Proxy, Tenant, Wat};

use crate::reload::{answers, last_failure, refused};

#[tokio::test]
async fn what_is_no_file_is_refused_and_never_waited_for() {
    let live = Live::new(&Wat::answering(201));
    let proxy = Proxy::with(Tenant::new("shop").module(live.path(), "")).start().await;
    let device = live.folder().join("device");
    std::os::unix::fs::symlink("/dev/zero", &device).expect("a symlink");
    std::fs::rename(&device, live.path()).expect("in its place");
    refused(&proxy, 1).await;
    let (step, message) = last_failure(&proxy);
    assert!(step == "read" && message.ends_with(": not a regular file"), "{step}: {message}");

    live.replace(&Wat::answering(202).bytes());
    answers(&proxy, 202).await;
    let fifo = live.folder().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs");
    assert!(made.success());
    std::fs::rename(&fifo, live.folder().join("router.tests.json")).expect("in its place");
    refused(&proxy, 2).await;
    let (step, message) = last_failure(&proxy);
    assert!(step == "test" && message.ends_with("cannot be read: not a regular file"), "{step}: {message}");
    let file = std::fs::File::create(live.folder().join("large")).expect("a file");
    file.set_len(16 * 1024 * 1024 + 1).expect("as large as that");
    std::fs::rename(live.folder().join("large"), live.folder().join("router.tests.json")).expect("in its place");
    refused(&proxy, 3).await;
    assert!(last_failure(&proxy).1.contains("has 16777217 bytes; a file of tests may have 16777216 at most"));
}
