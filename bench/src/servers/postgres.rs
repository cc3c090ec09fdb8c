//! A PostgreSQL of the bench's own: a fresh cluster, everything at its default, durability above all.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use rustix::process::{Signal, geteuid};
use sea_orm::{ConnectionTrait, Database};

use crate::process::{Server, run};

use super::{free_address, password};

/// Start a fresh server; gives the URL of its database too.
pub async fn start(folder: &Path, programs: Option<&Path>) -> anyhow::Result<(Server, String)> {
    let programs = match programs {
        Some(folder) => folder.to_owned(),
        None => find_programs()?,
    };
    let owner = owner()?;
    let home = folder.join("postgres");
    fs::create_dir(&home)?;
    let password = password()?;
    let password_file = home.join("password");
    fs::write(&password_file, &password)?;
    fs::set_permissions(&password_file, fs::Permissions::from_mode(0o600))?;
    if let Some((user, group)) = owner {
        // The server's user has to get through the folder around it.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o711))?;
        chown(&home, Some(user), Some(group))?;
        chown(&password_file, Some(user), Some(group))?;
    }
    let program = |name: &str| {
        let mut command = Command::new(programs.join(name));
        if let Some((user, group)) = owner {
            command.uid(user).gid(group);
        }
        command.current_dir(&home).env("LC_ALL", "C");
        command
    };
    let cluster = home.join("data");
    let mut initdb = program("initdb");
    initdb.arg("-D").arg(&cluster).arg("--pwfile").arg(&password_file);
    initdb.args(["-U", "bench", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]);
    run("initdb", &mut initdb)?;

    let address = free_address()?;
    let mut postgres = program("postgres");
    postgres.arg("-D").arg(&cluster).args(["-p", &address.port().to_string()]);
    postgres.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
    // SIGINT is its fast shutdown: sessions are ended, the cluster is closed in order.
    let mut server = Server::start("PostgreSQL", postgres, Signal::INT, folder.join("postgres.log"))?;
    let state = cluster.join("postmaster.pid");
    server.ready(async || is_ready(&state)).await?;
    Ok((server, format!("postgres://bench:{password}@{address}/postgres")))
}

/// Another database of the server whose `postgres` database has this URL.
pub async fn another(url: &str, name: &str) -> anyhow::Result<String> {
    let server = Database::connect(url).await?;
    server.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
    let before = url.strip_suffix("postgres").context("the URL of another database")?;
    Ok(format!("{before}{name}"))
}

/// The eighth line of the server's own state file, which `pg_ctl` goes by too.
fn is_ready(state: &Path) -> bool {
    fs::read_to_string(state).is_ok_and(|text| text.lines().nth(7).map(str::trim) == Some("ready"))
}

/// Where `initdb` and `postgres` are: on the path, else the newest of Debian's versioned folders.
fn find_programs() -> anyhow::Result<PathBuf> {
    if let Ok(folder) = run("pg_config", Command::new("pg_config").arg("--bindir")) {
        let folder = PathBuf::from(folder.trim());
        if folder.join("initdb").exists() {
            return Ok(folder);
        }
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions
        .map(|entry| entry.path().join("bin"))
        .filter(|folder| folder.join("initdb").exists())
        .max_by_key(|folder| version(folder))
        .context("PostgreSQL's initdb is not installed here; name its folder with --postgres")
}

/// The 15 of `/usr/lib/postgresql/15/bin`.
fn version(programs: &Path) -> u32 {
    let name = programs.parent().and_then(Path::file_name).and_then(OsStr::to_str);
    name.and_then(|name| name.parse().ok()).unwrap_or(0)
}

/// The user and group to run as: PostgreSQL refuses to run as root.
fn owner() -> anyhow::Result<Option<(u32, u32)>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    match ids(&users, "postgres") {
        Some(ids) => Ok(Some(ids)),
        None => bail!("PostgreSQL does not run as root, and there is no user `postgres` to run it as"),
    }
}

fn ids(users: &str, name: &str) -> Option<(u32, u32)> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_numbers_are_found_by_the_whole_name() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\npostgres2:x:9:9::/:\npostgres:x:101:104:a,b:/var/lib:/bin/sh\n";
        assert_eq!(ids(users, "postgres"), Some((101, 104)));
        assert_eq!(ids(users, "nobody"), None);
    }

    #[test]
    fn the_newest_version_is_the_larger_number_and_not_the_later_word() {
        let version = |text| version(Path::new(text));
        assert!(version("/usr/lib/postgresql/15/bin") > version("/usr/lib/postgresql/9/bin"));
    }
}
