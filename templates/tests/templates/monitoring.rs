//! The files in `templates/monitoring`: promtool's tests of the alerts pass, and all files agree
//! with each other and with the documented metrics. A test of the runtime
//! (`prometheus_reads_the_metrics`) gives the alerts and the dashboard's queries to a real
//! Prometheus.

use std::{collections::BTreeSet, fs, process::Command};

use exectrail_templates::directory;
use serde_json::json;

use crate::documents::{Json, text, yaml};

fn promtool(arguments: &[&str]) -> Option<String> {
    let output = Command::new("promtool")
        .current_dir(directory().join("monitoring"))
        .args(arguments)
        .output()
        .ok()?;
    let printed = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "promtool {arguments:?}: {printed}");
    Some(printed)
}

#[test]
fn promtools_tests_of_the_alerts_pass() {
    let Some(checked) = promtool(&["check", "rules", "alerts.yaml"]) else {
        let (test, reason) = ("promtools_tests_of_the_alerts_pass", "no promtool");
        exectrail_testbed::skip::skip(test, reason).unwrap();
        return;
    };
    assert!(checked.contains("9 rules found"), "{checked}");
    let tested = promtool(&["test", "rules", "alerts-test.yaml"]).unwrap();
    assert!(tested.contains("SUCCESS"), "{tested}");
}

/// Names of the alerts in the first of `groups`; a rule file of ours has one group.
fn alerts(groups: &Json) -> BTreeSet<String> {
    groups[0]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["alert"].as_str().unwrap().to_owned())
        .collect()
}

/// For each alert, there is a test in which it fires and one in which it does not.
#[test]
fn every_alert_has_a_test_both_ways() {
    let rules = yaml("monitoring/alerts.yaml").remove(0);
    let tests = yaml("monitoring/alerts-test.yaml").remove(0);
    let tested = |fires: bool| -> BTreeSet<String> {
        tests["tests"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|test| test["alert_rule_test"].as_array().unwrap())
            .filter(|test| test["exp_alerts"].as_array().unwrap().is_empty() != fires)
            .map(|test| test["alertname"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(tested(true), alerts(&rules["groups"]));
    assert_eq!(tested(false), alerts(&rules["groups"]));
}

/// The operator's resources have the same content as the files for Prometheus alone.
#[test]
fn the_operators_resources_have_the_same_content() {
    let resources = yaml("monitoring/prometheus-operator.yaml");
    let [monitor, rule] = resources.as_slice() else {
        panic!("not two: {resources:?}");
    };
    let kinds = [&monitor["kind"], &rule["kind"]];
    assert_eq!(kinds, ["PodMonitor", "PrometheusRule"]);
    let plain = yaml("monitoring/alerts.yaml").remove(0);
    assert_eq!(rule["spec"]["groups"], plain["groups"]);

    let job = &yaml("monitoring/prometheus.yaml").remove(0)["scrape_configs"][0];
    let plain = serde_json::to_string(&job["relabel_configs"]).unwrap();
    let plain = plain
        .replace("source_labels", "sourceLabels")
        .replace("target_label", "targetLabel");
    let plain: Vec<Json> = serde_json::from_str(&plain).unwrap();
    let relabelings = &monitor["spec"]["podMetricsEndpoints"][0]["relabelings"];
    let relabelings = relabelings.as_array().unwrap();
    let (shared, names) = plain.split_at(relabelings.len());
    assert_eq!(relabelings, shared);
    // The operator itself adds the labels of the remaining rules (`generatePodMonitorConfig`,
    // prometheus-operator).
    let added: Vec<&Json> = names.iter().map(|rule| &rule["targetLabel"]).collect();
    assert_eq!(added, ["namespace", "pod", "container"]);
    assert_eq!(rule["apiVersion"], json!("monitoring.coreos.com/v1"));
}

/// Words of a text that begin as names of exectrail's metrics do.
fn metrics(text: &str) -> BTreeSet<String> {
    let pattern = regex::Regex::new(r"\bexectrail_[a-z_]+").unwrap();
    let found = pattern.find_iter(text);
    found.map(|name| name.as_str().to_owned()).collect()
}

/// The dashboard shows every documented metric; neither the dashboard nor the alerts use a metric
/// that is not documented.
#[test]
fn the_metrics_are_the_documented_ones() {
    let guide = fs::read_to_string(directory().join("../docs/metrics.md")).unwrap();
    let table: String = guide
        .lines()
        .filter(|line| line.starts_with("| `exectrail_"))
        .map(|line| line.split('|').nth(1).unwrap())
        .collect();
    let documented = metrics(&table);
    assert!(documented.len() >= 12, "{documented:?}");
    assert_eq!(metrics(&text("monitoring/dashboard.json")), documented);
    let alerts = metrics(&text("monitoring/alerts.yaml"));
    let unknown: Vec<&String> = alerts.difference(&documented).collect();
    assert_eq!(unknown, Vec::<&String>::new());
    // The guide names every alert.
    for alert in self::alerts(&yaml("monitoring/alerts.yaml")[0]["groups"]) {
        assert!(guide.contains(&format!("`{alert}`")), "{alert}");
    }
}

/// Grafana finds panels by their ids, and places them by a grid of 24 columns.
#[test]
fn the_dashboards_panels_are_placed() {
    let dashboard: Json = serde_json::from_str(&text("monitoring/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|p| p["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let mut cells = BTreeSet::new();
    for panel in panels {
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{panel}");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(cells.insert((x, y)), "{} overlaps", panel["title"]);
            }
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}");
    }
}
