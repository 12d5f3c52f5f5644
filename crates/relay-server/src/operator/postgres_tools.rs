//! `pg_dump` and `pg_restore`: PostgreSQL's own way to copy a database, with its own rules for
//! what depends on what.
//!
//! They have to be on the machine, of the server's version or newer. They are given the password in
//! a variable, since everybody can read the words a program was called with.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::OperatorError;

/// Where Debian and its like keep each version's programs, beside the `PATH`.
const HOME: &str = "/usr/lib/postgresql";

/// Writes the database at `url` into `file`, in the custom format.
pub(super) async fn dump(url: &str, file: &Path) -> Result<(), OperatorError> {
    let mut command = program("pg_dump", url)?;
    command.args(["--format=custom", "--no-owner", "--no-privileges", "--file"]).arg(file);
    run("pg_dump", command).await
}

/// Fills the empty database at `url` from `file`, in one transaction.
pub(super) async fn restore(url: &str, file: &Path) -> Result<(), OperatorError> {
    let mut command = program("pg_restore", url)?;
    command.args(["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]);
    command.arg(file);
    run("pg_restore", command).await
}

fn program(name: &'static str, url: &str) -> Result<Command, OperatorError> {
    let path = find(name).ok_or(OperatorError::NoTool(name))?;
    let mut command = Command::new(path);
    let (url, password) = split(url);
    command.arg("--dbname").arg(url);
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    Ok(command)
}

async fn run(name: &'static str, mut command: Command) -> Result<(), OperatorError> {
    let output = command.output().await?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("it did not say why").to_owned();
    Err(OperatorError::Tool { name, said })
}

/// On the `PATH`, else the newest of the versions that are installed.
fn find(name: &str) -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH");
    let on_path = on_path.iter().flat_map(std::env::split_paths).map(|folder| folder.join(name));
    let mut versions: Vec<_> = std::fs::read_dir(HOME)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin").join(name)))
        })
        .collect();
    versions.sort();
    let installed = versions.into_iter().rev().map(|(_, path)| path);
    // The one on the PATH may be a wrapper that picks a version by itself; a real one comes first.
    installed.chain(on_path).find(|path| path.is_file())
}

/// A URL without its password, and the password.
fn split(url: &str) -> (String, Option<String>) {
    let parts = || {
        let (scheme, rest) = url.split_once("://")?;
        let (user, host) = rest.rsplit_once('@')?;
        let (name, password) = user.split_once(':')?;
        Some((format!("{scheme}://{name}@{host}"), decoded(password)))
    };
    parts().map_or_else(|| (url.to_owned(), None), |(url, password)| (url, Some(password)))
}

/// `%40` and the like, as they are meant.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let digits = others.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = others.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_taken_out_of_the_url() {
        assert_eq!(
            split("postgres://relay:p%40ss@db/sealwire?sslmode=verify-full"),
            ("postgres://relay@db/sealwire?sslmode=verify-full".into(), Some("p@ss".into()))
        );
        assert_eq!(split("postgres://relay@db/x"), ("postgres://relay@db/x".into(), None));
        assert_eq!(split("postgres:///x?host=/run"), ("postgres:///x?host=/run".into(), None));
    }
}
