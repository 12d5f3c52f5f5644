//! Finding the programs that the tests need, and installing them where that is ours to do.
//!
//! Installing happens on Debian and its descendants, as root, and nowhere else: that is the
//! container case. Everybody else is told what to install.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::command::{run_quietly, say, seconds};
use crate::failure::Failure;

/// Folders whose children `*/bin` hold PostgreSQL where it stays off the `PATH`: Debian, Red Hat,
/// Homebrew on both kinds of Mac. Each child's name ends in a version.
const POSTGRES_HOMES: [&str; 4] =
    ["/usr/lib/postgresql", "/usr", "/opt/homebrew/opt", "/usr/local/opt"];

/// Debian asks this program whether a package may start its service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// A program that the tests need.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Tool {
    /// The PostgreSQL server; found as the folder that holds `initdb` and `postgres`.
    Postgres,
    /// The Redis server, or Valkey.
    Redis,
    /// The tracer of system calls.
    Strace,
}

impl Tool {
    /// Returns Debian's package.
    fn package(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Redis => "redis-server",
            Self::Strace => "strace",
        }
    }

    fn find(self) -> Option<PathBuf> {
        match self {
            Self::Postgres => find_postgres(),
            Self::Redis => on_path("redis-server").or_else(|| on_path("valkey-server")),
            Self::Strace => on_path("strace"),
        }
    }
}

/// Where each tool lies.
#[derive(Debug)]
pub(crate) struct Found(BTreeMap<Tool, PathBuf>);

impl Found {
    /// Returns the path of `tool`.
    pub(crate) fn path(&self, tool: Tool) -> Result<&Path, Failure> {
        self.0.get(&tool).map(PathBuf::as_path).ok_or_else(|| missing(&[tool]))
    }
}

/// Finds every tool in `wanted`, installing what is missing where that is possible.
///
/// # Errors
///
/// [`Failure::Missing`] with a sentence that says what to install.
pub(crate) fn provide(wanted: &[Tool]) -> Result<Found, Failure> {
    let lacking: Vec<Tool> = wanted.iter().copied().filter(|tool| tool.find().is_none()).collect();
    if !lacking.is_empty() {
        install(&lacking)?;
    }
    let find = |tool: &Tool| tool.find().map(|path| (*tool, path)).ok_or_else(|| missing(&[*tool]));
    wanted.iter().map(find).collect::<Result<_, _>>().map(Found)
}

fn install(tools: &[Tool]) -> Result<(), Failure> {
    let packages: Vec<&str> = tools.iter().map(|tool| tool.package()).collect();
    if install_packages(&packages)? { Ok(()) } else { Err(missing(tools)) }
}

/// Installs Debian's `packages`; tells `false` where that is not ours to do.
///
/// # Errors
///
/// [`Failure::Step`] with what apt-get said.
pub(crate) fn install_packages(packages: &[&str]) -> Result<bool, Failure> {
    let root = rustix::process::geteuid().is_root();
    let Some(apt_get) = on_path("apt-get").filter(|_| root) else {
        return Ok(false);
    };
    say(&format!("installing {} with apt-get", packages.join(", ")));
    let started = Instant::now();
    let _asleep = ServicesAsleep::set()?;

    let mut update = Command::new(&apt_get);
    if let Err(failure) = run_quietly("apt-get update", update.args(["-q", "update"])) {
        // One unreachable source fails the update, yet the packages may come from another.
        say(&failure.to_string());
    }
    let mut install = Command::new(&apt_get);
    install
        .args(["-q", "install", "-y", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    run_quietly("apt-get install", &mut install)?;
    say(&format!("installed in {}", seconds(started.elapsed())));
    Ok(true)
}

fn missing(tools: &[Tool]) -> Failure {
    let packages: Vec<&str> = tools.iter().map(|tool| tool.package()).collect();
    let packages = packages.join(" ");
    Failure::Missing(format!(
        "the tests need {packages}; install what is missing, on Debian or Ubuntu with \
         `sudo apt-get install {packages}`, on macOS with `brew install postgresql redis`"
    ))
}

/// Keeps packages from starting their services while it lives, so that we leave none running.
///
/// An administrator's own policy is left as it is.
struct ServicesAsleep {
    ours: bool,
}

impl ServicesAsleep {
    fn set() -> Result<Self, Failure> {
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        let because = || Failure::files(format!("cannot write {POLICY}"));
        // 101 is Debian's "action forbidden by policy".
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").map_err(because())?;
        let asleep = Self { ours: true };
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)).map_err(because())?;
        Ok(asleep)
    }
}

impl Drop for ServicesAsleep {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_file(POLICY)
        {
            say(&format!("{POLICY} is ours and could not be removed: {error}"));
        }
    }
}

/// Finds the folder with PostgreSQL's programs, the newest version first, the `PATH` last: copies
/// and links on the `PATH` do not always find the files they belong to.
fn find_postgres() -> Option<PathBuf> {
    let mut folders: Vec<(u32, PathBuf)> =
        POSTGRES_HOMES.iter().flat_map(|home| versions_in(Path::new(home))).collect();
    folders.sort();
    folders
        .into_iter()
        .rev()
        .map(|(_, folder)| folder)
        .find(|folder| holds_postgres(folder))
        .or_else(|| {
            let initdb = fs::canonicalize(on_path("initdb")?).ok()?;
            initdb.parent().filter(|folder| holds_postgres(folder)).map(Path::to_path_buf)
        })
}

/// Lists `home/*/bin` of the children that look like PostgreSQL, with their major versions.
fn versions_in(home: &Path) -> Vec<(u32, PathBuf)> {
    let children = fs::read_dir(home).into_iter().flatten().flatten();
    children
        .filter_map(|child| {
            let version = postgres_version(child.file_name().to_str()?)?;
            Some((version, child.path().join("bin")))
        })
        .collect()
}

/// Reads the version out of a folder's name: `15`, `pgsql-16`, `postgresql@17`.
fn postgres_version(name: &str) -> Option<u32> {
    let version = ["postgresql@", "pgsql-"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    version.parse().ok()
}

fn holds_postgres(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|name| is_program(&folder.join(name)))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    find_in(&path, name)
}

fn find_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_folder_tells_the_version() {
        assert_eq!(postgres_version("15"), Some(15));
        assert_eq!(postgres_version("pgsql-16"), Some(16));
        assert_eq!(postgres_version("postgresql@17"), Some(17));
        assert_eq!(postgres_version("lib"), None);
    }

    #[test]
    fn a_file_that_may_not_be_run_is_no_program() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("redis-server");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let path = folder.path().as_os_str();

        assert_eq!(find_in(path, "redis-server"), None);

        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find_in(path, "redis-server"), Some(file));
    }

    #[test]
    fn what_is_missing_is_named_with_the_way_to_get_it() {
        let sentence = missing(&[Tool::Redis, Tool::Strace]).to_string();

        assert!(sentence.contains("apt-get install redis-server strace"), "{sentence}");
    }
}
