//! The house rules, checked from the files themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use api::problem::Problem;
use api::route::{Access, ROUTES, RouteSpec};
use domain::task::FUNCTION_TIMEOUT_S_MAX;
use products::DESCRIPTION;
use runtime::telemetry::{METRIC_LIST, NAMESPACE, STAGE};
use serde_json::Value;
use store::schema::{DUE_AT, DUE_INDEX, DUE_SHARD, PK, SK, VANISHES_AT};
use tests::template::{functions, resource_name, resources, section, template, values};

/// The widest line.
const COLUMNS_MAX: usize = 100;
/// Folders that hold what is made or kept, and not what is written.
const NOT_OURS: [&str; 6] = ["target", ".git", ".tools", ".latchpay", ".aws-sam", "node_modules"];
/// What is stored as text.
const TEXTS: [&str; 12] =
    ["rs", "md", "toml", "yaml", "yml", "json", "py", "sh", "txt", "html", "css", "js"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file of some endings below a folder, by its path from the root.
fn files(below: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = vec![];
    walk(&root().join(below), &mut |path| {
        if path.extension().is_some_and(|own| endings.iter().any(|ending| own == *ending)) {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            found.push((name, fs::read_to_string(path).unwrap()));
        }
    });
    found.sort();
    assert!(!found.is_empty(), "{below} has no {endings:?}");
    found
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if NOT_OURS.contains(&name) {
            continue;
        }
        if path.is_dir() { walk(&path, visit) } else { visit(&path) }
    }
}

/// Fails with all complaints at once.
#[track_caller]
fn check(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The lines of these files that a rule is broken in.
fn lines(files: &[(String, String)], breaks: impl Fn(&str) -> bool) -> Vec<String> {
    let numbered = files.iter().flat_map(|(name, text)| {
        text.lines().enumerate().map(move |(number, line)| (name, number + 1, line))
    });
    let broken = numbered.filter(|(_, _, line)| breaks(line));
    broken.map(|(name, number, line)| format!("{name}:{number}: {}", line.trim())).collect()
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.split(|letter| !is_part(letter)).any(|one| one == word)
}

// Manifests.

/// A package's manifest: its name and the names in its sections.
struct Package {
    folder: String,
    name: String,
    sections: BTreeMap<String, Vec<String>>,
}

impl Package {
    fn dependencies(&self) -> &[String] {
        self.section("dependencies")
    }

    fn section(&self, name: &str) -> &[String] {
        self.sections.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Every package of the workspace.
fn packages() -> Vec<Package> {
    let manifests = files(".", &["toml"]);
    let manifests = manifests.iter().filter(|(path, text)| {
        // The floor is a workspace of its own, so that none of its features become ours.
        path.ends_with("/Cargo.toml") && !text.contains("[workspace]\n\n[package]")
    });
    manifests.map(|(path, text)| package(path, text)).collect()
}

fn package(path: &str, text: &str) -> Package {
    let (mut sections, mut section) = (BTreeMap::<String, Vec<String>>::new(), String::new());
    let mut name = String::new();
    for line in text.lines() {
        if let Some(header) = line.strip_prefix('[') {
            header.trim_matches(['[', ']']).clone_into(&mut section);
        } else if let Some((key, value)) = line.split_once('=') {
            let key = key.trim().split('.').next().unwrap();
            if section == "package" && key == "name" {
                value.trim().trim_matches('"').clone_into(&mut name);
            }
            sections.entry(section.clone()).or_default().push(key.to_owned());
        }
    }
    let folder = path.strip_suffix("/Cargo.toml").unwrap().trim_start_matches("./").to_owned();
    assert!(!name.is_empty(), "{path} has no name");
    Package { folder, name, sections }
}

const DOMAIN: &[&str] = &["jiff", "ring", "serde", "thiserror"];
const STORE: &[&str] = &[
    "aws-sdk-dynamodb",
    "aws-smithy-runtime-api",
    "aws-smithy-types",
    "domain",
    "jiff",
    "serde",
    "serde_dynamo",
    "thiserror",
];
const GATEWAYS: &[&str] = &[
    "base64",
    "bytes",
    "domain",
    "encoding_rs",
    "form_urlencoded",
    "http",
    "jiff",
    "ring",
    "serde",
    "serde_json",
    "thiserror",
    "x509-parser",
    "zip",
];
const API: &[&str] = &[
    "accept-language",
    "base64",
    "bytes",
    "domain",
    "form_urlencoded",
    "gateways",
    "http",
    "jiff",
    "ring",
    "serde",
    "serde_json",
    "serde_path_to_error",
    "store",
    "thiserror",
];
const PAGE_BUILDER: &[&str] = &["base64", "brotli", "flate2", "ring", "thiserror"];
const FUNCTION: &[&str] = &[
    "api",
    "domain",
    "futures-util",
    "gateways",
    "http",
    "jiff",
    "lambda_http",
    "lambda_runtime",
    "qrcodegen",
    "runtime",
    "serde",
    "serde_json",
    "store",
    "thiserror",
    "tokio",
    "tracing",
];

/// What the build script of a package may use, where it has one: it turns YAML into JSON, or puts a
/// page together.
const BUILD: &[&str] = &["page-builder", "serde-saphyr", "serde_json"];

/// What a package may depend on, where that is bounded.
fn allowed(folder: &str) -> Option<&'static [&'static str]> {
    match folder {
        "shared/domain" => Some(DOMAIN),
        "shared/store" => Some(STORE),
        "shared/gateways" => Some(GATEWAYS),
        "shared/api" => Some(API),
        "shared/page-builder" => Some(PAGE_BUILDER),
        _ if folder.starts_with("functions/") => Some(FUNCTION),
        _ => None,
    }
}

#[test]
fn each_package_depends_on_what_it_may_and_nothing_else() {
    let mut complaints = vec![];
    for package in packages() {
        let Some(allowed) = allowed(&package.folder) else { continue };
        for name in package.dependencies() {
            if !allowed.contains(&name.as_str()) {
                complaints.push(format!("{} must not depend on {name}", package.folder));
            }
        }
        for name in package.section("build-dependencies") {
            if !BUILD.contains(&name.as_str()) {
                complaints.push(format!("{} must not be built with {name}", package.folder));
            }
        }
    }
    check(complaints);
}

#[test]
fn what_is_deployed_contains_nothing_of_the_laptop_or_of_another_function() {
    let packages = packages();
    let by_name: BTreeMap<&str, &Package> =
        packages.iter().map(|package| (package.name.as_str(), package)).collect();
    let mut complaints = vec![];
    for package in packages.iter().filter(|one| one.folder.starts_with("functions/")) {
        let (mut seen, mut next) = (BTreeSet::new(), vec![package]);
        while let Some(one) = next.pop() {
            next.extend(one.dependencies().iter().filter_map(|name| {
                let dependency = by_name.get(name.as_str())?;
                seen.insert(dependency.folder.as_str()).then_some(*dependency)
            }));
        }
        let strange = seen.into_iter().filter(|folder| !folder.starts_with("shared/"));
        complaints.extend(strange.map(|folder| format!("{} contains {folder}", package.folder)));
    }
    check(complaints);
}

#[test]
fn packages_are_named_by_their_folders_and_keep_the_lints() {
    let mut complaints = vec![];
    for package in packages() {
        let Package { folder, name, sections } = &package;
        if Path::new(folder).file_name().unwrap().to_str() != Some(name) {
            complaints.push(format!("{folder} holds the package {name}"));
        }
        let inherits = sections.get("lints").is_some_and(|keys| keys == &["workspace"]);
        // What only tests ends where it fails.
        let may_panic =
            ["tests", "tests/benchmarks", "tests/costs", "tests/fuzz", "tests/simulation"];
        let may_panic = may_panic.contains(&folder.as_str());
        if !inherits && !may_panic {
            complaints.push(format!("{folder} does not inherit the workspace's lints"));
        }
        // A feature may add a port to the embedded store, or libFuzzer's programs to the fuzz
        // targets; none changes how anything behaves.
        let may_have = ["local/embedded", "tests/fuzz"];
        if sections.contains_key("features") && !may_have.contains(&folder.as_str()) {
            complaints.push(format!("{folder} has feature flags"));
        }
    }
    check(complaints);
}

#[test]
fn every_dependency_is_used() {
    let mut complaints = vec![];
    for package in packages() {
        let below = match package.folder.as_str() {
            "tests" => "tests".to_owned(),
            folder => format!("{folder}/src"),
        };
        let sources = files(&below, &["rs"]);
        for name in package.dependencies() {
            let spelt = name.replace('-', "_");
            if !sources.iter().any(|(_, text)| has_word(text, &spelt)) {
                complaints.push(format!("{} does not use {name}", package.folder));
            }
        }
    }
    check(complaints);
}

#[test]
fn every_test_that_the_rules_name_exists() {
    let sources = files(".", &["rs"]);
    let page = read("docs/rules.md");
    let tests = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(2));
    let names: Vec<_> = tests.flat_map(|named| named.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 40, "{names:?}");
    let missing = names.iter().filter(|name| {
        let declared = format!("fn {name}(");
        !sources.iter().any(|(_, text)| text.contains(&declared))
    });
    check(
        missing
            .map(|name| format!("docs/rules.md names {name}, and no test has that name"))
            .collect(),
    );
}

// Sources.

#[test]
fn no_line_is_wider_than_a_page() {
    check(lines(&files(".", &["rs"]), |line| line.chars().count() > COLUMNS_MAX));
}

#[test]
fn nothing_is_left_for_later() {
    // Spelt apart, because this file is looked at too.
    let words =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    let calls =
        [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!("), "\u{feff}"];
    check(lines(&files(".", &TEXTS), |line| {
        words.iter().any(|word| has_word(line, word))
            || calls.iter().any(|call| line.contains(call))
    }));
}

#[test]
fn no_file_speaks_of_the_machine_it_was_written_on() {
    let paths = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/")];
    check(lines(&files(".", &TEXTS), |line| paths.iter().any(|path| line.contains(path))));
}

#[test]
fn exceptions_to_lints_are_expected_with_a_reason_and_no_test_is_set_aside() {
    let words = [concat!("#[al", "low("), concat!("#![al", "low("), concat!("#[ig", "nore")];
    let panics = concat!("should", "_panic");
    let sources = files(".", &["rs"]);
    check(lines(&sources, |line| {
        words.iter().any(|word| line.contains(word)) || has_word(line, panics)
    }));
}

#[test]
fn no_float_stands_outside_the_simulator_and_tests() {
    let sources = files(".", &["rs"]).into_iter().filter(|(name, _)| {
        !name.starts_with("local/simulator/")
            && !name.starts_with("tests/")
            && !name.contains("/tests/")
    });
    let sources: Vec<_> = sources.collect();
    check(lines(&sources, |line| has_word(line, "f32") || has_word(line, "f64")));
}

#[test]
fn the_store_scans_for_the_comparison_of_bills_and_for_figures_alone() {
    let mut sources = files("shared/store/src", &["rs"]);
    sources.retain(|(name, _)| name != "shared/store/src/captures.rs");
    check(lines(&sources, |line| line.contains(".scan(")));
    for (call, caller) in
        [("captures_page", "functions/reconcile/"), ("records_page", "functions/operations/")]
    {
        let everywhere = files(".", &["rs"]).into_iter().filter(|(name, _)| {
            let may = [caller, "shared/store/", "tests/"];
            !may.iter().any(|one| name.starts_with(one))
        });
        check(lines(&everywhere.collect::<Vec<_>>(), |line| line.contains(call)));
    }
}

/// A build script, or what build scripts share: it speaks to Cargo by its environment, before
/// anything runs.
fn is_build_script(name: &str) -> bool {
    name.ends_with("/build.rs") || name.starts_with("shared/page-builder/")
}

#[test]
fn functions_read_no_environment() {
    let sources =
        files("functions", &["rs"]).into_iter().filter(|(name, _)| !is_build_script(name));
    let sources: Vec<_> = sources.collect();
    check(lines(&sources, |line| {
        // Where Cargo puts what a build script made is known when the function is built.
        let line = line.replace("env!(\"OUT_DIR\")", "");
        let reads = ["std::env", "env::", "env!("].iter().any(|one| line.contains(one));
        has_word(&line, "env") && reads
    }));
}

#[test]
fn the_environment_and_the_clock_are_read_in_one_place() {
    let exempt = ["shared/runtime/src/config.rs", "local/", "tests/"];
    let sources = files(".", &["rs"]).into_iter().filter(|(name, _)| {
        !exempt.iter().any(|one| name.starts_with(one))
            && !name.contains("/tests/")
            && !is_build_script(name)
    });
    let sources: Vec<_> = sources.collect();
    let calls = ["env::var", "Timestamp::now", "SystemTime::now", "Instant::now"];
    check(lines(&sources, |line| calls.iter().any(|call| line.contains(call))));
}

#[test]
fn the_domain_and_the_gateways_do_nothing_but_compute() {
    let words = ["async", "await", "tokio", "SystemTime"];
    let paths = ["std::env", "std::fs", "std::net::Tcp", "std::thread", "::now()"];
    for folder in ["shared/domain/src", "shared/gateways/src"] {
        check(lines(&files(folder, &["rs"]), |line| {
            let code = line.split("//").next().unwrap();
            words.iter().any(|word| has_word(code, word))
                || paths.iter().any(|path| code.contains(path))
        }));
    }
}

// The template and the documents.

/// The functions that may read the whole table: once a day, and a page a request.
const READ_THE_TABLE: [&str; 2] = ["ReconcileFunction", "OperationsFunction"];
/// The one function that runs long.
const RUNS_LONG: &str = "ReconcileFunction";

#[test]
fn every_function_has_a_block_in_the_template_and_every_block_a_function() {
    let blocks = functions();
    let mut folders = BTreeSet::new();
    for entry in fs::read_dir(root().join("functions")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let resource = resource_name(&name);
        let block = blocks.get(&resource).unwrap_or_else(|| panic!("no {resource}"));
        assert_eq!(values(block, "CodeUri"), [format!("functions/{name}")], "{resource}");
        assert_eq!(values(block, "Binary"), [name], "{resource}");
        folders.insert(resource);
    }
    assert_eq!(blocks.into_keys().collect::<BTreeSet<_>>(), folders);
}

#[test]
fn every_route_goes_to_its_function_and_no_other_does() {
    let in_template: BTreeSet<_> =
        routes_in_template().into_iter().map(|(route, resource, _)| (route, resource)).collect();
    let routes = ROUTES.iter().map(|route| (name_of(route), resource_name(route.function)));
    assert_eq!(in_template, routes.collect());
}

#[test]
fn cargo_lambda_watch_has_the_routes_of_the_template() {
    let manifest = read("Cargo.toml");
    let (_, router) = manifest.split_once("[workspace.metadata.lambda.watch.router]\n").unwrap();
    let watched = router.lines().take_while(|line| !line.is_empty()).map(|line| {
        let (path, function) = line.split_once(" = ").unwrap();
        (path.trim_matches('"').to_owned(), function.trim_matches('"').to_owned())
    });
    let watched: Vec<_> = watched.collect();
    let routes: BTreeMap<_, _> =
        ROUTES.iter().map(|route| (route.path.to_owned(), route.function.to_owned())).collect();
    assert_eq!(watched.len(), routes.len());
    assert_eq!(watched.into_iter().collect::<BTreeMap<_, _>>(), routes);
}

/// `GET /v1/bookings`
fn name_of(route: &RouteSpec) -> String {
    format!("{} {}", route.method, route.path)
}

/// The template's routes, each with its function and with what stands at `Authorizer`.
fn routes_in_template() -> Vec<(String, String, Vec<String>)> {
    let mut routes = vec![];
    for (resource, block) in functions() {
        for event in block.split("Type: HttpApi").skip(1) {
            let (methods, paths) = (values(event, "Method"), values(event, "Path"));
            let ([method], [path]) = (methods.as_slice(), paths.as_slice()) else {
                panic!("{resource}: {methods:?} {paths:?}");
            };
            let authorizers = values(event, "Authorizer").into_iter().map(str::to_owned).collect();
            routes.push((
                format!("{} {path}", method.to_uppercase()),
                resource.clone(),
                authorizers,
            ));
        }
    }
    routes
}

/// The names of the routes that this opens.
fn routes_by(access: Access) -> BTreeSet<String> {
    ROUTES.iter().filter(|route| route.access == access).map(name_of).collect()
}

/// The names of the routes that no authorizer stands before.
fn routes_without_authorizer() -> BTreeSet<String> {
    &routes_by(Access::Open) | &routes_by(Access::Link)
}

#[test]
fn every_route_needs_a_jwt_unless_it_is_open_or_a_link_opens_it() {
    let template = resources();
    let api = &template["Api"];
    assert_eq!(values(api, "DefaultAuthorizer").len(), 1);
    let mut open = BTreeSet::new();
    for (route, resource, authorizers) in routes_in_template() {
        match authorizers.as_slice() {
            [] => {}
            [one] if one == "NONE" => {
                open.insert(route);
            }
            others => panic!("{resource}: {others:?}"),
        }
    }
    assert_eq!(open, routes_without_authorizer());
}

/// Whether a line of the template is an action of IAM, such as `dynamodb:GetItem`.
fn is_action(line: &str) -> bool {
    let line = line.trim().trim_start_matches("- ").trim_start_matches("Action: ");
    line.split_once(':').is_some_and(|(service, action)| {
        let is_service = !service.is_empty() && service.bytes().all(|it| it.is_ascii_lowercase());
        is_service && action.starts_with(|first: char| first.is_ascii_uppercase() || first == '*')
    })
}

/// The resources whose policies name no resource, because a key's own policy is about that key.
const KEYS: [&str; 1] = ["AlarmKey"];

#[test]
fn permissions_name_their_actions_and_resources() {
    let mut complaints = vec![];
    for (resource, block) in resources() {
        let policies = block.lines().filter(|line| {
            let key = line.trim().trim_start_matches("- ");
            is_action(line) || ["Action:", "Resource:", "Not"].iter().any(|it| key.starts_with(it))
        });
        let wild = policies.filter(|line| {
            let is_key = KEYS.contains(&resource.as_str()) && line.trim() == "Resource: \"*\"";
            line.trim().starts_with("Not") || (line.contains('*') && !is_key)
        });
        complaints.extend(wild.map(|line| format!("{resource}: {}", line.trim())));
    }
    check(complaints);
    for (resource, block) in functions() {
        let scans = block.contains("dynamodb:Scan");
        assert_eq!(scans, READ_THE_TABLE.contains(&resource.as_str()), "{resource} may scan");
        assert!(block.contains("dynamodb:"), "{resource} names no action");
    }
    let managed = ["ManagedPolicy", "FullAccess", "CrudPolicy", "arn:aws:iam::aws"];
    assert!(!managed.iter().any(|one| template().contains(one)), "a policy of somebody else's");
}

#[test]
fn every_function_may_read_the_secret_and_nothing_more_of_secrets_manager() {
    let resources = resources();
    let roles: BTreeSet<String> = resources["ReadSecret"]
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- !Ref ")?.strip_suffix("Role"))
        .map(str::to_owned)
        .collect();
    assert_eq!(roles, functions().into_keys().collect());
    let template = template();
    for (action, times) in [("secretsmanager:", 1), ("kms:Decrypt", 1)] {
        assert_eq!(template.matches(&format!("Action: {action}")).count(), times, "{action}");
    }
    assert!(resources["ReadSecret"].contains("Action: secretsmanager:GetSecretValue\n"));
}

#[test]
fn no_function_outlives_what_a_create_may_take() {
    for (resource, block) in functions() {
        if resource == RUNS_LONG {
            continue; // It has no part in creating, as the next test says.
        }
        let timeouts = values(&block, "Timeout");
        let [timeout] = timeouts.as_slice() else { panic!("{resource}: {timeouts:?}") };
        let timeout: u32 = timeout.parse().unwrap();
        assert!(timeout <= FUNCTION_TIMEOUT_S_MAX, "{resource} runs {timeout} s");
    }
}

#[test]
fn the_function_that_shows_operators_what_is_stored_may_only_read() {
    let functions = functions();
    let actions = functions["OperationsFunction"].matches("dynamodb:").count();
    let reads = ["BatchGetItem", "GetItem", "Query", "Scan"];
    let reads = reads.map(|read| {
        let action = format!("dynamodb:{read}\n");
        functions["OperationsFunction"].matches(&action).count()
    });
    assert_eq!(reads.iter().sum::<usize>(), actions);
}

#[test]
fn the_function_that_runs_long_creates_refunds_and_records_nothing() {
    let calls = ["create", "refund(", "record_capture", "record_event", "close(", "run_task"];
    check(lines(&files("functions/reconcile/src", &["rs"]), |line| {
        let code = line.split("//").next().unwrap();
        calls.iter().any(|call| code.contains(call))
    }));
}

#[test]
fn the_template_makes_the_table_that_the_store_expects() {
    let template = resources();
    let table = &template["Table"];
    for (name, kind, part) in
        [(PK, "S", "HASH"), (SK, "S", "RANGE"), (DUE_SHARD, "S", "HASH"), (DUE_AT, "N", "RANGE")]
    {
        for entry in [
            format!("{{ AttributeName: {name}, AttributeType: {kind} }}"),
            format!("{{ AttributeName: {name}, KeyType: {part} }}"),
        ] {
            assert_eq!(table.matches(&entry).count(), 1, "{entry}");
        }
    }
    assert_eq!(values(table, "IndexName"), [DUE_INDEX]);
    assert_eq!(values(table, "ProjectionType"), ["KEYS_ONLY"]);
    assert_eq!(values(table, "StreamViewType"), ["NEW_AND_OLD_IMAGES"]);
    let vanishing = format!("AttributeName: {VANISHES_AT}\n        Enabled: true\n");
    assert_eq!(table.matches(&vanishing).count(), 1);
}

/// The names in code spans of a text that end so.
fn names_ending(text: &str, ending: &str) -> BTreeSet<String> {
    let names = text.split('`').skip(1).step_by(2).filter(|name| name.ends_with(ending));
    names.map(str::to_owned).collect()
}

/// The template's alarms by name, each with what it stands on: namespaces and metrics.
fn alarms() -> BTreeMap<String, Vec<(String, String)>> {
    let mut resources = resources();
    resources.retain(|_, block| values(block, "Type").contains(&"AWS::CloudWatch::Alarm"));
    let metrics = |block: &String| {
        let (namespaces, metrics) = (values(block, "Namespace"), values(block, "MetricName"));
        assert_eq!(namespaces.len(), metrics.len(), "{block}");
        let pairs = namespaces.iter().zip(metrics);
        pairs.map(|(namespace, metric)| ((*namespace).to_owned(), metric.to_owned())).collect()
    };
    resources.iter().map(|(name, block)| (name.clone(), metrics(block))).collect()
}

/// The metrics of AWS that alarms and charts stand on. Source: the services' pages of metrics for
/// CloudWatch: API Gateway (HTTP APIs), DynamoDB, Lambda, SQS; read 2026-11-25.
const AWS_METRICS: [(&str, &str); 14] = [
    ("AWS/ApiGateway", "4xx"),
    ("AWS/ApiGateway", "5xx"),
    ("AWS/ApiGateway", "Count"),
    ("AWS/DynamoDB", "ConsumedReadCapacityUnits"),
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits"),
    ("AWS/DynamoDB", "ReadThrottleEvents"),
    ("AWS/DynamoDB", "WriteThrottleEvents"),
    ("AWS/Lambda", "ConcurrentExecutions"),
    ("AWS/Lambda", "Errors"),
    ("AWS/Lambda", "Invocations"),
    ("AWS/Lambda", "IteratorAge"),
    ("AWS/Lambda", "Throttles"),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
];

fn is_metric(namespace: &str, name: &str) -> bool {
    AWS_METRICS.contains(&(namespace, name))
        || namespace == NAMESPACE && METRIC_LIST.iter().any(|metric| metric.as_str() == name)
}

/// A row of the table of metrics: name, unit, and the alarms on it.
fn metric_rows() -> Vec<(String, String, BTreeSet<String>)> {
    let page = read("docs/metrics.md");
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.strip_suffix('`')?.to_owned();
        let unit = cells.next()?.to_owned();
        let is_metric = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_metric.then_some((name, unit, names_ending(cells.last()?, "Alarm")))
    });
    rows.collect()
}

#[test]
fn every_metric_is_documented_with_the_alarms_on_it_and_nothing_else_is() {
    let rows = metric_rows();
    let documented = rows.iter().map(|(name, unit, _)| (name.as_str(), unit.as_str()));
    let measured = METRIC_LIST.iter().map(|metric| (metric.as_str(), metric.unit()));
    assert_eq!(documented.collect::<BTreeSet<_>>(), measured.collect());
    let alarms = alarms();
    for (metric, _, documented) in rows {
        let on = (NAMESPACE.to_owned(), metric.clone());
        let standing = alarms.iter().filter(|(_, metrics)| metrics.contains(&on));
        let standing: BTreeSet<_> = standing.map(|(alarm, _)| alarm.clone()).collect();
        assert_eq!(documented, standing, "{metric}");
    }
}

#[test]
fn every_alarm_stands_on_what_is_measured_tells_somebody_and_has_its_section_in_the_runbook() {
    let (resources, alarms) = (resources(), alarms());
    for (alarm, metrics) in &alarms {
        let block = &resources[alarm];
        for (namespace, metric) in metrics {
            assert!(is_metric(namespace, metric), "{alarm} on {namespace} {metric}");
        }
        let own = metrics.iter().filter(|(namespace, _)| namespace == NAMESPACE).count();
        let of_stage = format!("{{ Name: {STAGE}, Value: !Ref Stage }}");
        assert_eq!(block.matches(&of_stage).count(), own, "{alarm}");
        assert_eq!(values(block, "AlarmActions"), ["[!Ref AlarmTopic]"], "{alarm}");
        assert_eq!(values(block, "AlarmDescription").len(), 1, "{alarm}");
    }
    let names: BTreeSet<String> = alarms.into_keys().collect();
    let is_alarm = |heading: &String| heading.ends_with("Alarm");
    let sections = headings("docs/runbook.md").into_iter().filter(is_alarm);
    assert_eq!(sections.collect::<BTreeSet<_>>(), names, "sections");
    assert_eq!(names_ending(&read("docs/metrics.md"), "Alarm"), names, "docs/metrics.md");
    let pages = files("docs", &["md"]);
    let named = pages.iter().flat_map(|(_, text)| names_ending(text, "Alarm"));
    assert_eq!(named.collect::<BTreeSet<_>>(), names, "every page");
}

#[test]
fn every_section_of_the_runbook_says_what_to_look_at_what_to_do_and_when_it_is_over() {
    let page = read("docs/runbook.md");
    for section in page.split("\n## ").filter(|section| section.contains("Alarm\n")) {
        let heading = section.lines().next().unwrap();
        for part in ["**What it means.**", "**Look first.**", "**Do.**", "**Over when**"] {
            let times = section.matches(part).count();
            assert_eq!(times, 1, "{heading}: {part}");
        }
    }
}

/// The dashboard's charts.
fn widgets() -> Vec<Value> {
    let resources = resources();
    let (_, body) = resources["Dashboard"].split_once("DashboardBody: !Sub |\n").unwrap();
    let dashboard: Value = serde_json::from_str(body).unwrap();
    dashboard["widgets"].as_array().unwrap().clone()
}

/// The metric that a row of a chart shows: named, or searched for.
fn charted(row: &Value) -> Option<(String, String)> {
    if let Some(expression) = row[0]["expression"].as_str() {
        let (_, name) = expression.split_once("MetricName=\"")?;
        let (name, _) = name.split_once('"').unwrap();
        assert!(expression.contains(&format!("'{{{NAMESPACE},{STAGE},")), "{expression}");
        assert!(expression.contains(&format!("{STAGE}=\"${{Stage}}\"")), "{expression}");
        return Some((NAMESPACE.to_owned(), name.to_owned()));
    }
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    if row[0] == NAMESPACE {
        assert_eq!([&row[2], &row[3]], [STAGE, "${Stage}"], "{row}");
    }
    Some((text(&row[0]), text(&row[1])))
}

#[test]
fn every_chart_shows_what_is_measured_and_every_function_has_its_lines() {
    let mut shown = BTreeSet::new();
    for widget in widgets() {
        let properties = &widget["properties"];
        for row in properties["metrics"].as_array().unwrap() {
            if let Some((namespace, metric)) = charted(row) {
                assert!(is_metric(&namespace, &metric), "{}: {row}", properties["title"]);
                shown.insert((namespace, metric, row[3].as_str().unwrap_or_default().to_owned()));
            }
        }
    }
    let on_function = |metric: &str, function: &str| {
        ("AWS/Lambda".to_owned(), metric.to_owned(), format!("${{{function}}}"))
    };
    for function in functions().into_keys() {
        for metric in ["Errors", "Throttles", "ConcurrentExecutions"] {
            assert!(shown.contains(&on_function(metric, &function)), "{function}: {metric}");
        }
    }
    let is_shown = |wanted: &str| shown.iter().any(|(_, name, _)| name == wanted);
    let names = METRIC_LIST.iter().map(|metric| metric.as_str());
    assert_eq!(names.filter(|name| !is_shown(name)).collect::<Vec<_>>(), UNCHARTED);
}

/// What an alarm stands on and no chart shows: there is nothing to follow.
const UNCHARTED: [&str; 3] = ["reconciliation_failed", "secret_not_read", "secret_refused"];

#[test]
fn every_open_route_is_throttled_below_the_others() {
    let template = resources();
    let api = &template["Api"];
    let (default, own) = api.split_once("\n      RouteSettings:\n").unwrap();
    let (own, _) = own.split_once("AccessLogSettings:").unwrap();
    let limits = |block: &str| -> [u32; 2] {
        ["ThrottlingBurstLimit", "ThrottlingRateLimit"].map(|key| {
            let values = values(block, key);
            let [value] = values.as_slice() else { panic!("{key}: {values:?}") };
            value.parse().unwrap()
        })
    };
    let [burst, rate] = limits(default);
    let mut throttled = BTreeSet::new();
    for block in own.split("        \"").skip(1) {
        let (route, block) = block.split_once("\":\n").unwrap();
        let [own_burst, own_rate] = limits(block);
        assert!(own_burst < burst && own_rate < rate, "{route}");
        throttled.insert(route.to_owned());
    }
    assert_eq!(throttled, routes_without_authorizer());
}

#[test]
fn the_access_log_says_nothing_of_who_called() {
    let template = resources();
    let (_, log) = template["Api"].split_once("AccessLogSettings:").unwrap();
    let said = log.split("$context.").skip(1).map(|rest| rest.split('"').next().unwrap());
    let said: Vec<_> = said.collect();
    assert!(said.len() > 10, "{said:?}");
    for name in said {
        let tells = ["identity", "claims", "principal", "path", "sub", "domain"];
        assert!(!tells.iter().any(|word| name.contains(word)), "{name}");
    }
}

#[test]
fn every_parameter_is_asked_for_with_a_description_and_documented_with_its_default() {
    let template = template();
    let (interface, _) = template.split_once("\nParameters:\n").unwrap();
    let grouped: String = interface.split("Parameters: [").skip(1).collect();
    let page = read("docs/deploying.md");
    for (name, block) in section("Parameters") {
        assert_eq!(values(&block, "Description").len(), 1, "{name}");
        assert!(has_word(&grouped, &name), "{name} is in no group");
        let row = page.lines().find(|line| {
            line.starts_with("| `")
                && line.split(" | ").next().unwrap().contains(&format!("`{name}`"))
        });
        let row = row.unwrap_or_else(|| panic!("docs/deploying.md does not say what {name} is"));
        let default = values(&block, "Default");
        let is_said = default.iter().all(|it| *it == "\"\"" || has_word(row, it));
        assert!(is_said, "{name} is {default:?} unless told otherwise, and not as in {row}");
    }
}

#[test]
fn what_is_kept_or_sent_is_encrypted_bounded_and_survives_a_mistake() {
    let resources = resources();
    for (name, block) in &resources {
        let [kind] = values(block, "Type")[..] else { continue };
        let needs: &[&str] = match kind {
            "AWS::Logs::LogGroup" => &["RetentionInDays: !Ref LogRetentionDays"],
            "AWS::SNS::Topic" => &["KmsMasterKeyId: !Ref AlarmKey"],
            "AWS::SQS::Queue" => &["SqsManagedSseEnabled: true", "MessageRetentionPeriod:"],
            "AWS::DynamoDB::Table" => &[
                "DeletionPolicy: Retain",
                "PointInTimeRecoveryEnabled: true",
                "DeletionProtectionEnabled: true",
                "SSEEnabled: true",
            ],
            _ => &[],
        };
        for need in needs {
            assert!(block.contains(need), "{name} has no {need}");
        }
    }
}

fn headings(document: &str) -> Vec<String> {
    let text = read(document);
    let mut in_code = false;
    let lines = text.lines().filter(|line| {
        in_code ^= line.starts_with("```");
        !in_code
    });
    let headings = lines.filter_map(|line| line.strip_prefix("## "));
    headings.map(|heading| heading.trim_matches('`').to_owned()).collect()
}

#[test]
fn every_route_has_a_section_in_the_api_document_and_every_such_section_a_route() {
    let routes: BTreeSet<String> = ROUTES.iter().map(name_of).collect();
    let sections = headings("docs/api.md").into_iter().filter(|heading| heading.contains(" /"));
    assert_eq!(sections.collect::<BTreeSet<_>>(), routes);
}

#[test]
fn every_route_is_described_for_tools_and_every_description_has_a_route() {
    let description: Value = serde_json::from_str(DESCRIPTION).unwrap();
    let (mut described, mut open, mut by_link) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (path, methods) in description["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap().iter();
        for (method, operation) in methods.filter(|(method, _)| *method != "parameters") {
            let route = format!("{} {path}", method.to_uppercase());
            if operation["security"].as_array().is_some_and(Vec::is_empty) {
                open.insert(route.clone());
            }
            if operation["security"][0].get("link").is_some() {
                by_link.insert(route.clone());
            }
            described.insert(route);
        }
    }
    assert_eq!(described, ROUTES.iter().map(name_of).collect());
    assert_eq!(open, routes_by(Access::Open));
    assert_eq!(by_link, routes_by(Access::Link));
}

#[test]
fn tests_over_http_use_the_client_that_checks_every_answer() {
    let mut sources = files("tests/tests", &["rs"]);
    sources.extend(files("local/tests", &["rs"]));
    sources.extend(files("tests/src", &["rs"]));
    let makes = concat!(" Client::", "new(");
    check(lines(&sources, |line| format!(" {line}").contains(makes)));
}

/// The problem that follows in the list of all of them. A new one fails to compile here.
fn next(problem: Option<&Problem>) -> Option<Problem> {
    Some(match problem {
        None => Problem::invalid("field", "rule"),
        Some(Problem::InvalidRequest { .. }) => Problem::Unauthenticated,
        Some(Problem::Unauthenticated) => Problem::LinkInvalid,
        Some(Problem::LinkInvalid) => Problem::LinkExpired,
        Some(Problem::LinkExpired) => Problem::Forbidden,
        Some(Problem::Forbidden) => Problem::NotFound,
        Some(Problem::NotFound) => Problem::QuoteStale { offer: None },
        Some(Problem::QuoteStale { .. }) => Problem::QuoteExpired { offer: None },
        Some(Problem::QuoteExpired { .. }) => Problem::OrderSuperseded { live_order: None },
        Some(Problem::OrderSuperseded { .. }) => Problem::OrderClosed { offer: None },
        Some(Problem::OrderClosed { .. }) => Problem::OrderAlreadyPaid,
        Some(Problem::OrderAlreadyPaid) => Problem::BookingNotPayable,
        Some(Problem::BookingNotPayable) => Problem::RenewalLimitReached { max_renewals: 1 },
        Some(Problem::RenewalLimitReached { .. }) => Problem::FlowMismatch,
        Some(Problem::FlowMismatch) => Problem::AttemptsExhausted,
        Some(Problem::AttemptsExhausted) => Problem::RetryNotPossible,
        Some(Problem::RetryNotPossible) => Problem::VersionConflict,
        Some(Problem::VersionConflict) => Problem::QuoteTampered,
        Some(Problem::QuoteTampered) => Problem::QuantityOutOfRange { min: 1, max: 2 },
        Some(Problem::QuantityOutOfRange { .. }) => Problem::GatewayNotAccepted,
        Some(Problem::GatewayNotAccepted) => Problem::IdempotencyMismatch,
        Some(Problem::IdempotencyMismatch) => Problem::TooLarge,
        Some(Problem::TooLarge) => Problem::NotJson,
        Some(Problem::NotJson) => Problem::GatewayRefused,
        Some(Problem::GatewayRefused) => Problem::GatewayUnavailable,
        Some(Problem::GatewayUnavailable) => Problem::StoreUnavailable(None),
        Some(Problem::StoreUnavailable(_)) => Problem::OutOfTime,
        Some(Problem::OutOfTime) => Problem::Internal(String::new()),
        Some(Problem::Internal(_)) => return None,
    })
}

/// All problems.
fn problems() -> impl Iterator<Item = Problem> {
    std::iter::successors(next(None), |problem| next(Some(problem)))
}

#[test]
fn every_problem_is_described_with_its_status_and_nothing_else_is() {
    let description: Value = serde_json::from_str(DESCRIPTION).unwrap();
    let schemas = description["components"]["schemas"].as_object().unwrap();
    let described = schemas.values().filter_map(|schema| {
        let fields = &schema["properties"];
        let code = fields["code"]["const"].as_str()?;
        Some((code.to_owned(), fields["status"]["const"].as_u64()?))
    });
    let told = problems().map(|problem| {
        let (status, code) = problem.spec();
        (code.to_owned(), u64::from(status.as_u16()))
    });
    assert_eq!(described.collect::<BTreeSet<_>>(), told.collect());
}

#[test]
fn every_problem_has_a_section_and_every_section_a_problem() {
    let codes: Vec<String> = problems().map(|problem| problem.spec().1.to_owned()).collect();
    let distinct: BTreeSet<String> = codes.iter().cloned().collect();
    assert_eq!(distinct.len(), codes.len(), "two problems share a code");
    let is_code =
        |heading: &String| heading.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let sections = headings("docs/problems.md").into_iter().filter(is_code);
    assert_eq!(sections.collect::<BTreeSet<_>>(), distinct);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut complaints = vec![];
    for (name, text) in files(".", &["md"]) {
        let folder = Path::new(&name).parent().unwrap().to_owned();
        for part in text.split("](").skip(1) {
            let target = part.split(')').next().unwrap();
            let (file, _) = target.split_once('#').unwrap_or((target, ""));
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            if !elsewhere && !file.is_empty() && !root().join(&folder).join(file).exists() {
                complaints.push(format!("{name}: {target}"));
            }
        }
    }
    check(complaints);
}
