//! The Prometheus page. Every number is read from `Live` when it is asked for, so that the page and `show stat`
//! cannot disagree, and nothing is counted twice.

mod family;
mod process;
mod requests;
mod upstream;

use prometheus::core::Collector as _;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{Encoder as _, TEXT_FORMAT, TextEncoder};

use crate::admin::Admin;
use family::Family;

/// Media type of the page.
pub(crate) const CONTENT_TYPE: &str = TEXT_FORMAT;

/// The page.
pub(crate) fn text(admin: &Admin) -> prometheus::Result<Vec<u8>> {
    let mut out = Vec::new();
    TextEncoder::new().encode(&gather(admin), &mut out)?;
    Ok(out)
}

/// Every family with at least one series, by name.
fn gather(admin: &Admin) -> Vec<MetricFamily> {
    let snapshot = admin.daemon.snapshot();
    let (plan, live) = (&snapshot.plan, &snapshot.live);
    let own = requests::families(live)
        .into_iter()
        .chain(requests::connections(plan, live))
        .chain(upstream::families(plan, live))
        .chain(process::families(admin, plan, live));
    let mut families: Vec<_> = own.filter_map(Family::finish).collect();
    families.extend(ProcessCollector::for_self().collect());
    families.sort_by(|a, b| a.name().cmp(b.name()));
    families
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::{CONFIG, admin, record};

    fn page(admin: &Admin) -> String {
        String::from_utf8_lossy(&text(admin).unwrap_or_default()).into_owned()
    }

    #[tokio::test]
    async fn names_follow_the_conventions() {
        let admin = admin(CONFIG);
        record(&admin, "GET", 200);
        let families = gather(&admin);
        assert!(
            families.len() > 30,
            "the page is not empty: {}",
            families.len()
        );
        for family in &families {
            let (name, kind) = (family.name(), format!("{:?}", family.get_field_type()));
            assert!(
                name.starts_with("portcullis_") || name.starts_with("process_"),
                "{name}"
            );
            assert_eq!(
                name.ends_with("_total"),
                kind == "COUNTER",
                "counters and only they end in _total: {name}"
            );
            assert!(!family.help().is_empty(), "{name} has no help");
            assert!(
                kind != "HISTOGRAM" || name.ends_with("_seconds"),
                "histograms are of seconds: {name}"
            );
            assert!(!name.contains("_ms") && !name.contains("milli"), "{name}");
        }
        let names: BTreeSet<_> = families.iter().map(MetricFamily::name).collect();
        assert_eq!(names.len(), families.len(), "every family is there once");
    }

    #[tokio::test]
    async fn no_series_is_there_twice() {
        let admin = admin(CONFIG);
        for (method, status) in [("GET", 200), ("GET", 200), ("POST", 500), ("GET", 404)] {
            record(&admin, method, status);
        }
        let page = page(&admin);
        let mut seen = BTreeSet::new();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let (series, _) = line.rsplit_once(' ').unwrap_or_default();
            assert!(seen.insert(series.to_owned()), "{series} is there twice");
        }
    }

    #[tokio::test]
    async fn a_request_shows_in_its_families() {
        let admin = admin(CONFIG);
        record(&admin, "GET", 200);
        record(&admin, "GET", 200);
        let page = page(&admin);
        for line in [
            "portcullis_http_requests_total{listener=\"web\",route=\"all\",service=\"app\",method=\"GET\",code=\"200\"} 2",
            "portcullis_http_request_duration_seconds_count{listener=\"web\",route=\"all\",code_class=\"2xx\"} 2",
            "portcullis_http_request_duration_seconds_bucket{listener=\"web\",route=\"all\",code_class=\"2xx\",le=\"0.001\"} 0",
            "portcullis_http_request_duration_seconds_bucket{listener=\"web\",route=\"all\",code_class=\"2xx\",le=\"0.005\"} 2",
            "portcullis_http_request_duration_seconds_sum{listener=\"web\",route=\"all\",code_class=\"2xx\"} 0.008",
            "portcullis_upstream_requests_total{service=\"app\",server=\"s1\",code=\"200\"} 2",
            "portcullis_http_request_bytes_total{listener=\"web\",route=\"all\"} 200",
            "portcullis_upstream_up{service=\"app\",server=\"s1\"} 1",
            "portcullis_upstream_weight{service=\"app\",server=\"s2\"} 4",
            "portcullis_config_last_reload_successful 1",
        ] {
            assert!(
                page.lines().any(|own| own == line),
                "{line} is not in\n{page}"
            );
        }
    }

    #[tokio::test]
    async fn label_values_are_escaped() {
        let mut family = Family::gauge("portcullis_x", "x");
        family.add([("name", "a\"b\\c\n")], 1.0);
        let mut out = Vec::new();
        let encoded = TextEncoder::new().encode(&[family.finish().unwrap_or_default()], &mut out);
        assert!(encoded.is_ok());
        assert!(
            String::from_utf8_lossy(&out).ends_with("portcullis_x{name=\"a\\\"b\\\\c\\n\"} 1\n")
        );
    }
}
