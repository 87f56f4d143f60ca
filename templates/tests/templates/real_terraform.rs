//! Tests with Terraform itself, if it is installed: the files have its format, and its values are
//! equal to those that this crate evaluates. The module needs no provider, so nothing is fetched.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use exectrail_templates::{Configuration, Given, Value, directory, module_directory};
use serde_json::{Map, json};
use tempfile::TempDir;

use crate::documents::{Json, forms, text};

/// Terraform or OpenTofu, if one is installed.
///
/// No Debian package has them, so `cargo xtask setup` does not install them. Without them there is
/// nothing to compare with; the other tests check the same files.
fn terraform() -> Option<&'static str> {
    let there = |program: &&str| Command::new(program).arg("version").output().is_ok();
    let found = ["terraform", "tofu"].into_iter().find(there);
    if found.is_none() {
        println!("nothing to compare with: neither terraform nor tofu is installed");
    }
    found
}

fn run(program: &str, directory: &Path, arguments: &[&str]) -> Output {
    Command::new(program)
        .current_dir(directory)
        .args(arguments)
        .env("CHECKPOINT_DISABLE", "1")
        .env_remove("TF_CLI_CONFIG_FILE")
        .output()
        .unwrap()
}

fn succeed(program: &str, directory: &Path, arguments: &[&str]) -> String {
    let output = run(program, directory, arguments);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A directory with a copy of the module.
fn with_module() -> TempDir {
    let root = TempDir::new().unwrap();
    let copy = root.path().join("module");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(module_directory()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    root
}

/// The value in HCL: as in JSON, except that HCL interprets `${` and `%{` in text.
fn literal(value: &Value) -> String {
    let json = serde_json::to_string(value).unwrap();
    json.replace("${", "$${").replace("%{", "%%{")
}

/// A call of the module with these values; one output has all of its outputs.
fn call(name: &str, arguments: &[(&str, Value)]) -> String {
    let mut hcl = format!("module \"{name}\" {{\n  source = \"./module\"\n");
    for (name, value) in arguments {
        hcl += &format!("  {name} = {}\n", literal(value));
    }
    hcl + &format!("}}\noutput \"{name}\" {{\n  value = module.{name}\n}}\n")
}

#[test]
fn finds_the_files_formatted() {
    let Some(terraform) = terraform() else { return };
    succeed(
        terraform,
        directory(),
        &["fmt", "-check", "-diff", "-recursive"],
    );
}

/// The module's own tests (`main.tftest.hcl`), as Coder's registry runs them.
#[test]
fn the_modules_own_tests_pass() {
    let Some(terraform) = terraform() else { return };
    let root = with_module();
    let module = root.path().join("module");
    succeed(terraform, &module, &["init", "-backend=false", "-no-color"]);
    let printed = succeed(terraform, &module, &["test", "-no-color"]);
    let runs = text("module/main.tftest.hcl").matches("\nrun \"").count();
    assert!(
        printed.contains(&format!("Success! {runs} passed, 0 failed.")),
        "{printed}"
    );
}

/// Expressions of the kinds that the templates use, including edge cases.
const EXPRESSIONS: [&str; 37] = [
    r#"replace("a-b-a", "a", "$")"#,
    r#"replace("$x$$", "$", "$$")"#,
    r#"replace("Zoë 工作区", "/[^A-Za-z0-9_.-]+/", "-")"#,
    r#"replace("a1b22", "/([0-9]+)/", "<$1>")"#,
    r#"replace("a/b/c", "/", "-")"#,
    r#"trim(substr(replace("--a b--", "/[^a-z]+/", "-"), 0, 63), "-_.")"#,
    r#"substr("héllo", 1, 3)"#,
    r#"substr("abc", 0, 63)"#,
    r#"substr("abc", 1, -1)"#,
    r#"lower("ÀB")"#,
    r#"trimspace(" \n x \t")"#,
    r#"length("工作区")"#,
    r#"length([1, 2])"#,
    r#"length({ a = 1 })"#,
    r#"regexall("[a-z]+", "1234abcd5678efgh9")"#,
    r#"regexall("([a-z])([0-9])", "a1 b2")"#,
    r#"regexall("^[^=[:space:]]+$", "a b")"#,
    r#"regexall("x", "abc")"#,
    r#"merge({ b = "1", a = "2" }, { b = "3" })"#,
    r#"concat(["b"], [], ["a"])"#,
    r#"[for key, value in merge({ b = "1", a = "2" }) : "${key}=${value}"]"#,
    r#"{ for key, value in { b = 1, a = 2 } : key => value if value > 1 }"#,
    r#"{ for k, v in { a = "$(x)", b = join(",", ["$"]) } : k => replace(v, "$", "$$") }"#,
    r#"alltrue([for x in ["a", "--label"] : !startswith(x, "--label")])"#,
    r#"alltrue([])"#,
    r#"base64encode("Zoë\n")"#,
    r#"join(",", ["a", "b", "c"])"#,
    r#"contains(["a", "b"], "b")"#,
    r#"floor(1.5) == 1"#,
    r#"floor(2)"#,
    r#"tostring(true)"#,
    r#"tostring(12)"#,
    r#""${1 + 2}Gi $(x) $${y} %%{ if } \"q\" \\ \u00e9""#,
    r#"keys({ b = 1, a = 2 })"#,
    r#"true ? "a" : null"#,
    r#"1 >= 1 && floor(1) == 1"#,
    "<<-EOT\n    a\n      b $${x} $(y)\n  EOT\n",
];

#[test]
fn agrees_on_every_value() {
    let Some(terraform) = terraform() else { return };
    let root = with_module();
    let mut hcl = String::new();
    for (index, expression) in EXPRESSIONS.iter().enumerate() {
        hcl += &format!("output \"expression_{index}\" {{\n  value = {expression}\n}}\n");
    }
    let labels = Value::from_iter([
        ("username", "Zoë's \"best\" ${x} %{y} $(z) $$"),
        ("b", ""),
        ("a", "two\nlines\\"),
    ]);
    for (index, form) in forms().iter().enumerate() {
        let mut arguments = vec![
            (
                "image",
                Value::from("registry.example.com/exectrail@sha256:0"),
            ),
            (
                "script",
                "#!/bin/sh\necho \"$(id)\" $$ ${HOME#\"/\"} '%{http_code}'\n".into(),
            ),
            ("labels", labels.clone()),
        ];
        arguments.extend(form.iter().cloned());
        if index % 2 == 1 {
            arguments.extend([
                ("kernel_before_5_11", true.into()),
                ("init_address", "[::1]:1".into()),
                ("announce_timeout_seconds", "60".into()),
                ("args", ["--exit-events"].into_iter().collect()),
                ("scripts", Value::from_iter([("a", "echo 'it''s' $x")])),
                ("image_pull_policy", "Never".into()),
            ]);
            // `hold_seconds` needs an announcement with exectrail, as in every second combination.
            arguments.push(("hold_seconds", 300.into()));
        }
        hcl += &call(&format!("form_{index}"), &arguments);
    }
    fs::write(root.path().join("main.tf"), hcl).unwrap();

    let ours = Configuration::read(root.path())
        .unwrap()
        .evaluate(&Given::default())
        .unwrap();
    succeed(
        terraform,
        root.path(),
        &["init", "-backend=false", "-no-color"],
    );
    succeed(terraform, root.path(), &["validate", "-no-color"]);
    succeed(
        terraform,
        root.path(),
        &["plan", "-no-color", "-input=false", "-out=plan"],
    );
    let plan: Json =
        serde_json::from_str(&succeed(terraform, root.path(), &["show", "-json", "plan"])).unwrap();
    let theirs: Map<String, Json> = plan["planned_values"]["outputs"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, output)| {
            (
                name.clone(),
                output.get("value").cloned().unwrap_or(json!(null)),
            )
        })
        .collect();
    assert_eq!(theirs.len(), EXPRESSIONS.len() + forms().len());
    for (name, theirs) in theirs {
        let ours = serde_json::to_value(&ours.outputs[&name]).unwrap();
        let expression = name
            .strip_prefix("expression_")
            .map(|index| EXPRESSIONS[index.parse::<usize>().unwrap()]);
        assert_eq!(ours, theirs, "{name}: {expression:?}");
    }
}

#[test]
fn refuses_the_same_input() {
    let Some(terraform) = terraform() else { return };
    let root = with_module();
    let mut hcl = String::new();
    let mut wrong = 0;
    for (variable, _, values, _) in crate::module_refuses_bad_input::cases() {
        for value in values {
            let mut arguments = vec![("image", Value::from("x")), ("script", "x".into())];
            arguments.retain(|(name, _)| *name != variable);
            arguments.push((variable, value));
            hcl += &call(&format!("wrong_{wrong}"), &arguments);
            wrong += 1;
        }
    }
    fs::write(root.path().join("main.tf"), hcl).unwrap();
    succeed(
        terraform,
        root.path(),
        &["init", "-backend=false", "-no-color"],
    );
    let plan = run(terraform, root.path(), &["plan", "-json", "-input=false"]);
    assert!(!plan.status.success());
    let mut refused: Vec<String> = String::from_utf8_lossy(&plan.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Json>(line).ok())
        .filter(|line| line["diagnostic"]["summary"] == "Invalid value for variable")
        .filter_map(|line| {
            let address = line["diagnostic"]["snippet"]["context"].as_str()?;
            Some(address.to_owned())
        })
        .collect();
    refused.sort();
    refused.dedup();
    assert_eq!(refused.len(), wrong, "{refused:#?}");
}
