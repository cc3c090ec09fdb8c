use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::load::DEFAULTS;
use super::values::StoreUrlError;
use super::*;

/// The sources of one test: a file with this text, and these variables.
struct Setup {
    folder: TempDir,
    sources: Sources,
}

impl Setup {
    fn new(file: &str, environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("there is room for a temporary folder");
        let path = folder.path().join("scangate.toml");
        fs::write(&path, file).expect("the folder is ours");
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { folder, sources: Sources { file: Some(path), environment, ..Sources::default() } }
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load_from(&self.sources)
    }

    fn config(&self) -> Config {
        self.load().expect("the configuration is right")
    }

    /// Path, origin and text of every problem, the folder's name left out.
    fn problems(&self) -> Vec<(String, String, String)> {
        let error = self.load().expect_err("the configuration is wrong");
        let prefix = format!("{}/", self.folder.path().display());
        let tell = |problem: Problem| {
            let text = format!("{}. {}", problem.what, problem.remedy);
            (problem.path, problem.origin.to_string().replace(&prefix, ""), text)
        };
        error.problems.into_iter().map(tell).collect()
    }

    fn paths(&self) -> Vec<String> {
        self.problems().into_iter().map(|(path, ..)| path).collect()
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_defaults_load_and_are_those_that_the_manual_names() {
    let config = Config::default();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.ops_listen.to_string(), "127.0.0.1:8082");
    assert_eq!((config.server.public_url.as_ref(), config.server.public_base()), (None, ""));
    assert_eq!(config.server.max_body, 65536);
    assert_eq!(config.server.request_timeout, seconds(40));
    assert!(
        matches!(&config.store.url, StoreUrl::Sqlite(path) if path.ends_with("scangate-data/scangate.db"))
    );
    assert_eq!((config.store.readers, config.store.writers), (4, 2));
    assert_eq!(config.store.min_free_disk, 256 << 20);
    assert!(config.secrets.master_key.is_empty());
    assert_eq!(config.upstream.timeout + config.upstream.answer_grace, seconds(25));
    assert_eq!(config.signed.freshness_mode, FreshnessMode::Enforce);
    assert_eq!(config.orders.pay_window_barcode, seconds(24 * 60 * 60));
    let schedule: Vec<u64> = config.deliveries.schedule.iter().map(Duration::as_secs).collect();
    let (minute, hour) = (60, 3600);
    let waits =
        [15, 15, 30, 3 * minute, 10 * minute, 20 * minute, 30 * minute, 30 * minute, 30 * minute, hour];
    let long = [3 * hour, 3 * hour, 3 * hour, 6 * hour, 6 * hour];
    assert_eq!(schedule, [waits.as_slice(), &long].concat());
    assert!(config.deliveries.allow_addresses.is_empty());
    assert_eq!(config.log.format, LogFormat::Text);
}

#[test]
fn the_manual_and_the_sections_name_the_same_settings() {
    let names = |text: &str| -> Vec<String> {
        let document: toml::Table = text.parse().expect("it is TOML");
        let section = |(section, keys): (&String, &toml::Value)| -> Vec<String> {
            let keys = keys.as_table().expect("a section is a table");
            keys.keys().map(|key| format!("{section}.{key}")).collect()
        };
        document.iter().flat_map(section).collect()
    };
    assert_eq!(names(DEFAULTS), names(&Config::default().effective_toml()));
}

#[test]
fn every_setting_of_the_manual_has_a_comment_before_it() {
    let lines: Vec<&str> = DEFAULTS.lines().collect();
    for pair in lines.windows(2) {
        if pair[1].split_once(" = ").is_some_and(|(key, _)| !key.starts_with(['#', ' '])) {
            assert!(pair[0].starts_with("# "), "{} is not explained", pair[1]);
        }
    }
}

#[test]
fn the_environment_beats_the_file_and_the_file_beats_the_default() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\nops_listen = \"127.0.0.1:2\"\n";
    let config = Setup::new(file, &[("SCANGATE_SERVER__LISTEN", "127.0.0.1:3")]).config();
    assert_eq!(config.server.listen.port(), 3);
    assert_eq!(config.server.ops_listen.port(), 2);
    assert_eq!(config.server.idle_timeout, seconds(75));
}

#[test]
fn the_command_line_beats_the_environment() {
    let mut setup = Setup::new("", &[("SCANGATE_SERVER__LISTEN", "127.0.0.1:3")]);
    let given = Given { path: "server.listen", value: "127.0.0.1:4".to_owned(), by: "--listen" };
    setup.sources.given.push(given);
    assert_eq!(setup.config().server.listen.port(), 4);
    setup.sources.given[0].value = "everywhere".to_owned();
    assert_eq!(setup.problems()[0].1, "--listen");
}

#[test]
fn variables_are_read_as_what_the_setting_is() {
    let config = Setup::new(
        "",
        &[
            ("SCANGATE_SERVER__MAX_CONNECTIONS", "100"),
            ("SCANGATE_SERVER__MAX_BODY", "8192"),
            ("SCANGATE_SERVER__BARE_PLATFORM", "123"),
            ("SCANGATE_SECRETS__MASTER_KEY", "1e5"),
            ("SCANGATE_DELIVERIES__JITTER", "0"),
            ("SCANGATE_DELIVERIES__SCHEDULE", "1s, 2s"),
            ("SCANGATE_DELIVERIES__ALLOW_ADDRESSES", "[\"10.0.0.0/8\", \"::1\"]"),
            ("SCANGATE_SIGNED__FRESHNESS_MODE", "warn"),
        ],
    )
    .config();
    assert_eq!((config.server.max_connections, config.server.max_body), (100, 8192));
    assert_eq!((config.server.bare_platform.as_str(), config.secrets.master_key.expose()), ("123", "1e5"));
    assert!(config.deliveries.jitter.abs() < f64::EPSILON);
    assert_eq!(config.deliveries.schedule, [seconds(1), seconds(2)]);
    let allowed: Vec<String> = config.deliveries.allow_addresses.iter().map(ToString::to_string).collect();
    assert_eq!(allowed, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(config.signed.freshness_mode, FreshnessMode::Warn);
}

#[test]
fn every_problem_is_reported_at_once_with_its_path_and_origin() {
    let file = r#"
[server]
listen = "everywhere"
lisen = "127.0.0.1:1"
max_connections = 0

[deliveries]
timeout = "40s"
jitter = 0.75
schedule = ["15s", "soon"]
"#;
    let setup = Setup::new(file, &[("SCANGATE_STORE__READERS", "many"), ("SCANGATE_LOG__LEVEL", "inof")]);
    let problems: Vec<String> = setup
        .problems()
        .into_iter()
        .map(|(path, origin, text)| format!("{path} ({origin}): {text}"))
        .collect();
    insta::assert_snapshot!(problems.join("\n"), @r#"
    server.listen (scangate.toml line 3): invalid socket address syntax. The default is listen = "127.0.0.1:8080"
    server.lisen (scangate.toml line 4): there is no such setting. Did you mean server.listen?
    deliveries.schedule (scangate.toml line 10): the entry "soon" is not a duration such as "15s" or "10m". The default is schedule = ["15s", "15s", "30s", "3m", "10m", "20m", "30m", "30m", "30m", "60m", "3h", "3h", "3h", "6h", "6h"]
    store.readers (environment variable SCANGATE_STORE__READERS): is string "many" instead of a whole number, not negative. The default is readers = 4
    server.max_connections (scangate.toml line 5): is 0. Choose between 1 and 1000000
    deliveries.jitter (scangate.toml line 9): is 0.75. Choose a share between 0 and 0.5
    log.level (environment variable SCANGATE_LOG__LEVEL): holds "inof", which is not a level. Use error, warn, info, debug or trace, or "info,gateway::deliveries=debug"
    deliveries.timeout (scangate.toml line 8): server.shutdown_grace (30s) is shorter than deliveries.timeout (40s): a stop would cut deliveries off. Change one of them
    deliveries.timeout (scangate.toml line 8): deliveries.timeout (40s) is not shorter than deliveries.lease (30s): another node would send the same delivery while this one still waits. Change one of them
    "#);
}

#[test]
fn an_unknown_setting_is_refused_with_the_one_probably_meant() {
    let hint = |file: &str| Setup::new(file, &[]).problems().remove(0).2;
    assert_eq!(
        hint("[server]\nlisten_adress = \"x\""),
        "there is no such setting. Remove it; `scangate config` prints all settings"
    );
    assert_eq!(
        hint("[server]\nidle_timout = \"x\""),
        "there is no such setting. Did you mean server.idle_timeout?"
    );
    assert_eq!(hint("[server]\nlease = \"x\""), "there is no such setting. Did you mean deliveries.lease?");
    assert_eq!(hint("listen = \"x\""), "stands outside of any [section]. Did you mean server.listen?");
    assert_eq!(hint("[logs]\nlevel = \"warn\""), "there is no such setting. Did you mean log.level?");
    assert_eq!(hint("[logs]"), "there is no such section. Remove it; `scangate config` prints all settings");
}

#[test]
fn a_variable_of_ours_that_names_no_setting_is_refused_and_others_are_left_alone() {
    let setup = Setup::new(
        "",
        &[
            ("SCANGATE_SERVER__LISEN", "x"),
            ("SCANGATE_SERVER_LISTEN", "127.0.0.1:1"),
            // The program's own, another program's, and what Kubernetes sets for services named scangate-….
            ("SCANGATE_CONFIG", "x"),
            ("SERVER__LISTEN", "x"),
            ("SCANGATE_SERVER_SERVICE_HOST", "10.0.0.1"),
            ("SCANGATE_SERVER_PORT", "tcp://10.0.0.1:80"),
        ],
    );
    let problems = setup.problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].2.ends_with("Name it SCANGATE_SERVER__LISTEN"), "{problems:?}");
    assert!(problems[1].2.ends_with("Did you mean server.listen?"), "{problems:?}");
}

#[test]
fn a_file_that_is_missing_or_not_toml_is_one_problem_with_its_line() {
    let mut setup = Setup::new("[server]\nlisten = \"127.0.0.1:1\n", &[]);
    let problems = setup.problems();
    assert_eq!((problems.len(), problems[0].1.as_str()), (1, "scangate.toml line 2"));
    setup.sources.file = Some("/nonexistent/scangate.toml".into());
    let problem = setup.load().expect_err("there is no such file").to_string();
    assert!(problem.contains("(/nonexistent/scangate.toml): cannot be read: No such file"), "{problem}");
}

#[test]
fn a_server_needs_a_public_url_and_other_commands_do_not() {
    let mut setup = Setup::new("", &[]);
    assert_eq!(setup.config().server.public_url, None);
    setup.sources.serving = true;
    assert_eq!(setup.paths(), ["server.public_url"]);
}

#[test]
fn the_public_url_is_https_unless_it_is_loopback_and_has_nothing_behind_its_path() {
    let verdict = |url: &str| Setup::new("", &[("SCANGATE_SERVER__PUBLIC_URL", url)]).load().is_ok();
    for url in
        ["https://pay.example.com", "https://example.com/pay/", "http://127.0.0.1:8080", "http://[::1]:1"]
    {
        assert!(verdict(url), "{url}");
    }
    let long = format!("https://{}.example.com", "a".repeat(90));
    for url in ["http://pay.example.com", "ftp://localhost", "https://a@b.c", "https://b.c/?d", "b.c", &long]
    {
        assert!(!verdict(url), "{url}");
    }
    let config = Setup::new("", &[("SCANGATE_SERVER__PUBLIC_URL", "https://example.com/pay/")]).config();
    assert_eq!(config.server.public_base(), "https://example.com/pay");
}

#[test]
fn settings_that_do_not_go_together_are_reported_once_under_one_that_was_set() {
    let paths = |file: &str| Setup::new(file, &[]).paths();
    assert_eq!(paths("[deliveries]\ntimeout = \"30s\""), ["deliveries.timeout"]);
    assert_eq!(paths("[deliveries]\nlease = \"10s\""), ["deliveries.lease"]);
    assert_eq!(
        paths("[upstream]\ntimeout = \"26s\"\n[server]\nshutdown_grace = \"31s\""),
        ["upstream.timeout"]
    );
    assert_eq!(paths("[server]\nrequest_timeout = \"34s\""), ["server.request_timeout"]);
    assert_eq!(paths("[server]\nshutdown_grace = \"24s\""), ["server.shutdown_grace"]);
    assert_eq!(paths("[server]\nops_listen = \"0.0.0.0:8080\""), ["server.ops_listen"]);
    assert_eq!(paths("[orders]\nreturn_query_timeout = \"11s\""), ["orders.return_query_timeout"]);
    assert_eq!(paths("[store]\nqueue = 255"), ["store.queue"]);
    assert_eq!(paths("[store]\nstop_free_disk = \"1GiB\""), ["store.stop_free_disk"]);
    assert_eq!(paths("[secrets]\nmaster_key_file = \"\""), ["secrets.master_key_file"]);
    assert_eq!(paths("[deliveries]\nmax_in_flight = 4"), ["deliveries.max_in_flight"]);
}

#[test]
fn the_edges_of_what_goes_together_are_allowed() {
    for file in [
        "[server]\nrequest_timeout = \"35s\"\nshutdown_grace = \"25s\"",
        "[deliveries]\nlease = \"10s 1ms\"\njitter = 0.5",
        "[store]\nqueue = 256\nstop_free_disk = \"256MiB\"",
        "[server]\nlisten = \"127.0.0.1:0\"\nops_listen = \"127.0.0.1:0\"",
    ] {
        assert!(Setup::new(file, &[]).load().is_ok(), "{file}");
    }
}

#[test]
fn absurd_durations_are_a_problem_and_not_a_panic() {
    let longest = "584554049253years";
    let file = format!("[server]\nbody_timeout = \"{longest}\"\n[upstream]\ntimeout = \"{longest}\"");
    assert_eq!(Setup::new(&file, &[]).paths(), ["server.body_timeout", "upstream.timeout"]);
}

#[test]
fn an_empty_schedule_and_an_empty_allow_list_of_upstreams_are_refused() {
    let file = "[deliveries]\nschedule = []\n[upstream]\nallowed_base_urls = []";
    assert_eq!(Setup::new(file, &[]).paths(), ["upstream.allowed_base_urls", "deliveries.schedule"]);
}

#[test]
fn secrets_are_never_shown() {
    let secret = "7d4e9a11c0ffee";
    for url in [
        format!("postgres://gate:{secret}@db.internal/scangate"),
        format!("postgresql://db.internal/scangate?user=gate&password={secret}"),
    ] {
        let redis = format!("[redis]\nurl = \"redis://gate:{secret}@cache.internal/0\"\n");
        let file = format!("[store]\nurl = \"{url}\"\n[secrets]\nmaster_key = \"{secret}\"\n{redis}");
        let config = Setup::new(&file, &[]).config();
        assert_eq!(config.secrets.master_key.expose(), secret);
        let StoreUrl::Postgres(whole) = &config.store.url else { panic!("it is PostgreSQL's") };
        assert_eq!(whole.expose(), url);
        let shown = format!("{config:?}{:#?}{}{}", config, config.effective_toml(), config.store.url);
        assert!(!shown.contains(secret), "{shown}");
        assert!(shown.contains("master_key: ***") && shown.contains("db.internal/scangate"), "{shown}");
    }
}

#[test]
fn problems_with_secrets_do_not_repeat_them() {
    for file in [
        "[secrets]\nmaster_key = 71530",
        "[secrets]\nmaster_key = [\"71530\"]",
        "[store]\nurl = 71530",
        "[redis]\nurl = 71530",
        "[redis]\nurl = \"http://root:71530@host\"",
        "[redis]\nurl = \"redis://root:71530@ho st\"",
        "[store]\nurl = \"mysql://root:71530@host/db\"",
        "[store]\nurl = \"postgres://root:71530@host\"",
        "[store]\nurl = \"postgres://root:71530@ho st/db\"",
        "[secrets]\nmaster_key = \"71530",
    ] {
        let problem = Setup::new(file, &[]).load().expect_err("each is wrong").to_string();
        assert!(!problem.contains("71530"), "{problem}");
    }
}

#[test]
fn limits_are_quotas_and_wrong_ones_are_told_with_an_example() {
    let config = Setup::new("[limits]\nmerchant = \"5/10s\"", &[("SCANGATE_LIMITS__STORE", "1/1m")]).config();
    assert_eq!(
        (config.limits.merchant.to_string(), config.limits.store.to_string()),
        ("5/10s".into(), "1/1m".into())
    );
    assert_eq!(config.limits.nodes.get(), 1);
    assert!(config.redis.url.is_empty(), "no Redis is needed");
    assert_eq!(config.redis.deadline, Duration::from_millis(20));
    let wrong = "[limits]\nmerchant = \"many\"\nstore = \"0/1s\"\nnodes = 0\n[redis]\nprefix = \"a b\"\ndeadline = \"1h\"\nca_file = \"ca.pem\"";
    let problems = Setup::new(wrong, &[]).problems();
    let told: Vec<(&str, &str)> =
        problems.iter().map(|(path, _, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(
        told,
        [
            (
                "limits.merchant",
                "is not a quota such as \"200/1s\" or \"60/1m\". The default is merchant = \"200/1s\""
            ),
            ("limits.store", "allows less than 1 or more than 1000000. The default is store = \"100/1s\""),
            ("limits.nodes", "is signed int `0` instead of a whole number, not 0. The default is nodes = 1"),
            (
                "redis.ca_file",
                "is of no use: redis.url does not start with rediss://. Write rediss:// there, or leave this empty"
            ),
            ("redis.prefix", "is not a prefix for keys. Use 1 to 40 letters, digits and - _ : ."),
            ("redis.deadline", "is 1h. Choose between 1ms and 10s"),
        ]
    );
}

#[test]
fn a_proxy_and_an_address_to_leave_from_are_checked_and_the_password_is_not_shown() {
    let good = "[outgoing]\nproxy = \"http://gate:geheim@proxy.example:3128\"\nlocal_address = \"192.0.2.7\"";
    let config = Setup::new(good, &[]).config();
    assert_eq!(config.outgoing.local_address, "192.0.2.7".parse().ok());
    assert!(!config.effective_toml().contains("geheim"));
    let wrong = "[outgoing]\nproxy = \"socks5://gate:geheim@proxy\"\nlocal_address = \"0.0.0.0\"";
    let problems = Setup::new(wrong, &[]).problems();
    let told: Vec<(&str, &str)> =
        problems.iter().map(|(path, _, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(
        told,
        [
            (
                "outgoing.proxy",
                "does not start with http://. Write it like http://user:password@proxy.example:3128, or leave it empty"
            ),
            (
                "outgoing.local_address",
                "is not the address of one machine. Write one that this machine has, or leave it empty"
            ),
        ]
    );
    assert_eq!(Setup::new("[outgoing]\nlocal_address = \"eth0\"", &[]).paths(), ["outgoing.local_address"]);
}

#[test]
fn the_stores_url_can_come_from_a_file_but_not_from_two_places() {
    let folder = TempDir::new().expect("there is room for a temporary folder");
    let file = folder.path().join("url");
    fs::write(&file, "postgres://gate:pw@db/scangate\n").expect("the folder is ours");
    let name = file.to_str().expect("temporary folders have plain names");
    let setup = Setup::new("", &[("SCANGATE_STORE__URL_FILE", name)]);
    assert!(
        matches!(&setup.config().store.url, StoreUrl::Postgres(url) if url.expose().ends_with("/scangate"))
    );

    let both = Setup::new("[store]\nurl = \"sqlite:a.db\"", &[("SCANGATE_STORE__URL_FILE", name)]);
    assert_eq!(both.paths(), ["store.url_file"]);
    fs::write(&file, "mysql://gate:pw@db/scangate\n").expect("the folder is ours");
    let problem = setup.load().expect_err("not a store of ours").to_string();
    assert!(problem.contains("must start with sqlite:") && !problem.contains("pw"), "{problem}");
    fs::remove_file(&file).expect("the folder is ours");
    assert_eq!(setup.paths(), ["store.url_file"]);
}

#[test]
fn a_store_in_memory_or_without_a_name_is_refused() {
    let verdict = |url: &str| url.parse::<StoreUrl>().err();
    assert_eq!(verdict("sqlite::memory:"), Some(StoreUrlError::InMemory));
    assert_eq!(verdict("sqlite:"), Some(StoreUrlError::NoFile));
    assert_eq!(verdict("sqlite:a.db?mode=memory"), Some(StoreUrlError::Options));
    assert_eq!(verdict("postgres://host"), Some(StoreUrlError::NoDatabase));
    assert_eq!(verdict("a.db"), Some(StoreUrlError::Scheme));
    assert_eq!(verdict("sqlite:///var/lib/a.db").map(|_| ()), None);
    assert_eq!(verdict("postgres:///scangate?host=/run/postgresql").map(|_| ()), None);
}

#[test]
fn sizes_are_numbers_with_or_without_a_binary_unit() {
    use values::size::{parse, shown};
    assert_eq!(parse("64KiB"), Some(65536));
    assert_eq!(parse("1 GiB"), Some(1 << 30));
    assert_eq!(parse("100"), Some(100));
    assert_eq!(parse("100B"), Some(100));
    for wrong in ["", "KiB", "-1", "64KB", "64kib", "1.5MiB", "99999999999GiB"] {
        assert_eq!(parse(wrong), None, "{wrong}");
    }
    assert_eq!([0, 100, 1024, 1025, 3 << 20].map(shown), ["0B", "100B", "1KiB", "1025B", "3MiB"]);
}

#[test]
fn the_effective_settings_say_where_each_came_from_and_load_again_to_the_same() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\n";
    let setup = Setup::new(file, &[("SCANGATE_DELIVERIES__SCHEDULE", "1s,2s")]);
    let shown = setup.config().effective_toml();
    let line =
        |start: &str| shown.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned();
    assert!(line("listen").ends_with("/scangate.toml line 2"), "{shown}");
    assert_eq!(
        line("schedule"),
        "schedule = [\"1s\", \"2s\"]  # from environment variable SCANGATE_DELIVERIES__SCHEDULE"
    );
    assert_eq!(line("max_body"), "max_body = \"64KiB\"");
    let again = Setup::new(&shown, &[]).config();
    let plain = |text: &str| text.parse::<toml::Table>().expect("it is TOML");
    assert_eq!(plain(&again.effective_toml()), plain(&shown));
}

#[test]
fn an_account_may_name_an_allowed_base_url_with_or_without_a_slash() {
    let upstream = Config::default().upstream;
    let mode =
        |upstream: &super::Upstream, url: &str| upstream.mode_of(&Url::parse(url).expect("it is a URL"));
    let allows = |url: &str| mode(&upstream, url) == Some(Mode::Live);
    assert!(allows("https://pay.scanforpay.com") && allows("https://pay.scanforpay.com/"));
    assert!(!allows("https://pay.scanforpay.com.evil.example") && !allows("http://pay.scanforpay.com"));
    assert!(!allows("https://pay.scanforpay.com/elsewhere"));

    let sandbox = "[upstream]\nsandbox_base_urls = [\"http://127.0.0.1:8081\"]";
    let upstream = Setup::new(sandbox, &[]).config().upstream;
    assert_eq!(mode(&upstream, "http://127.0.0.1:8081/"), Some(Mode::Test));
    assert_eq!(mode(&upstream, "http://127.0.0.1:8082"), None);
    let both = "[upstream]\nsandbox_base_urls = [\"https://pay.scanforpay.com\"]";
    assert_eq!(Setup::new(both, &[]).paths(), ["upstream.sandbox_base_urls"]);
}

#[test]
fn trusted_hops_are_a_count_or_networks_in_the_file_and_in_the_environment() {
    let hops = |text: &str| Setup::new(&format!("[server]\ntrusted_hops = {text}"), &[]);
    let by_environment = |text: &str| Setup::new("", &[("SCANGATE_SERVER__TRUSTED_HOPS", text)]);
    let networks = TrustedHops::Networks(vec![
        "10.1.0.0/16".parse().expect("a network"),
        "192.0.2.1/32".parse().expect("a network"),
    ]);
    assert_eq!(Config::default().server.trusted_hops, TrustedHops::Count(0));
    assert_eq!(Config::default().server.forwarded_header, ForwardedHeader::XForwardedFor);
    for setup in [hops("16"), by_environment("16")] {
        assert_eq!(setup.config().server.trusted_hops, TrustedHops::Count(16));
    }
    for setup in [hops("[\"10.1.0.0/16\", \"192.0.2.1\"]"), by_environment("10.1.0.0/16, 192.0.2.1")] {
        let config = setup.config();
        assert_eq!(config.server.trusted_hops, networks);
        assert!(config.effective_toml().contains(r#"trusted_hops = ["10.1.0.0/16", "192.0.2.1"]"#));
    }
    for wrong in ["17", "-1", "\"proxy\"", "[\"10.1.0.0/33\"]", "true"] {
        assert_eq!(hops(wrong).paths(), ["server.trusted_hops"], "{wrong}");
    }
    let header = Setup::new("[server]\nforwarded_header = \"X-Real-IP\"", &[]);
    assert_eq!(header.paths(), ["server.forwarded_header"]);
}
