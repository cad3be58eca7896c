//! What a proxy knows of its tenants' versions when it starts again (`proxy.state_dir`).

use std::sync::Arc;

use pointsman::release::UploadOutcome;
use pointsman::tenant::Tenant as Running;
use pointsman::versions::{Trial, VersionStatus};
use pointsman_rules::config::Stage;
use pointsman_tests::{Live, Proxy, Tenant, Wat};
use tempfile::TempDir;

use crate::reload::{answers, last_failure, tenant};

/// A module's file and the folder of the state, used by one proxy after the other.
struct Site {
    live: Live,
    state: TempDir,
    release: &'static str,
}

impl Site {
    fn new(release: &'static str) -> Site {
        Site { live: Live::new(&Wat::answering(201)), state: TempDir::new().expect("a folder"), release }
    }

    async fn start(&self) -> (Proxy, Arc<Running>) {
        let tenant = tenant(&self.live).table(&format!("[tenant.release]\n{}", self.release));
        let keys = format!("watch = false\nstate_dir = {:?}", self.state.path());
        let proxy = Proxy::with(tenant).proxy(&keys).start().await;
        let tenant = proxy.control().tenants()["shop"].clone();
        (proxy, tenant)
    }

    /// Replaces the live module's file and has it loaded.
    async fn release(&self, proxy: &Proxy, module: &Wat) {
        self.live.replace(&module.bytes());
        proxy.reload().await.expect("a good configuration");
    }

    fn modules(&self) -> usize {
        std::fs::read_dir(self.state.path().join("modules")).expect("kept modules").count()
    }
}

async fn status(proxy: &Proxy) -> u16 {
    proxy.get("http://shop.test/").await.status
}

/// Uploads a module as the admin API does.
async fn upload(proxy: &Proxy, bytes: Vec<u8>) -> Result<UploadOutcome, String> {
    let (control, trial) = (proxy.control(), Trial { stage: Stage::Live, percent: 0 });
    let upload = move || control.alone("shop", |tenant| control.publisher.upload(tenant, 0, bytes, Some(trial)));
    let done = tokio::task::spawn_blocking(upload).await.expect("an upload").expect("the tenant");
    done.map_err(|refused| refused.to_string())
}

#[tokio::test]
async fn last_good_version_serves_after_a_restart() {
    let live = Live::new(&Wat::answering(201));
    let state = TempDir::new().expect("a folder");
    let start = async || {
        let keys = format!("state_dir = {:?}", state.path());
        Proxy::with(Tenant::new("shop").module(live.path(), "")).proxy(&keys).start().await
    };
    let proxy = start().await;
    proxy.stop().await;
    // The current file is refused: the version that served last serves.
    live.replace(b"\0asm");
    let proxy = start().await;
    assert_eq!(status(&proxy).await, 201);
    assert_eq!(last_failure(&proxy).0, "build");
    live.replace(&Wat::answering(202).bytes());
    answers(&proxy, 202).await;
    // After a rollback by an operator, it stays rolled back as long as the file is the same.
    let control = proxy.control();
    let tenants = control.tenants();
    control.publisher.roll_back(&tenants["shop"], None).expect("a previous version");
    assert_eq!(status(&proxy).await, 201);
    proxy.stop().await;
    let proxy = start().await;
    assert_eq!(status(&proxy).await, 201);
    proxy.stop().await;
    live.replace(&Wat::answering(203).bytes());
    let proxy = start().await;
    assert_eq!(status(&proxy).await, 203, "the file is newer");
}

#[tokio::test]
async fn rollback_works_after_a_restart() {
    let site = Site::new("history = 3");
    let (proxy, _) = site.start().await;
    for status in 202..=203 {
        site.release(&proxy, &Wat::answering(status)).await;
    }
    proxy.stop().await;
    let (proxy, tenant) = site.start().await;
    let known: Vec<(u64, VersionStatus)> =
        tenant.releases.entries().into_iter().map(|entry| (entry.number, entry.status)).collect();
    assert_eq!(known, [(1, VersionStatus::Replaced), (2, VersionStatus::Replaced), (3, VersionStatus::Live)]);
    let control = proxy.control();
    assert_eq!(control.publisher.roll_back(&tenant, None).expect("a version").number, 2);
    assert_eq!(status(&proxy).await, 202);
    assert_eq!(control.publisher.roll_back(&tenant, Some(1)).expect("a version").number, 1);
    assert_eq!(status(&proxy).await, 201);
    site.release(&proxy, &Wat::answering(204)).await;
    assert_eq!(tenant.releases.live().number, 4, "numbers continue");
}

#[tokio::test]
async fn trial_of_a_candidate_continues_after_a_restart() {
    let site = Site::new("stage = \"canary\"\ncanary_percent = 100");
    let (proxy, _) = site.start().await;
    site.release(&proxy, &Wat::answering(202)).await;
    assert_eq!(status(&proxy).await, 202);
    proxy.stop().await;
    let (proxy, tenant) = site.start().await;
    let report = tenant.releases.candidate().expect("a candidate");
    assert_eq!((report.version, report.stage, report.percent), (2, Stage::Canary, Some(100)));
    assert_eq!((status(&proxy).await, tenant.releases.live().number), (202, 1));
}

/// A change that was made while the proxy was not running starts at the tenant's configured stage.
#[tokio::test]
async fn file_that_changed_during_a_restart_is_tried_first() {
    let site = Site::new("stage = \"shadow\"");
    let (proxy, _) = site.start().await;
    proxy.stop().await;
    site.live.replace(&Wat::answering(202).bytes());
    let (proxy, tenant) = site.start().await;
    assert_eq!(status(&proxy).await, 201);
    assert_eq!(tenant.releases.candidate().expect("a candidate").stage, Stage::Shadow);
}

#[tokio::test]
async fn version_on_probation_is_rolled_back_after_a_restart() {
    let site = Site::new("rollback_failures = 2");
    let (proxy, _) = site.start().await;
    site.release(&proxy, &Wat::select_peer("unreachable")).await;
    assert_eq!(status(&proxy).await, 201);
    proxy.stop().await;
    let (proxy, tenant) = site.start().await;
    assert_eq!(tenant.releases.live().number, 2);
    for _ in 0..3 {
        assert_eq!(status(&proxy).await, 201);
    }
    assert_eq!(tenant.releases.live().number, 1);
}

#[tokio::test]
async fn drained_tenant_stays_drained() {
    let site = Site::new("");
    let (proxy, tenant) = site.start().await;
    proxy.control().publisher.drain(&tenant, true);
    assert_eq!(status(&proxy).await, 503);
    proxy.stop().await;
    let (proxy, tenant) = site.start().await;
    assert_eq!(status(&proxy).await, 503);
    proxy.control().publisher.drain(&tenant, false);
    assert_eq!(status(&proxy).await, 201);
}

/// The tests next to the file also check an upload, and changing them does not bring the file back.
#[tokio::test]
async fn upload_keeps_serving_when_the_tests_change() {
    let site = Site::new("");
    let (proxy, tenant) = site.start().await;
    upload(&proxy, Wat::answering(202).bytes()).await.expect("a version");
    let expecting = |status: u16| {
        site.live.tests(&format!(
            r#"[{{"name": "all", "request": {{"url": "http://shop.test/"}}, "expect": {{"respond": {{"status": {status}}}}}}}]"#
        ));
    };
    expecting(202);
    assert!(proxy.reload().await.expect("a good configuration").refused.is_empty());
    expecting(201);
    let refused = proxy.reload().await.expect("a good configuration").refused;
    assert_eq!((refused[0].tenant.as_str(), refused[0].step.name()), ("shop", "test"), "{refused:?}");
    assert_eq!((status(&proxy).await, tenant.releases.live().number), (202, 2));
    assert!(upload(&proxy, Wat::answering(203).bytes()).await.expect_err("the tests fail").contains("test `all`"));
    proxy.stop().await;
    let (proxy, _) = site.start().await;
    assert_eq!(status(&proxy).await, 202);
}

#[tokio::test]
async fn modules_are_stored_as_long_as_a_version_uses_them() {
    let site = Site::new("history = 1");
    let (proxy, _) = site.start().await;
    for number in 202..=209 {
        upload(&proxy, Wat::answering(number).bytes()).await.expect("a version");
        upload(&proxy, b"not a module".to_vec()).await.expect_err("no module");
    }
    assert_eq!((status(&proxy).await, site.modules()), (209, 2), "the live version and the previous one");
}

#[tokio::test]
async fn unloadable_version_is_replaced_by_the_file_and_reported() {
    let site = Site::new("");
    let (proxy, _) = site.start().await;
    upload(&proxy, Wat::answering(202).bytes()).await.expect("a version");
    proxy.stop().await;
    for module in std::fs::read_dir(site.state.path().join("modules")).expect("modules") {
        std::fs::write(module.expect("a module").path(), b"damaged").expect("written");
    }
    let (proxy, tenant) = site.start().await;
    assert_eq!((status(&proxy).await, tenant.releases.live().number), (201, 3));
    let entries = tenant.releases.entries();
    assert!(
        matches!(&entries[1].status, VersionStatus::RolledBack { reason } if reason.contains("is gone from proxy.state_dir")),
        "{entries:?}"
    );
}
