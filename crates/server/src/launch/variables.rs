//! The variables of the C interface that the command line sets.

use std::ffi::{CString, OsStr, c_char};
use std::os::unix::ffi::OsStrExt as _;
use std::ptr;

use crate::config::Options;
use crate::error::StartError;
use crate::program::Program;

/// What the program's variables point to; it lives as long as the server.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    config_file: Option<CString>,
    operands: Vec<CString>,
    /// Where the operands are, and NULL behind them.
    pointers: Vec<*mut c_char>,
    /// The variables, where they are set.
    set: Option<Set>,
}

/// The program's variables.
#[derive(Debug)]
struct Set {
    config_file: *mut *mut c_char,
    arguments: Option<*mut *mut *mut c_char>,
    /// What `ws_arguments` pointed to before.
    no_arguments: *mut *mut c_char,
}

impl Variables {
    /// Sets `ws_config_file` (CONTRACT D20, S19) and `ws_arguments`.
    pub(crate) fn set(
        &mut self,
        program: &impl Program,
        options: &Options,
    ) -> Result<(), StartError> {
        let string = |text: &OsStr| CString::new(text.as_bytes()).map_err(StartError::new);
        let config_file = options.config_file.as_deref();
        let config_file = config_file.map(|path| string(path.as_os_str())).transpose()?;
        let operands = options.operands.iter().map(|text| string(text));
        let operands = operands.collect::<Result<Vec<_>, _>>()?;
        self.unset();
        (self.config_file, self.operands) = (config_file, operands);
        self.pointers = self.operands.iter().map(|text| text.as_ptr().cast_mut()).collect();
        self.pointers.push(ptr::null_mut());
        let (config_file, arguments) = (program.config_file(), program.arguments());
        // SAFETY: the program's variables, before the program runs, and in `ws_init_func`'s thread after it.
        unsafe {
            let file =
                self.config_file.as_ref().map_or(ptr::null_mut(), |it| it.as_ptr().cast_mut());
            *config_file = file;
            let no_arguments = arguments.map_or(ptr::null_mut(), |it| *it);
            arguments.into_iter().for_each(|it| *it = self.pointers.as_mut_ptr());
            self.set = Some(Set { config_file, arguments, no_arguments });
        }
        Ok(())
    }

    /// Sets the variables to what they are without a server.
    fn unset(&mut self) {
        let Some(Set { config_file, arguments, no_arguments }) = self.set.take() else { return };
        // SAFETY: the program's variables, on the server's thread.
        unsafe {
            *config_file = ptr::null_mut();
            arguments.into_iter().for_each(|it| *it = no_arguments);
        }
    }
}

impl Drop for Variables {
    fn drop(&mut self) {
        self.unset();
    }
}
