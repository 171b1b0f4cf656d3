//! The pod of a CronJob: what its container runs, and all that only a cluster has.

use serde_json::{Map, Value, json};

use super::draft::Command;

/// The one container, as far as it is carried over.
#[derive(Debug)]
pub(super) struct Container {
    image: Option<String>,
    command: Vec<String>,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

/// What is carried over of a container, or is about the image and told with it.
const CONTAINER: [&str; 6] = ["name", "image", "command", "args", "env", "imagePullPolicy"];

/// The first container of a pod.
pub(super) fn container(pod: &Value) -> Option<Container> {
    let container = pod["containers"].get(0)?;
    let texts = |member: &str| -> Vec<String> {
        container[member].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let variable = |one: &Value| Some((one["name"].as_str()?.to_owned(), one["value"].as_str()?.to_owned()));
    Some(Container {
        image: container["image"].as_str().map(str::to_owned),
        command: texts("command"),
        args: texts("args"),
        env: container["env"].as_array().into_iter().flatten().filter_map(variable).collect(),
    })
}

impl Container {
    /// The command for a worker; none if only the image knows it.
    pub(super) fn command(&self) -> Option<Command> {
        let words = [self.command.as_slice(), self.args.as_slice()].concat();
        (!self.command.is_empty()).then(|| Command { words, env: self.env.clone() })
    }

    pub(super) fn to_json(&self) -> Value {
        let env: Map<String, Value> =
            self.env.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let mut map =
            Map::from_iter([("command".to_owned(), json!(self.command)), ("args".to_owned(), json!(self.args))]);
        map.insert("env".to_owned(), env.into());
        if let Some(image) = &self.image {
            map.insert("image".to_owned(), image.as_str().into());
        }
        map.into()
    }
}

/// What is not carried over of a pod.
pub(super) fn losses(pod: &Value) -> Vec<String> {
    let mut losses = Vec::new();
    for (member, value) in pod.as_object().into_iter().flatten() {
        match (member.as_str(), value) {
            ("containers", Value::Array(containers)) => {
                containers.iter().skip(1).for_each(|other| losses.push(format!("the container {}", other["name"])));
                losses.extend(containers.first().into_iter().flat_map(of_container));
            }
            // A job that fails is tried again either way.
            ("restartPolicy", _) => {}
            (member, _) => losses.push(format!("{member} of the pod")),
        }
    }
    losses
}

fn of_container(container: &Value) -> Vec<String> {
    let mut losses = Vec::new();
    if let Some(image) = container["image"].as_str() {
        losses.push(format!("the image {image} is only named: the command runs where the worker runs"));
    }
    if container["command"].is_null() {
        losses.push("the command is the image's own: the handler must be written by hand".to_owned());
    }
    for one in container["env"].as_array().into_iter().flatten().filter(|one| !one["value"].is_string()) {
        losses.push(format!("the variable {}, whose value stands elsewhere", one["name"]));
    }
    let members = container.as_object().into_iter().flatten().map(|(member, _)| member.as_str());
    losses.extend(
        members.filter(|member| !CONTAINER.contains(member)).map(|member| format!("{member} of the container")),
    );
    losses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_arguments_and_plain_variables_are_carried_over() {
        let pod = json!({"containers": [{"image": "i:1", "command": ["run"], "args": ["-x"], "env": [
            {"name": "A", "value": "1"}, {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]});
        let container = container(&pod).expect("a container");
        let env = vec![("A".to_owned(), "1".to_owned())];
        assert_eq!(container.command(), Some(Command { words: vec!["run".to_owned(), "-x".to_owned()], env }));
        assert_eq!(container.to_json(), json!({"command": ["run"], "args": ["-x"], "env": {"A": "1"}, "image": "i:1"}));
        assert!(losses(&pod).contains(&"the variable \"SECRET\", whose value stands elsewhere".to_owned()));
    }

    #[test]
    fn what_only_a_cluster_has_is_named() {
        let pod = json!({"serviceAccountName": "s", "volumes": [], "restartPolicy": "Never",
            "containers": [{"name": "a", "image": "i", "resources": {}}, {"name": "b"}]});
        let losses = losses(&pod);
        for part in
            ["serviceAccountName of the pod", "volumes of the pod", "resources of the container", "container \"b\""]
        {
            assert!(losses.iter().any(|loss| loss.contains(part)), "{part} in {losses:?}");
        }
        assert!(losses.iter().any(|loss| loss.starts_with("the command is the image's own")), "{losses:?}");
        assert!(!losses.iter().any(|loss| loss.contains("restartPolicy")));
        assert!(container(&pod).is_some_and(|container| container.command().is_none()));
    }
}
