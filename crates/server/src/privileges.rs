//! The user and group that the server runs as (CONTRACT D22, S12).

use std::ffi::{CStr, CString};

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid, setgid, setuid};
use rustix::process::getgroups;

use crate::log;
use crate::options::Options;
use crate::start::StartError;

/// The user and group of a server, found before anything is changed.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    /// Whose supplementary groups are taken on; `None` where everything stays as it is.
    user: Option<CString>,
}

/// Where the server starts as root and no user or group is given.
const NOBODY: &str = "nobody";
/// What some systems call that group.
const NOGROUP: &str = "nogroup";

impl Credentials {
    /// Looks up what the options ask for.
    pub(crate) fn find(options: &Options) -> Result<Self, StartError> {
        if geteuid().is_root() { Self::find_for_root(options) } else { Self::find_own(options) }
    }

    fn find_for_root(options: &Options) -> Result<Self, StartError> {
        let user = find_user(options.user.as_deref().unwrap_or(NOBODY))?;
        let gid = match &options.group {
            Some(name) => find_group(name)?,
            None => find_group(NOBODY).or_else(|error| find_group(NOGROUP).map_err(|_| error))?,
        };
        let name = CString::new(user.name).map_err(StartError::new)?;
        Ok(Self { uid: user.uid, gid, user: Some(name) })
    }

    /// Only root can change: what is asked for must be what the server has.
    fn find_own(options: &Options) -> Result<Self, StartError> {
        let why = "only root can change to another";
        let (uid, mut gid) = (geteuid(), getegid());
        if let Some(name) = &options.user
            && find_user(name)?.uid != uid
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
        Ok(Self { uid, gid, user: None })
    }

    /// Says so where a server that is not root's keeps its user and group without being told to.
    pub(crate) fn tell(&self, options: &Options) {
        if self.user.is_none() && options.user.is_none() && options.group.is_none() {
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
        self.user.is_some() && !self.uid.is_root()
    }

    /// Becomes that user, for good.
    pub(crate) fn take_on(&self) -> Result<(), StartError> {
        let Some(user) = &self.user else { return Ok(()) };
        let change = || {
            init_groups(user, self.gid)?;
            setgid(self.gid)?;
            setuid(self.uid)
        };
        change().map_err(|error| {
            let name = user.to_string_lossy();
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

fn find_user(name: &str) -> Result<User, StartError> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user),
        Ok(None) => Err(StartError::option("-u", name, "there is no such user")),
        Err(error) => Err(StartError::option("-u", name, error.desc())),
    }
}

fn find_group(name: &str) -> Result<Gid, StartError> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(StartError::option("-g", name, "there is no such group")),
        Err(error) => Err(StartError::option("-g", name, error.desc())),
    }
}
