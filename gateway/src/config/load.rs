//! The layers: compiled-in defaults, file, environment, command line. Each setting given in a layer is first tried
//! alone over the defaults, so that every wrong one is found, each with its own origin, and not only the first.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::Kind;
use figment::providers::Serialized;
use toml::de::DeTable;
use toml::{Table, Value};

use super::{Config, ConfigError, Origin, Problem, StoreUrl, check};

/// The manual and the defaults in one.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

const PREFIX: &str = "SCANGATE_";

/// What errors must not repeat.
const SECRET: [&str; 4] = ["store.url", "secrets.master_key", "secrets.previous_master_keys", "redis.url"];

/// Where settings are read from, beyond the defaults. The later beats the earlier.
#[derive(Clone, Default)]
pub struct Sources {
    pub file: Option<PathBuf>,
    /// All variables; those that are not settings are left alone.
    pub environment: Vec<(OsString, OsString)>,
    pub given: Vec<Given>,
    /// Whether what only a server needs must be there.
    pub serving: bool,
}

/// A setting given on the command line.
#[derive(Clone)]
pub struct Given {
    /// `section.key`
    pub path: &'static str,
    pub value: String,
    /// The option as the user knows it, such as `--listen`.
    pub by: &'static str,
}

impl Sources {
    pub fn of_this_process(file: Option<&Path>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one door for settings from the environment")]
        let environment = std::env::vars_os().collect();
        Self { file: file.map(Path::to_owned), environment, ..Self::default() }
    }
}

/// One setting somebody gave.
struct Leaf {
    path: String,
    value: Value,
    origin: Origin,
}

pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
    let defaults: Table =
        toml::from_str(DEFAULTS).expect("the compiled-in defaults are TOML; a test reads them");
    let mut problems = Vec::new();
    let mut leaves = Vec::new();
    if let Some(file) = &sources.file {
        leaves.append(&mut of_file(file, &defaults, &mut problems));
    }
    leaves.append(&mut of_environment(&sources.environment, &defaults, &mut problems));
    leaves.extend(sources.given.iter().map(|given| Leaf {
        path: given.path.to_owned(),
        value: from_text(&given.value, lookup(&defaults, given.path)),
        origin: Origin::Given(given.by.to_owned()),
    }));

    let base = Figment::from(Serialized::defaults(&defaults));
    let mut merged = base.clone();
    let mut origins = BTreeMap::new();
    for leaf in leaves {
        match trial(&base, &defaults, &leaf) {
            Ok(()) => {
                merged = merged.merge(Serialized::default(&leaf.path, &leaf.value));
                origins.insert(leaf.path, leaf.origin);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let mut config: Config =
        merged.extract().expect("each setting was read alone, and none depends on another");
    config.origins = origins;
    read_url_file(&mut config, &mut problems);
    check::check(&config, sources.serving, &mut problems);
    if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
}

fn lookup<'a>(defaults: &'a Table, path: &str) -> Option<&'a Value> {
    let (section, key) = path.split_once('.')?;
    defaults.get(section)?.get(key)
}

/// Whether this setting is known and of the right type.
fn trial(base: &Figment, defaults: &Table, leaf: &Leaf) -> Result<(), Problem> {
    let problem = |what: String, remedy: String| Problem {
        path: leaf.path.clone(),
        origin: leaf.origin.clone(),
        what,
        remedy,
    };
    let Some(default) = lookup(defaults, &leaf.path) else {
        return Err(problem("there is no such setting".to_owned(), suggestion(defaults, &leaf.path)));
    };
    let alone = base.clone().merge(Serialized::default(&leaf.path, &leaf.value));
    let Err(error) = alone.extract::<Config>() else { return Ok(()) };
    Err(problem(reason(error.kind, SECRET.contains(&leaf.path.as_str())), write_it_like(&leaf.path, default)))
}

/// What is wrong with a value, in words for somebody who writes TOML and not Rust.
fn reason(kind: Kind, is_secret: bool) -> String {
    match kind {
        // Of our own making, in `values`: it does not repeat a secret, as serde's do.
        Kind::Message(message) => message,
        _ if is_secret => "is not text in quotes".to_owned(),
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            let expected = match expected.as_str() {
                "u32" | "u64" | "usize" => "a whole number, not negative",
                "a nonzero u32" => "a whole number, not 0",
                "f64" => "a number",
                "a sequence" => "a list",
                other => other,
            };
            format!("is {found} instead of {expected}")
        }
        Kind::UnknownVariant(found, known) => {
            format!("is \"{found}\" instead of one of {}", known.join(", "))
        }
        other => other.to_string(),
    }
}

/// The remedy that shows a setting's form by its default.
fn write_it_like(path: &str, default: &Value) -> String {
    let key = path.rsplit('.').next().unwrap_or(path);
    format!("The default is {key} = {default}")
}

/// Every setting of a file, with its line. A file that cannot be read or is not TOML is one problem.
fn of_file(name: &Path, defaults: &Table, problems: &mut Vec<Problem>) -> Vec<Leaf> {
    let mut problem = |line, path: &str, what: String, remedy: String| {
        let origin = Origin::File { name: name.to_owned(), line };
        problems.push(Problem { path: path.to_owned(), origin, what, remedy });
    };
    let text = match std::fs::read_to_string(name) {
        Ok(text) => text,
        Err(error) => {
            let remedy = "Name an existing, readable file with --config, or leave it out".to_owned();
            problem(None, "", format!("cannot be read: {error}"), remedy);
            return Vec::new();
        }
    };
    let line_at = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
    let (tree, values) = match (DeTable::parse(&text), toml::from_str::<Table>(&text)) {
        (Ok(tree), Ok(values)) => (tree.into_inner(), values),
        (Err(error), _) | (_, Err(error)) => {
            // The error's own text would show the line, and with it perhaps a secret.
            let line = error.span().map(|span| line_at(span.start));
            problem(line, "", format!("is not TOML: {}", error.message()), "Correct that line".to_owned());
            return Vec::new();
        }
    };
    let mut leaves = Vec::new();
    for (section, content) in &tree {
        let Some(keys) = content.get_ref().as_table() else {
            let remedy = suggestion(defaults, section.get_ref());
            let line = Some(line_at(section.span().start));
            problem(line, section.get_ref(), "stands outside of any [section]".to_owned(), remedy);
            continue;
        };
        let values = values.get(section.get_ref().as_ref());
        if !defaults.contains_key(section.get_ref().as_ref()) && keys.is_empty() {
            let line = Some(line_at(section.span().start));
            let remedy = suggestion(defaults, section.get_ref());
            problem(line, section.get_ref(), "there is no such section".to_owned(), remedy);
        }
        for key in keys.keys() {
            let Some(value) = values.and_then(|values| values.get(key.get_ref().as_ref())) else { continue };
            let path = format!("{}.{}", section.get_ref(), key.get_ref());
            leaves.push((line_at(key.span().start), path, value.clone()));
        }
    }
    leaves.sort_by_key(|(line, ..)| *line);
    let origin = |line| Origin::File { name: name.to_owned(), line: Some(line) };
    leaves.into_iter().map(|(line, path, value)| Leaf { path, value, origin: origin(line) }).collect()
}

/// Every setting of the environment. Variables that only begin like ours (`SCANGATE_CONFIG`, what Kubernetes sets
/// for a service named scangate) are left alone, but not one that lacks nothing except the second underscore.
fn of_environment(
    environment: &[(OsString, OsString)],
    defaults: &Table,
    problems: &mut Vec<Problem>,
) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    for (name, value) in environment {
        let Some((name, rest)) = name.to_str().and_then(|name| Some((name, name.strip_prefix(PREFIX)?)))
        else {
            continue;
        };
        let origin = Origin::Environment(name.to_owned());
        let Some((section, key)) = rest.split_once("__") else {
            if let Some((section, key)) = one_underscore(defaults, rest) {
                let what = format!("looks like {section}.{key}, but has one underscore after the section");
                let remedy = format!("Name it {}", variable(section, key));
                problems.push(Problem { path: format!("{section}.{key}"), origin, what, remedy });
            }
            continue;
        };
        let path = format!("{}.{}", section.to_ascii_lowercase(), key.to_ascii_lowercase());
        let Some(text) = value.to_str() else {
            let what = "is not UTF-8".to_owned();
            problems.push(Problem { path, origin, what, remedy: "Set it to plain text".to_owned() });
            continue;
        };
        let value = from_text(text, lookup(defaults, &path));
        leaves.push(Leaf { path, value, origin });
    }
    leaves.sort_by(|a, b| a.path.cmp(&b.path));
    leaves
}

fn variable(section: &str, key: &str) -> String {
    format!("{PREFIX}{}__{}", section.to_ascii_uppercase(), key.to_ascii_uppercase())
}

/// The setting that `SERVER_LISTEN` means.
fn one_underscore<'a>(defaults: &'a Table, rest: &str) -> Option<(&'a str, &'a str)> {
    paths(defaults).find(|(section, key)| rest.eq_ignore_ascii_case(&format!("{section}_{key}")))
}

/// A value written without quotes, read as what its default is: text stays text, though it may look like a number.
fn from_text(text: &str, default: Option<&Value>) -> Value {
    let as_toml = || format!("value = {text}").parse::<Table>().ok()?.remove("value");
    let read = match default {
        Some(Value::Array(_)) if text.trim_start().starts_with('[') => as_toml(),
        Some(Value::Array(_)) => {
            let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
            Some(Value::Array(entries.map(Value::from).collect()))
        }
        Some(Value::Integer(_) | Value::Float(_) | Value::Boolean(_)) => as_toml(),
        _ => None,
    };
    read.unwrap_or_else(|| Value::from(text))
}

fn read_url_file(config: &mut Config, problems: &mut Vec<Problem>) {
    let Some(file) = &config.store.url_file else { return };
    let origin = config.origins.get("store.url_file").cloned().unwrap_or(Origin::Default);
    let mut problem = |what: String, remedy: &str| {
        let path = "store.url_file".to_owned();
        problems.push(Problem { path, origin: origin.clone(), what, remedy: remedy.to_owned() });
    };
    if config.origins.contains_key("store.url") {
        problem("is set, and store.url too".to_owned(), "Set only one of the two");
        return;
    }
    match std::fs::read_to_string(file).map(|text| text.trim_end().parse::<StoreUrl>()) {
        Ok(Ok(url)) => config.store.url = url,
        Ok(Err(error)) => problem(format!("the URL in it {error}"), "Correct the file's text"),
        Err(error) => {
            let what = format!("{} cannot be read: {error}", file.display());
            problem(what, "Name an existing file that this program may read");
        }
    }
}

fn paths(defaults: &Table) -> impl Iterator<Item = (&str, &str)> {
    defaults.iter().flat_map(|(section, keys)| {
        let keys = keys.as_table().into_iter().flat_map(Table::keys);
        keys.map(|key| (section.as_str(), key.as_str()))
    })
}

/// What somebody who wrote this probably meant: the same key in another section, or the most similar setting.
fn suggestion(defaults: &Table, path: &str) -> String {
    let key = path.split_once('.').map_or(path, |(_, key)| key);
    if let Some((section, key)) = paths(defaults).find(|(_, known)| *known == key) {
        return format!("Did you mean {section}.{key}?");
    }
    let nearest = paths(defaults)
        .map(|(section, key)| format!("{section}.{key}"))
        .min_by_key(|known| distance(known, path))
        .filter(|known| distance(known, path) <= 3);
    match nearest {
        Some(known) => format!("Did you mean {known}?"),
        None => "Remove it; `scangate config` prints all settings".to_owned(),
    }
}

/// How many characters must be changed, put in or left out to make one text of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
