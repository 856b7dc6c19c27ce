//! What tests of several modules need.

/// Where an emulator listens. Outside CI it may be missing, which one line says.
pub(crate) fn emulator(variable: &str) -> Option<String> {
    let read = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    match read(variable).filter(|endpoint| !endpoint.is_empty()) {
        // Said by the script that starts them: this machine cannot run it.
        Some(absent) if absent == "absent" => println!("skipped: {variable} says that it is absent"),
        Some(endpoint) => return Some(endpoint),
        None if read("CI").is_some_and(|ci| ci == "true") => {
            panic!("CI must set {variable}: scripts/emulators.sh start")
        }
        None => println!("skipped: set {variable} (scripts/emulators.sh start) to test on it"),
    }
    None
}
