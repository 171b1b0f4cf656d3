//! What is shipped beside the code fits the code.

use std::path::{Path, PathBuf};

use carillon_shared::config::SETTINGS;
use serde_yaml_ng::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn services() -> Vec<(String, Value)> {
    let mut compose: Value = serde_yaml_ng::from_str(&read("docker-compose.yml")).expect("the compose file is YAML");
    compose.apply_merge().expect("its merge keys can be applied");
    let services = compose["services"].as_mapping().expect("services are a mapping").clone();
    services.into_iter().map(|(name, service)| (name.as_str().expect("a name").to_owned(), service)).collect()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_sequence().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn the_compose_file_starts_redis_two_schedulers_and_two_workers() {
    let services = services();
    let count = |program: &str| -> u64 {
        let runs = services.iter().filter(|(_, service)| texts(&service["command"]).first() == Some(&program));
        runs.map(|(_, service)| service["deploy"]["replicas"].as_u64().unwrap_or(1)).sum()
    };
    let counts = ["redis-server", "carillon-scheduler", "carillon-worker"].map(count);
    assert_eq!(counts, [1, 2, 2]);
}

#[test]
fn the_redis_of_the_compose_file_keeps_what_it_acknowledged() {
    let services = services();
    let (_, redis) = services.iter().find(|(name, _)| name == "redis").expect("a service redis");
    let command = texts(&redis["command"]).join(" ");
    assert!(command.contains("--appendonly yes") && command.contains("--maxmemory-policy noeviction"), "{command}");
}

#[test]
fn the_compose_file_sets_only_settings_that_exist() {
    for (service, definition) in services() {
        for name in definition["environment"].as_mapping().into_iter().flatten().filter_map(|(name, _)| name.as_str()) {
            assert!(SETTINGS.iter().any(|setting| setting.env == name), "{service}: {name}");
        }
    }
}

#[test]
fn the_compose_file_mounts_only_files_that_exist() {
    for (service, definition) in services() {
        for volume in texts(&definition["volumes"]).into_iter().filter(|volume| volume.starts_with('.')) {
            let path = volume.split(':').next().expect("split yields one part at least");
            assert!(root().join(path).exists(), "{service}: {path}");
        }
    }
}

#[test]
fn the_programs_in_the_image_are_those_that_cargo_builds() {
    for package in ["scheduler", "worker"] {
        let name = format!("carillon-{package}");
        let manifest: toml::Table = read(&format!("{package}/Cargo.toml")).parse().expect("a manifest is TOML");
        assert_eq!(manifest["package"]["name"].as_str(), Some(name.as_str()));
        assert!(root().join(package).join("src/main.rs").exists(), "{package} has no program");
        assert!(read("Dockerfile").contains(&format!("target/release/{name}")), "{name}");
    }
}

#[test]
fn each_target_of_make_is_told_by_its_help() {
    let makefile = read("Makefile");
    for target in ["help", "run", "test", "lint", "bench-calendar", "clean-data"] {
        let rule = makefile.lines().find(|line| line.starts_with(&format!("{target}:")));
        assert!(rule.is_some_and(|rule| rule.contains("## ")), "{target}");
    }
}
