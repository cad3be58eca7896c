//! Versions that go live in stages, and rollbacks.

use std::sync::Arc;

use pointsman::tenant::Tenant as Running;
use pointsman::versions::VersionStatus;
use pointsman_rules::config::Stage;
use pointsman_tests::{Live, Proxy, Tenant, Upstream, Wat, eventually, eventually_async, example};

async fn proxy(live: &Live, release: &str) -> (Proxy, Arc<Running>) {
    let tenant = Tenant::new("shop").module(live.path(), "").table(&format!("[tenant.release]\n{release}"));
    let proxy = Proxy::with(tenant).proxy("watch = false").start().await;
    let tenant = proxy.control().tenants()["shop"].clone();
    (proxy, tenant)
}

/// Replaces the live module's file and has it loaded.
async fn release(proxy: &Proxy, live: &Live, bytes: &[u8]) {
    live.replace(bytes);
    proxy.reload().await.expect("a good configuration");
}

async fn status(proxy: &Proxy) -> u16 {
    proxy.get("http://shop.test/").await.status
}

fn statuses(tenant: &Running) -> Vec<(u64, VersionStatus)> {
    tenant.releases.entries().into_iter().map(|entry| (entry.number, entry.status)).collect()
}

#[tokio::test]
async fn failing_new_version_is_rolled_back_and_no_client_notices() {
    let live = Live::new(&Wat::answering(201));
    let (proxy, tenant) = proxy(&live, "rollback_failures = 3").await;
    release(&proxy, &live, &Wat::select_peer("unreachable").bytes()).await;
    for _ in 0..5 {
        assert_eq!(status(&proxy).await, 201, "the previous version decides where the new one fails");
    }
    let statuses = statuses(&tenant);
    let [(1, VersionStatus::Live), (2, VersionStatus::RolledBack { reason })] = &statuses[..] else {
        panic!("{statuses:?}")
    };
    assert!(
        reason.starts_with("3 decisions failed (release.rollback_failures), the last: the module trapped"),
        "{reason}"
    );
    assert_eq!(proxy.metric(r#"pointsman_fallbacks_total{level="version",tenant="shop"}"#).await, 3.0);
    assert_eq!(proxy.metric(r#"pointsman_releases_total{outcome="rolled-back",tenant="shop"}"#).await, 1.0);
    // The requests use different connections on different workers, so the order of the lines may differ.
    let lines = proxy.log(5).await;
    let decided_by = |level: serde_json::Value, version: u64| {
        lines.iter().filter(|line| line["fallback"]["level"] == level && line["version"] == version).count()
    };
    assert_eq!((decided_by("version".into(), 2), decided_by(serde_json::Value::Null, 1)), (3, 2), "{lines:?}");
    // The same file is not loaded again.
    proxy.reload().await.expect("a good configuration");
    assert_eq!(tenant.releases.live().number, 1);
}

#[tokio::test]
async fn version_past_its_probation_is_not_rolled_back() {
    let live = Live::new(&Wat::answering(201));
    let (proxy, tenant) = proxy(&live, "rollback_window_ms = 0").await;
    release(&proxy, &live, &Wat::select_peer("unreachable").bytes()).await;
    for _ in 0..10 {
        assert_eq!(status(&proxy).await, 500);
    }
    assert_eq!(tenant.releases.live().number, 2);
}

#[tokio::test]
async fn rollback_is_immediate_and_the_history_is_bounded() {
    let live = Live::new(&Wat::answering(201));
    let (proxy, tenant) = proxy(&live, "history = 2").await;
    for status in 202..=205 {
        release(&proxy, &live, &Wat::answering(status).bytes()).await;
    }
    let numbers: Vec<u64> = statuses(&tenant).into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [3, 4, 5]);
    let control = proxy.control();
    assert_eq!(control.publisher.roll_back(&tenant, None).expect("a version").number, 4);
    assert_eq!(status(&proxy).await, 204);
    assert_eq!(control.publisher.roll_back(&tenant, Some(3)).expect("a version").number, 3);
    assert_eq!(status(&proxy).await, 203);
    assert!(
        control.publisher.roll_back(&tenant, Some(1)).is_err()
            && control.publisher.roll_back(&tenant, Some(3)).is_err()
    );
}

#[tokio::test]
async fn shadow_has_no_effect_and_is_promoted_after_enough_agreements() {
    let live = Live::new(&Wat::answering(201));
    let keys = "stage = \"shadow\"\ncanary_percent = 0\npromote_after = 20";
    let (proxy, tenant) = proxy(&live, keys).await;
    // Differs in everything.
    release(&proxy, &live, &Wat::answering(202).bytes()).await;
    for _ in 0..10 {
        assert_eq!(status(&proxy).await, 201);
    }
    let report =
        eventually("10 differences", || tenant.releases.candidate().filter(|report| report.differences == 10)).await;
    assert_eq!((report.version, report.stage, report.agreements), (2, Stage::Shadow, 0));
    let example = &report.examples[0];
    assert_eq!((example.method.as_str(), example.authority.as_str()), ("GET", "shop.test"));
    assert_eq!(example.live["respond"]["status"], 201);
    assert_eq!(example.candidate["respond"]["status"], 202);
    // Another one replaces it, which agrees: the same answers from a different file.
    release(&proxy, &live, &Wat::answering(201).component()).await;
    for _ in 0..20 {
        assert_eq!(status(&proxy).await, 201);
    }
    eventually("a promotion", || (tenant.releases.live().number == 3).then_some(())).await;
    let aborted = VersionStatus::Aborted { reason: "replaced by version 3".to_owned() };
    assert_eq!(statuses(&tenant), [(1, VersionStatus::Replaced), (2, aborted), (3, VersionStatus::Live)]);
}

#[tokio::test]
async fn shadow_that_fails_is_aborted() {
    let live = Live::new(&Wat::answering(201));
    let (proxy, tenant) = proxy(&live, "stage = \"shadow\"\nabort_failures = 2").await;
    release(&proxy, &live, &Wat::select_peer("unreachable").bytes()).await;
    for _ in 0..3 {
        assert_eq!(status(&proxy).await, 201);
    }
    eventually("an abort", || tenant.releases.candidate().is_none().then_some(())).await;
    let statuses = statuses(&tenant);
    assert!(
        matches!(&statuses[1].1, VersionStatus::Aborted { reason } if reason.contains("release.abort_failures")),
        "{statuses:?}"
    );
}

/// A shadow has its own copy of `shared`.
#[tokio::test]
async fn shadow_does_not_count_in_the_tenants_counters() {
    let upstream = Upstream::answering("up").start().await;
    let config = format!("upstream = \"{}\"\nper_minute = 6", upstream.address());
    let live = Live::of(&std::fs::read(example("quota")).expect("the module"));
    let tenant = Tenant::new("shop").module(live.path(), &config).table("[tenant.release]\nstage = \"shadow\"");
    let proxy = Proxy::with(tenant).proxy("watch = false").start().await;
    let mut other = std::fs::read(example("quota")).expect("the module");
    // An empty custom section: different bytes, the same module.
    other.extend_from_slice(&[0, 2, 1, b'x']);
    release(&proxy, &live, &other).await;
    let tenant = proxy.control().tenants()["shop"].clone();
    for number in 1..=6 {
        assert_eq!(status(&proxy).await, 200, "request {number}");
    }
    assert_eq!(status(&proxy).await, 429);
    eventually("7 agreements", || tenant.releases.candidate().filter(|report| report.agreements == 7)).await;
}

#[tokio::test]
async fn canary_serves_its_clients_and_the_live_version_where_it_fails() {
    let live = Live::new(&Wat::answering(201));
    let keys = "stage = \"canary\"\ncanary_percent = 100\nabort_failures = 3";
    let (proxy, tenant) = proxy(&live, keys).await;
    release(&proxy, &live, &Wat::answering(202).bytes()).await;
    assert_eq!(status(&proxy).await, 202);
    assert_eq!(tenant.releases.live().number, 1);
    release(&proxy, &live, &Wat::select_peer("unreachable").bytes()).await;
    for _ in 0..5 {
        assert_eq!(status(&proxy).await, 201);
    }
    assert!(tenant.releases.candidate().is_none(), "three failures end it");
    release(&proxy, &live, &Wat::answering(203).bytes()).await;
    let promote = || tenant.releases.promote(None, None, "by hand", &tenant.config.release);
    assert_eq!(promote().expect("a candidate").stage, Stage::Live);
    assert_eq!((status(&proxy).await, tenant.releases.live().number), (203, 4));
    assert!(promote().is_err());
}

#[tokio::test]
async fn candidate_is_promoted_by_time() {
    let live = Live::new(&Wat::answering(201));
    let (proxy, tenant) = proxy(&live, "stage = \"canary\"\ncanary_percent = 100\npromote_after_ms = 1").await;
    release(&proxy, &live, &Wat::answering(202).bytes()).await;
    eventually_async("a promotion", async || {
        status(&proxy).await;
        (tenant.releases.live().number == 2).then_some(())
    })
    .await;
}

/// A tenant can roll back while a build that takes minutes is running.
#[tokio::test]
async fn rollback_does_not_wait_for_a_build() {
    let live = Live::new(&Wat::answering(201));
    let (proxy, tenant) = proxy(&live, "").await;
    release(&proxy, &live, &Wat::answering(202).bytes()).await;
    {
        let _a_build = tenant.releases.preparing.lock();
        assert_eq!(proxy.control().publisher.roll_back(&tenant, None).expect("a version").number, 1);
    }
    assert_eq!(status(&proxy).await, 201);
}

#[tokio::test]
async fn failures_of_a_candidate_do_not_roll_back_the_live_version() {
    let live = Live::new(&Wat::answering(201));
    let (proxy, tenant) = proxy(&live, "").await;
    release(&proxy, &live, &Wat::answering(202).bytes()).await;
    std::fs::write(
        proxy.config_file(),
        std::fs::read_to_string(proxy.config_file())
            .expect("the configuration")
            .replace("[tenant.release]\n", "[tenant.release]\nstage = \"shadow\"\n"),
    )
    .expect("written");
    release(&proxy, &live, &Wat::answering(203).bytes()).await;
    let control = proxy.control();
    let tried = tenant.releases.candidate().expect("a candidate").version;
    let error = control.publisher.roll_back(&tenant, None).expect_err("an ambiguous rollback");
    assert_eq!(
        error.to_string(),
        format!("version {tried} is on trial, and the live one serves well: abort the trial, or name the version")
    );
    assert!(control.publisher.roll_back(&tenant, Some(tried)).is_err());
    assert_eq!(control.publisher.roll_back(&tenant, Some(1)).expect("a version").number, 1);
    assert_eq!((status(&proxy).await, tenant.releases.candidate()), (201, None));
}

#[tokio::test]
async fn version_is_rolled_back_even_with_a_history_of_zero() {
    let live = Live::new(&Wat::answering(201));
    let (proxy, tenant) = proxy(&live, "history = 0\nrollback_failures = 2").await;
    release(&proxy, &live, &Wat::select_peer("unreachable").bytes()).await;
    for _ in 0..3 {
        assert_eq!(status(&proxy).await, 201);
    }
    assert_eq!(tenant.releases.live().number, 1);
}

#[tokio::test]
async fn canary_that_declines_is_not_promoted() {
    let live = Live::new(&Wat::answering(201));
    let keys = "stage = \"canary\"\ncanary_percent = 100\npromote_after = 3\npromote_after_ms = 1";
    let (proxy, tenant) = proxy(&live, keys).await;
    release(&proxy, &live, &Wat::select_peer("(i32.const 96)").bytes()).await;
    for _ in 0..5 {
        assert_eq!(status(&proxy).await, 500, "its own refusal is an answer");
    }
    let report = tenant.releases.candidate().expect("a candidate");
    assert_eq!((report.declined, report.agreements, report.failures), (5, 0, 0));
    assert_eq!(proxy.metric(r#"pointsman_candidate_decisions_total{outcome="declined",tenant="shop"}"#).await, 5.0);
}

/// A shadow that spends its whole budget has its own CPU account, and is skipped when that is empty.
#[tokio::test]
async fn slow_shadow_costs_no_live_request() {
    let live = Live::new(&Wat::answering(201));
    let (proxy, tenant) = proxy(&live, "stage = \"shadow\"\nabort_failures = 0").await;
    release(&proxy, &live, &Wat::select_peer("(loop $l (br $l)) unreachable").bytes()).await;
    let mut client = proxy.client().await;
    for _ in 0..300 {
        assert_eq!(client.get("http://shop.test/").await.status, 201);
    }
    let report = eventually("300 judged", || {
        let report = tenant.releases.candidate().expect("a candidate");
        (report.failures + report.skipped == 300).then_some(report)
    })
    .await;
    assert!(report.failures > 0 && report.skipped > 0, "{report:?}");
    assert_eq!(proxy.metric(r#"pointsman_over_budget_total{key="cpu_percent",tenant="shop"}"#).await, 0.0);
}
