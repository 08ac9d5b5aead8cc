//! `template.yaml`, as far as tests look at it.

use std::collections::BTreeMap;

/// The template without its comments.
#[must_use]
pub fn template() -> String {
    let lines = include_str!("../../template.yaml").lines().map(|line| match line.find(" #") {
        Some(at) => &line[..at],
        None => line,
    });
    lines.filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

/// The template's resources by name.
#[must_use]
pub fn resources() -> BTreeMap<String, String> {
    section("Resources")
}

/// What a section of the template has, by name.
#[must_use]
pub fn section(title: &str) -> BTreeMap<String, String> {
    let template = template();
    let (_, below) = template.split_once(&format!("\n{title}:\n")).unwrap();
    let (mut found, mut name) = (BTreeMap::<String, String>::new(), String::new());
    for line in below.lines() {
        if !line.is_empty() && !line.starts_with(' ') {
            break;
        }
        let is_header = line.starts_with("  ") && !line.starts_with("   ");
        if is_header {
            line.trim().trim_end_matches(':').clone_into(&mut name);
        } else {
            let block = found.entry(name.clone()).or_default();
            block.push_str(line);
            block.push('\n');
        }
    }
    found
}

/// What stands behind a key, wherever it stands in a block.
#[must_use]
pub fn values<'a>(block: &'a str, key: &str) -> Vec<&'a str> {
    let prefix = format!("{key}:");
    let lines = block.lines().map(|line| line.trim().trim_start_matches("- "));
    lines.filter_map(|line| Some(line.strip_prefix(&prefix)?.trim())).collect()
}

/// The template's functions by the name of their resource.
#[must_use]
pub fn functions() -> BTreeMap<String, String> {
    let mut resources = resources();
    resources.retain(|_, block| values(block, "Type").contains(&"AWS::Serverless::Function"));
    resources
}

/// `create-order` is deployed as `CreateOrderFunction`.
#[must_use]
pub fn resource_name(function: &str) -> String {
    let capital = |part: &str| format!("{}{}", part[..1].to_uppercase(), &part[1..]);
    let parts: String = function.split('-').map(capital).collect();
    format!("{parts}Function")
}
