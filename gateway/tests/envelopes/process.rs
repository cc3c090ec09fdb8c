//! The real program as a process of its own, so that its memory is its own: `scangate demo` on ports that the system
//! chooses.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gateway::demo::file::DemoFile;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::time::timeout;
use url::Url;

/// How long a start may take.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Demo {
    child: Child,
    folder: TempDir,
    pub address: SocketAddr,
    pub file: DemoFile,
}

impl Demo {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = File::create(folder.path().join("log")).expect("the folder is ours");
        let mut command = Command::new(env!("CARGO_BIN_EXE_scangate"));
        // The allocator gives back at once what is freed and takes no more than is asked for: what is measured is
        // what is kept, within a MiB or two, and not what it holds in reserve.
        command.env_clear().env("MIMALLOC_PURGE_DELAY", "0").env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
        // One merchant and one stranger send thousands of requests in a second.
        for limit in ["PLATFORM", "MERCHANT", "STORE", "ACCOUNT", "FAILED_AUTHENTICATIONS"] {
            command.env(format!("SCANGATE_LIMITS__{limit}"), "1000000/1s");
        }
        command.args(["demo", "--data"]).arg(folder.path());
        for listener in ["--listen", "--sandbox-listen", "--ops-listen", "--shop-listen"] {
            command.args([listener, "127.0.0.1:0"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("scangate starts");
        let says = BufReader::new(child.stdout.take().expect("it is piped"));
        let (serving, serves) = oneshot::channel();
        std::thread::spawn(move || listen(says, serving));
        let serves = timeout(PATIENCE, serves).await.expect("it starts in time").is_ok();
        assert!(serves, "it ended: {}", read(&folder.path().join("log")));
        let file: DemoFile = serde_json::from_str(&read(&folder.path().join("demo.json")))
            .expect("it has written down who there is");
        let address =
            Url::parse(&file.gateway.base_url).expect("a URL").socket_addrs(|| None).expect("an address")[0];
        Self { child, folder, address, file }
    }

    /// Resident memory in bytes, without the pages of files: those come and go as the system likes.
    pub fn memory(&self) -> u64 {
        let status = read(Path::new(&format!("/proc/{}/status", self.child.id())));
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("it runs");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number of kB");
        kilobytes * 1024
    }

    pub fn log(&self) -> String {
        read(&self.folder.path().join("log"))
    }
}

/// Take what it says until it ends; tell when it serves.
fn listen(says: impl BufRead, serving: oneshot::Sender<()>) {
    let mut serving = Some(serving);
    for line in says.lines().map_while(Result::ok) {
        if line.contains("is running")
            && let Some(serving) = serving.take()
        {
            // Nobody listens any more if it took too long.
            let _ = serving.send(());
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Whatever became of the test: nothing is left running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
