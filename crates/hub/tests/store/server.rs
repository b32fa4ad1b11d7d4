//! A PostgreSQL server of the tests: started when the first of them needs one, gone with the test program.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use hub::store::PostgresConfig;
use rcgen::{CertificateParams, KeyPair};

/// Starts a server and does what its lines on standard input say; the end of them ends it and removes its folder. The arguments
/// are the folder, the folder of the programs, the port, and a command that runs another one as a user who is not root.
const SCRIPT: &str = r#"
set -eu
dir=$1 bin=$2 port=$3; shift 3
start() {
    "$@" "$bin/postgres" -D "$dir/data" -k "$dir" -p "$port" -c listen_addresses="$LISTEN" -c hba_file="$dir/hba" \
        -c fsync=off -c full_page_writes=off -c max_connections=200 -c autovacuum=off \
        -c ssl=on -c ssl_cert_file="$dir/server.pem" -c ssl_key_file="$dir/server.key" >>"$dir/log" 2>&1 </dev/null &
    server=$!
    until "$@" "$bin/pg_isready" -q -h "$dir" -p "$port"; do kill -0 "$server"; sleep 0.05; done
}
stop() { kill -INT "$server"; wait "$server" || true; }
trap 'rm -rf "$dir"' EXIT
[ $# = 1 ] || chown -R postgres "$dir"
"$@" "$bin/initdb" -D "$dir/data" -U mains -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1
start "$@"; echo ready
while read -r verb; do "$verb" "$@"; echo ready; done
stop
"#;

/// Access: to all through the socket in the folder, with a password over TCP, and to all in the network of a laboratory.
const ACCESS: &str = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n\
    host all all 10.79.0.0/24 trust\n";

/// A server and the shell that minds it.
pub struct PostgresServer {
    folder: PathBuf,
    pub port: u16,
    /// The certificate (PEM), for `localhost`.
    pub certificate: PathBuf,
    shell: Mutex<(Child, BufReader<ChildStdout>)>,
    databases: AtomicU32,
}

static SHARED: LazyLock<Result<PostgresServer, String>> = LazyLock::new(PostgresServer::start);

impl PostgresServer {
    /// Returns the server that all tests of this program share.
    pub fn shared() -> Result<&'static Self, String> {
        SHARED.as_ref().map_err(Clone::clone)
    }

    /// Starts a server.
    pub fn start() -> Result<Self, String> {
        Self::start_on("127.0.0.1")
    }

    /// Starts a server that listens on an address.
    pub fn start_on(address: &str) -> Result<Self, String> {
        let programs = programs()?;
        let folder = tempfile::Builder::new()
            .prefix("mains-postgres-")
            .tempdir()
            .unwrap()
            .keep();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.join("server.pem"), certificate.pem()).unwrap();
        fs::write(folder.join("hba"), ACCESS).unwrap();
        let key_file = folder.join("server.key");
        fs::write(&key_file, key.serialize_pem()).unwrap();
        fs::set_permissions(
            &key_file,
            std::os::unix::fs::PermissionsExt::from_mode(0o600),
        )
        .unwrap();
        let port = free_port();
        let mut command = Command::new("sh");
        command
            .args(["-c", SCRIPT, "sh"])
            .args([&folder, &programs])
            .arg(port.to_string());
        if nix::unistd::geteuid().is_root() {
            let user = ["--reuid=postgres", "--regid=postgres", "--clear-groups"];
            command.arg("setpriv").args(user);
        } else {
            command.arg("env");
        }
        let mut shell = command
            .env("LISTEN", address)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let replies = BufReader::new(shell.stdout.take().unwrap());
        let server = Self {
            port,
            certificate: folder.join("server.pem"),
            folder,
            shell: Mutex::new((shell, replies)),
            databases: AtomicU32::new(0),
        };
        server.wait();
        Ok(server)
    }

    /// Does one thing with it: `stop` or `start`.
    pub fn tell(&self, verb: &str) {
        {
            let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
            writeln!(shell.0.stdin.as_mut().unwrap(), "{verb}").unwrap();
        }
        self.wait();
    }

    fn wait(&self) {
        let mut line = String::new();
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        shell.1.read_line(&mut line).unwrap();
        let log = || fs::read_to_string(self.folder.join("log"));
        assert_eq!(line, "ready\n", "{:?}", log());
    }

    /// Makes an empty database and returns its name.
    pub fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.execute("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// Executes SQL and returns what it prints.
    pub fn execute(&self, database: &str, sql: &str) -> String {
        let output = Command::new(programs().unwrap().join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .args(["-U", "mains", "-d", database, "-p"])
            .arg(self.port.to_string())
            .arg("-h")
            .arg(&self.folder)
            .args(["-c", sql])
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {error}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs one of the database's own tools.
    pub fn tool(&self, name: &str, arguments: &[&str]) {
        let output = Command::new(programs().unwrap().join(name))
            .args(["-U", "mains", "-h"])
            .arg(&self.folder)
            .args(["-p", &self.port.to_string()])
            .args(arguments)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {error}");
    }

    /// Returns how a database is reached through the socket in the folder.
    pub fn config(&self, database: &str) -> PostgresConfig {
        let (folder, port) = (self.folder.display(), self.port);
        config(&format!(
            "postgres://mains@localhost:{port}/{database}?host={folder}"
        ))
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        drop(shell.0.stdin.take());
        let _ = shell.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A database without a password.
pub fn config(url: &str) -> PostgresConfig {
    PostgresConfig {
        url: url.parse().unwrap(),
        password: None,
        ca_file: None,
        site: api::SiteName::default(),
    }
}

/// Returns the folder of the server's programs, which Debian does not have in the path.
fn programs() -> Result<PathBuf, String> {
    let missing = "PostgreSQL is missing (Debian package postgresql)";
    let versions = fs::read_dir("/usr/lib/postgresql").map_err(|_| missing)?;
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    let has_server = |folder: &PathBuf| Path::is_file(&folder.join("initdb"));
    let newest = folders.filter(has_server).max();
    newest.ok_or_else(|| missing.to_owned())
}
