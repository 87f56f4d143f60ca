//! A real Prometheus scrapes a real sidecar with the configuration in `templates/monitoring`. The
//! configuration's rules choose the sidecar's container, every alert evaluates, and every query of
//! the dashboard has a result.

use std::{
    fs,
    process::{Child, Stdio},
};

use serde_json::Value;

use crate::{
    pod::{Pod, wait_for},
    tools::{needs_kernel, skip},
};

const MONITORING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../templates/monitoring");

/// What Kubernetes' API would list: the sidecar, the workspace's container, and the sidecar of a
/// pod with an IPv6 address, where nothing listens.
const TARGETS: &str = "static_configs:
      - targets: ['10.0.0.1']
        labels:
          __meta_kubernetes_pod_container_name: exectrail
          __meta_kubernetes_namespace: workspaces
          __meta_kubernetes_pod_name: traced
          __meta_kubernetes_pod_ip: 127.0.0.1
      - targets: ['10.0.0.1:80']
        labels:
          __meta_kubernetes_pod_container_name: workspace
          __meta_kubernetes_namespace: workspaces
          __meta_kubernetes_pod_name: traced
          __meta_kubernetes_pod_ip: 127.0.0.1
      - targets: ['10.0.0.2']
        labels:
          __meta_kubernetes_pod_container_name: exectrail
          __meta_kubernetes_namespace: workspaces
          __meta_kubernetes_pod_name: other
          __meta_kubernetes_pod_ip: '::1'";

/// Prometheus in a pod's network namespace, until it is dropped.
struct Prometheus<'a> {
    pod: &'a Pod,
    child: Child,
}

impl<'a> Prometheus<'a> {
    fn start(pod: &'a Pod) -> Self {
        let directory = pod.dir.path().join("prometheus");
        fs::create_dir(&directory).unwrap();
        let read = |name: &str| fs::read_to_string(format!("{MONITORING}/{name}")).unwrap();
        let discovery = "kubernetes_sd_configs: [{role: pod}]";
        let configuration = read("prometheus.yaml");
        assert!(configuration.contains(discovery), "{configuration}");
        let interval = "global: {scrape_interval: 1s, evaluation_interval: 1s}\n";
        let configuration = interval.to_owned() + &configuration.replace(discovery, TARGETS);
        fs::write(directory.join("prometheus.yaml"), configuration).unwrap();
        fs::write(directory.join("alerts.yaml"), read("alerts.yaml")).unwrap();
        let child = pod
            .command("prometheus")
            .arg(format!(
                "--config.file={}",
                directory.join("prometheus.yaml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.join("data").display()
            ))
            .arg("--web.listen-address=127.0.0.1:9090")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { pod, child }
    }

    /// Queries its API; `None` until it answers.
    fn get(&self, path: &str, query: &str) -> Option<Value> {
        let output = self
            .pod
            .command("curl")
            .args(["--silent", "--get", "--max-time", "20", "--noproxy", "*"])
            .args(["--data-urlencode", &format!("query={query}")])
            .arg(format!("http://127.0.0.1:9090/api/v1/{path}"))
            .output()
            .unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        Some(answer["data"].clone())
    }

    /// The samples that a query has now.
    fn query(&self, query: &str) -> Vec<Value> {
        let data = self.get("query", query).unwrap_or_default();
        data["result"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Prometheus<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The queries of the dashboard's panels, with values for Grafana's variables.
fn queries() -> Vec<String> {
    let text = fs::read_to_string(format!("{MONITORING}/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        targets
    });
    let queries: Vec<String> = targets
        .map(|target| {
            let query = target["expr"].as_str().unwrap();
            query
                .replace("$namespace", "workspaces|x")
                .replace("$pod", ".*")
                .replace("$__rate_interval", "1m")
                .replace("$__range", "5m")
        })
        .collect();
    for query in &queries {
        assert!(!query.contains('$'), "{query}");
    }
    queries
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn alerts_and_dashboard_work() {
    needs_kernel!();
    let found = std::process::Command::new("prometheus")
        .arg("--version")
        .output();
    if found.is_err() {
        skip("alerts_and_dashboard_work", "prometheus is not installed");
        return;
    }
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[
        "--metrics-address=127.0.0.1:9464",
        "--rate-limit=1/h",
        "--exclude=comm=nosuch",
    ]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    let prometheus = Prometheus::start(&pod);
    wait_for("a scrape", || {
        (!prometheus.query("exectrail_workspaces == 1").is_empty()).then_some(())
    });

    let active = prometheus.get("targets", "").unwrap();
    let mut scraped: Vec<&str> = active["activeTargets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["scrapeUrl"].as_str().unwrap())
        .collect();
    scraped.sort_unstable();
    assert_eq!(
        scraped,
        ["http://127.0.0.1:9464/metrics", "http://[::1]:9464/metrics"]
    );

    // Alerts that are pending are active, too.
    let is_active = |alert: &str| {
        let query = format!("ALERTS{{alertname=\"{alert}\", pod=\"traced\"}}");
        !prometheus.query(&query).is_empty()
    };
    // The counts grow after the first scrape: an increase is the difference to an earlier sample.
    for _ in 0..8 {
        workspace.run("true", &[]);
        assert_eq!(workspace.announce_as(0).0, 403);
    }
    for alert in ["ExectrailSuppressesByRate", "ExectrailRefusesAnnouncements"] {
        wait_for(alert, || is_active(alert).then_some(()));
    }
    let down = "ALERTS{alertname=\"ExectrailDown\", pod=\"other\"}";
    wait_for("a sidecar that does not answer", || {
        (!prometheus.query(down).is_empty()).then_some(())
    });
    for alert in ["ExectrailDown", "ExectrailLosesExecs"] {
        assert!(!is_active(alert), "{alert}");
    }

    let rules = prometheus.get("rules", "").unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 9);
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    let queries = queries();
    assert!(queries.len() >= 12, "{queries:?}");
    for query in queries {
        assert!(!prometheus.query(&query).is_empty(), "no result: {query}");
    }
    drop(prometheus);
    sidecar.stop();
}
