//! Files for Visual Studio Code in a new project: JSON Schemas, tasks, and a debugger for the native tests.

use serde_json::{Value, json};

use crate::sdk::Language;

/// The files of a project in this language, by their path in it.
pub fn editor_files(language: Language) -> [(&'static str, Value); 3] {
    [
        (".vscode/settings.json", settings()),
        (".vscode/tasks.json", tasks(language)),
        (".vscode/launch.json", json!({"version": "0.2.0", "configurations": [debugger(language)]})),
    ]
}

/// `pointsman.toml` names its schema itself. A list cannot.
fn settings() -> Value {
    json!({
        "json.schemas": [
            {"fileMatch": ["/router.tests.json"], "url": "./pointsman/schemas/router.tests.schema.json"}
        ]
    })
}

fn tasks(language: Language) -> Value {
    let task = |label: &str, command: &str, more: Value| {
        with(json!({"label": label, "type": "shell", "command": command, "problemMatcher": []}), more)
    };
    let default_of = |kind: &str| json!({"group": {"kind": kind, "isDefault": true}});
    let mut tasks = vec![
        task("build", "pointsman build", default_of("build")),
        task("test", "pointsman test", default_of("test")),
        task("dev", "pointsman dev", json!({"isBackground": true})),
    ];
    tasks.extend(test_program(language).map(|command| task("build the native tests", command, json!({}))));
    json!({"version": "2.0.0", "tasks": tasks})
}

/// An object with the members of another one.
fn with(object: Value, more: Value) -> Value {
    match (object, more) {
        (Value::Object(mut object), Value::Object(more)) => {
            object.extend(more);
            Value::Object(object)
        }
        (object, _) => object,
    }
}

/// The command that builds the native tests as `build/router_test`, if a debugger needs a program.
fn test_program(language: Language) -> Option<&'static str> {
    match language {
        Language::C | Language::Cpp => Some("make test || test -x build/router_test"),
        Language::Zig => Some(
            "mkdir -p build && zig test --test-no-exec -femit-bin=build/router_test --dep pointsman -Mroot=router.zig \
             -Mpointsman=pointsman/src/pointsman.zig",
        ),
        Language::Rust | Language::Go | Language::Js | Language::Ts | Language::Python | Language::As => None,
    }
}

/// The launch configuration that runs the native tests in the language's debugger.
fn debugger(language: Language) -> Value {
    let of_language = match language {
        Language::Rust => json!({"type": "lldb", "cargo": {"args": ["test", "--no-run", "--lib"]}}),
        Language::C | Language::Cpp | Language::Zig => json!({
            "type": "cppdbg", "MIMode": "gdb", "program": "${workspaceFolder}/build/router_test",
            "preLaunchTask": "build the native tests",
            // The leak checker of the address sanitizer does not work in a debugger.
            "environment": [{"name": "ASAN_OPTIONS", "value": "detect_leaks=0"}],
        }),
        Language::Go => json!({"type": "go", "mode": "test", "program": "${workspaceFolder}"}),
        Language::Js => json!({"type": "node", "program": "${workspaceFolder}/router.test.js"}),
        Language::Ts => json!({
            "type": "node", "program": "${workspaceFolder}/router.test.ts",
            "runtimeArgs": ["--import", "./pointsman/testing/register.js"],
        }),
        Language::Python => json!({"type": "debugpy", "module": "unittest", "justMyCode": false}),
        Language::As => json!({"type": "node", "program": "${workspaceFolder}/tests/router.test.mjs"}),
    };
    with(json!({"name": "native tests", "request": "launch", "cwd": "${workspaceFolder}"}), of_language)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn task_that_a_debugger_waits_for_is_there() {
        for language in Language::value_variants() {
            let [_, (_, tasks), (_, launch)] = editor_files(*language);
            let wanted = &launch["configurations"][0]["preLaunchTask"];
            let labels: Vec<&Value> = tasks["tasks"].as_array().unwrap().iter().map(|task| &task["label"]).collect();
            assert!(wanted.is_null() || labels.contains(&wanted), "{language:?}");
        }
    }
}
