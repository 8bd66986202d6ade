//! The user and group that the server runs as (CONTRACT D22, S12).

use std::ffi::{CStr, CString};
use std::ptr;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid, setgid, setuid};
use rustix::process::getgroups;

use crate::config::{Options, decimal};
use crate::error::StartError;
use crate::log;

/// The user and group of a server, found before anything is changed.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    groups: Groups,
}

/// The supplementary groups.
#[derive(Debug)]
enum Groups {
    /// The groups stay as they are.
    Kept,
    /// The groups are those of the user of this name.
    OfUser(CString),
    /// There are none: the system does not know the user.
    None,
}

/// The user and the group of a server that is started as root, where none is given.
const NOBODY: &str = "nobody";
/// The name of that group on some systems.
const NOGROUP: &str = "nogroup";

impl Credentials {
    /// Looks up what the options ask for. `is_kept`: where they ask for nothing, root stays root.
    pub(crate) fn find(options: &Options, is_kept: bool) -> Result<Self, StartError> {
        let asks = options.user.is_some() || options.group.is_some();
        match geteuid().is_root() && (asks || !is_kept) {
            true => Self::find_for_root(options),
            false => Self::find_own(options),
        }
    }

    fn find_for_root(options: &Options) -> Result<Self, StartError> {
        let user = Account::find(options.user.as_deref().unwrap_or(NOBODY))?;
        let gid = match &options.group {
            Some(name) => find_group(name)?,
            // A system that knows neither may know no group at all.
            None => find_group(NOBODY).or_else(|_| find_group(NOGROUP)).unwrap_or(user.gid),
        };
        let groups = match user.name {
            Some(name) => Groups::OfUser(CString::new(name).map_err(StartError::new)?),
            None => Groups::None,
        };
        Ok(Self { uid: user.uid, gid, groups })
    }

    /// Looks up what the options ask for where the server is not root: it must be what the server has.
    fn find_own(options: &Options) -> Result<Self, StartError> {
        let why = "only root can change to another";
        let (uid, mut gid) = (geteuid(), getegid());
        if let Some(name) = &options.user
            && Account::find(name)?.uid != uid
        {
            return Err(StartError::option("-u", name, why));
        }
        if let Some(name) = &options.group {
            let wanted = find_group(name)?;
            let is_own = |group: &rustix::process::Gid| group.as_raw() == wanted.as_raw();
            if wanted != gid && !getgroups().is_ok_and(|groups| groups.iter().any(is_own)) {
                return Err(StartError::option("-g", name, why));
            }
            gid = wanted;
        }
        Ok(Self { uid, gid, groups: Groups::Kept })
    }

    /// Says so where a server that is not root's keeps its user and group without being told to.
    pub(crate) fn log(&self, options: &Options) {
        if matches!(self.groups, Groups::Kept) && options.user.is_none() && options.group.is_none()
        {
            let user = User::from_uid(self.uid).ok().flatten().map(|user| user.name);
            let group = Group::from_gid(self.gid).ok().flatten().map(|group| group.name);
            log::warning(&format!(
                "not started as root: runs as user {}, group {}",
                user.unwrap_or_else(|| self.uid.to_string()),
                group.unwrap_or_else(|| self.gid.to_string()),
            ));
        }
    }

    /// Whether what root may do is about to be lost.
    pub(crate) fn is_drop(&self) -> bool {
        !matches!(self.groups, Groups::Kept) && !self.uid.is_root()
    }

    /// Becomes the user of these credentials, for good.
    pub(crate) fn assume(&self) -> Result<(), StartError> {
        let change = || {
            match &self.groups {
                Groups::Kept => return Ok(()),
                Groups::OfUser(name) => init_groups(name, self.gid)?,
                Groups::None => clear_groups()?,
            }
            setgid(self.gid)?;
            setuid(self.uid)
        };
        change().map_err(|error| {
            let name = match &self.groups {
                Groups::OfUser(name) => name.to_string_lossy().into_owned(),
                Groups::Kept | Groups::None => self.uid.to_string(),
            };
            StartError::option("-u", name, format_args!("cannot change to it: {}", error.desc()))
        })?;
        if self.is_drop() && setuid(Uid::from_raw(0)).is_ok() {
            return Err(StartError::new("root's privileges could not be given up"));
        }
        Ok(())
    }
}

/// Takes on a user's supplementary groups. nix leaves this out on macOS.
fn init_groups(user: &CStr, gid: Gid) -> nix::Result<()> {
    // SAFETY: the name ends with a zero byte.
    Errno::result(unsafe { libc::initgroups(user.as_ptr(), gid.as_raw() as _) }).map(drop)
}

/// Has no supplementary group. nix leaves this out on macOS.
fn clear_groups() -> nix::Result<()> {
    // SAFETY: no group is read.
    Errno::result(unsafe { libc::setgroups(0, ptr::null()) }).map(drop)
}

/// A user, whom the system may know by a number alone.
struct Account {
    uid: Uid,
    /// The user's own group.
    gid: Gid,
    name: Option<String>,
}

impl Account {
    /// Finds a user by name, or by number where nobody has such a name. Without an entry the group is the
    /// one of the same number.
    fn find(text: &str) -> Result<Self, StartError> {
        let fail = |why: &str| StartError::option("-u", text, why);
        let look_up = |user| found(user).map_err(|error| fail(error.desc()));
        let number = number(text).map(Uid::from_raw);
        let user = match (look_up(User::from_name(text))?, number) {
            (None, Some(uid)) => look_up(User::from_uid(uid))?,
            (named, _) => named,
        };
        match (user, number) {
            (Some(user), _) => Ok(Self { uid: user.uid, gid: user.gid, name: Some(user.name) }),
            (None, Some(uid)) => Ok(Self { uid, gid: Gid::from_raw(uid.as_raw()), name: None }),
            (None, None) => Err(fail("there is no such user")),
        }
    }
}

/// Finds a group by name, or by number where there is none of such a name.
fn find_group(text: &str) -> Result<Gid, StartError> {
    match found(Group::from_name(text)) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => {
            let gid = number(text).map(Gid::from_raw);
            gid.ok_or_else(|| StartError::option("-g", text, "there is no such group"))
        }
        Err(error) => Err(StartError::option("-g", text, error.desc())),
    }
}

/// The number of a user or group. The highest stands for none (setreuid(2)).
fn number(text: &str) -> Option<u32> {
    decimal(text).filter(|number| *number != u32::MAX)
}

/// What was looked up. Where there is no file to look into, getpwnam_r(3) says so in one of these words.
fn found<T>(looked_up: nix::Result<Option<T>>) -> nix::Result<Option<T>> {
    match looked_up {
        Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => Ok(None),
        found => found,
    }
}
