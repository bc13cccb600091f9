//! The HTTP endpoint for machines: metrics, health, and HAProxy's statistics as `;csv` and `;json`.

use std::sync::Arc;

use tokio::net::TcpListener;

use portcullis_plan::plan::AdminHttp;

use super::Admin;
use super::command::{Form, StatQuery};
use super::execute::statistics;
use crate::metrics;
use crate::small_server::{self, Bounds, Handler, Incoming, Request, Response};

/// Connections at a time: scrapers and probes are few.
const CONNECTIONS: usize = 64;
/// The largest body that is read, to be ignored: no request here needs one.
const BODY: usize = 64 * 1024;

/// Serves the endpoint on `listener` under these paths, which a reload cannot change. Ends only by being dropped.
pub(crate) async fn serve(listener: TcpListener, paths: AdminHttp, admin: Arc<Admin>) {
    let bounds = Bounds {
        connections: CONNECTIONS,
        body: BODY,
        ..Bounds::default()
    };
    small_server::serve(Incoming::Tcp(listener), bounds, Endpoint { admin, paths }).await;
}

struct Endpoint {
    admin: Arc<Admin>,
    paths: AdminHttp,
}

impl Handler for Endpoint {
    async fn answer(&self, request: Request) -> Response {
        let response = match request.method.as_str() {
            "GET" | "HEAD" => answer(&self.admin, &self.paths, &request),
            _ => Response::text(405, "only GET and HEAD\n").with("Allow", "GET, HEAD"),
        };
        response.with("Cache-Control", "no-store")
    }

    fn refused(&self) {
        self.admin.refused.count();
    }
}

fn answer(admin: &Admin, paths: &AdminHttp, request: &Request) -> Response {
    let path = request.path();
    if path == &*paths.metrics {
        return match metrics::text(admin) {
            Ok(text) => Response::new(200, metrics::CONTENT_TYPE, text),
            Err(error) => Response::text(500, format!("{error}\n")),
        };
    }
    if path == &*paths.health {
        let is_draining = admin.daemon.snapshot().live.process.is_draining();
        return if is_draining {
            Response::text(503, "draining")
        } else {
            Response::text(200, "ok")
        };
    }
    match path
        .strip_prefix(&*paths.stats)
        .map(|rest| rest.trim_start_matches('/'))
    {
        Some(";csv") => Response::text(200, statistics(admin, &StatQuery::default())),
        Some(";json") => {
            let form = Form {
                json: true,
                ..Form::default()
            };
            Response::new(
                200,
                "application/json",
                statistics(
                    admin,
                    &StatQuery {
                        form,
                        ..StatQuery::default()
                    },
                ),
            )
        }
        _ => not_found(),
    }
}

fn not_found() -> Response {
    Response::text(404, "nothing here\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CONFIG, admin};

    async fn get(admin: &Arc<Admin>, method: &str, target: &str) -> (u16, String) {
        let paths = AdminHttp {
            bind: ([127, 0, 0, 1], 0).into(),
            metrics: "/metrics".into(),
            health: "/healthz".into(),
            stats: "/stats".into(),
        };
        let endpoint = Endpoint {
            admin: Arc::clone(admin),
            paths,
        };
        let request = Request {
            method: method.to_owned(),
            target: target.to_owned(),
            ..Request::default()
        };
        let response = endpoint.answer(request).await;
        (
            response.status,
            String::from_utf8_lossy(&response.body).into_owned(),
        )
    }

    #[tokio::test]
    async fn health_turns_when_draining() {
        let admin = admin(CONFIG);
        assert_eq!(get(&admin, "GET", "/healthz").await, (200, "ok".to_owned()));
        admin.daemon.snapshot().live.process.drain();
        assert_eq!(
            get(&admin, "GET", "/healthz?probe=1").await,
            (503, "draining".to_owned())
        );
    }

    #[tokio::test]
    async fn serves_metrics_and_both_forms_of_statistics() {
        let admin = admin(CONFIG);
        let (status, page) = get(&admin, "GET", "/metrics").await;
        assert!(
            status == 200 && page.contains("\n# TYPE portcullis_build_info gauge\n"),
            "{page}"
        );
        let (status, csv) = get(&admin, "GET", "/stats;csv").await;
        assert!(
            status == 200 && csv.starts_with("# pxname,svname,") && csv.lines().count() == 7,
            "{csv}"
        );
        assert_eq!(
            get(&admin, "GET", "/stats/;csv").await.1,
            csv,
            "some tools append a slash"
        );
        let (status, json) = get(&admin, "GET", "/stats;json").await;
        assert!(status == 200 && serde_json::from_str::<serde_json::Value>(&json).is_ok());
    }

    #[tokio::test]
    async fn refuses_other_paths_and_methods() {
        let admin = admin(CONFIG);
        assert_eq!(get(&admin, "GET", "/metricsx").await.0, 404);
        assert_eq!(get(&admin, "GET", "/stats").await.0, 404);
        assert_eq!(get(&admin, "POST", "/metrics").await.0, 405);
    }
}
