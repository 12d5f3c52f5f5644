//! The account under which PostgreSQL runs, since it refuses to run as root.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::failure::Failure;

/// Accounts without rights that may hold a database for a while, the best first.
const CANDIDATES: [&str; 3] = ["postgres", "nobody", "daemon"];

/// An account of this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Account {
    user: u32,
    group: u32,
}

impl Account {
    /// Picks an account to stand in for root; `None` when we are not root.
    ///
    /// # Errors
    ///
    /// [`Failure::Missing`] if root has nobody to stand in for it.
    pub(crate) fn instead_of_root() -> Result<Option<Self>, Failure> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let accounts =
            fs::read_to_string("/etc/passwd").map_err(Failure::files("cannot read /etc/passwd"))?;
        CANDIDATES.iter().find_map(|name| find(&accounts, name)).map(Some).ok_or_else(|| {
            Failure::Missing(format!(
                "PostgreSQL does not run as root, and none of the accounts {} exists",
                CANDIDATES.join(", ")
            ))
        })
    }

    /// Gives `path` to this account.
    pub(crate) fn take_over(&self, path: &Path) -> Result<(), Failure> {
        chown(path, Some(self.user), Some(self.group))
            .map_err(Failure::files(format!("cannot give away {}", path.display())))
    }

    /// Lets `command` run as this account.
    pub(crate) fn run_as(&self, command: &mut Command) {
        command.uid(self.user).gid(self.group);
    }
}

/// Finds `name` in the text of `/etc/passwd`: `name:password:user:group:…`.
fn find(accounts: &str, name: &str) -> Option<Account> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let user = fields.nth(1)?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        // An account that is root by another name is no help.
        (user != 0).then_some(Account { user, group })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNTS: &str = "root:x:0:0:root:/root:/bin/bash\n\
                            postgresql:x:99:99::/:/bin/sh\n\
                            postgres:x:105:112:PostgreSQL:/var/lib/postgresql:/bin/bash\n\
                            toor:x:0:0::/root:/bin/sh\n";

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        assert_eq!(find(ACCOUNTS, "postgres"), Some(Account { user: 105, group: 112 }));
        assert_eq!(find(ACCOUNTS, "postgre"), None);
    }

    #[test]
    fn root_by_another_name_is_not_taken() {
        assert_eq!(find(ACCOUNTS, "toor"), None);
    }
}
