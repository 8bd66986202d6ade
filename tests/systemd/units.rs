//! The shipped units, as systemd's own tools judge them.

use std::process::Command;

use super::machine::shipped;
use crate::harness::{Need, skipped};

fn analyze(arguments: &[&str]) -> Option<String> {
    if skipped(&[Need::Tool("systemd-analyze")]) {
        return None;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = dir.path().join("program");
    std::fs::write(&program, "#!/bin/sh\n").expect("a file");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, executable).expect("its mode");
    for kind in ["service", "socket"] {
        let text = shipped(kind).replace("/opt/%p", &program.display().to_string());
        std::fs::write(dir.path().join(format!("chat.{kind}")), text).expect("a file");
    }
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .args(["--no-pager", "./chat.service"])
        .args((arguments[0] == "verify").then_some("./chat.socket"))
        .current_dir(dir.path())
        .output()
        .expect("it is installed");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    Some(said)
}

/// Nothing in them is unknown, or wrong.
#[test]
fn they_are_correct() {
    if let Some(said) = analyze(&["verify", "--man=no"]) {
        assert_eq!(said, "");
    }
}

/// Of ten, for a service that may do all, no more than 0.3 are left: what the library needs.
#[test]
fn hardly_anything_is_exposed() {
    if let Some(said) = analyze(&["security", "--offline=true", "--threshold=3"]) {
        assert!(said.contains("Overall exposure level for chat.service"), "{said}");
    }
}

/// A program for the one must not be given the other's name: the units are copied under it.
#[test]
fn nothing_names_the_example() {
    for kind in ["service", "socket"] {
        let text = shipped(kind);
        let settings = text.lines().filter(|line| !line.starts_with('#'));
        let named: Vec<_> =
            settings.filter(|line| line.contains("dorrit") && !line.contains("man:")).collect();
        assert!(named.is_empty(), "{named:?}");
    }
}
