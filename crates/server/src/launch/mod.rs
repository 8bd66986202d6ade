//! From the command line to a server that listens. The order of the steps is CONTRACT D4's.

mod listeners;
mod opening;
mod plan;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use self::plan::Plan;
use crate::config::Options;
use crate::error::{Ending, StartError};
use crate::listen::Activation;
use crate::log;
use crate::main_process::Process;
use crate::process::{self, Credentials, Notifier};
use crate::program::{Flavor, Program};
use crate::restart::{Inheritance, Invocation};
use crate::setup::{Stage, set_stage};

/// A server that is to start: the program, and the library that it is linked with.
pub(crate) struct Launch<'a, P> {
    pub(crate) program: &'a P,
    pub(crate) flavor: &'a Flavor,
}

/// What `main` has found before the options are read.
pub(crate) struct Start {
    pub(crate) invocation: Invocation,
    pub(crate) inheritance: Option<Inheritance>,
    pub(crate) activation: Activation,
    pub(crate) notifier: Notifier,
}

/// A start whose options are understood, before the program has run.
pub(crate) struct Prepared {
    options: Options,
    credentials: Credentials,
    start: Start,
}

impl<P: Program> Launch<'_, P> {
    /// Does all up to `ws_init_func`, which follows.
    pub(crate) fn prepare(&self, start: Start) -> Result<Prepared, StartError> {
        let Start { invocation, inheritance, .. } = &start;
        let options = Options::parse(invocation.options(), &invocation.path, self.flavor)?;
        log::set_level(options.log_level);
        if inheritance.is_some() {
            log::set_destination(options.log_destination());
        }
        log::set_program_lines(options.log_destination());
        self.check_program()?;
        let credentials = Credentials::find(&options)?;
        if let Some(path) = &options.config_file {
            self.set_config_file(path)?;
        }
        set_stage(Stage::Init);
        Ok(Prepared { options, credentials, start })
    }

    /// Does all that follows `ws_init_func`, up to a server that listens.
    pub(crate) fn open(&self, prepared: Prepared) -> Result<Process, StartError> {
        let Prepared { options, credentials, start } = prepared;
        let Start { invocation, inheritance, activation, notifier } = start;
        set_stage(Stage::Running);
        let destination = options.log_destination();
        let is_new_start = inheritance.is_some();
        if let Some(signal) = invocation.signal() {
            log::warning(&format!("started anew after signal {signal}"));
        }
        activation.log_faults();
        let plan = Plan::new(self.flavor, options, credentials, activation, is_new_start)?;
        if plan.options.is_foreground || is_new_start {
            let mut opened = opening::open(self.flavor, plan, invocation, inheritance, notifier)?;
            opened.announce();
            return Ok(opened);
        }
        let parent = process::fork_daemon()?;
        let opened = opening::open(self.flavor, plan, invocation, inheritance, notifier);
        match opened.and_then(|opened| process::detach_from_terminal(destination).map(|()| opened))
        {
            Ok(mut opened) => {
                log::set_destination(destination);
                // Before the parent leaves: a service manager takes its end for the server's.
                opened.announce();
                parent.report_ready();
                Ok(opened)
            }
            Err(error) => {
                log::error(&error.text);
                parent.report_failed();
                // What the program has registered to be run at exit is not for a start that failed.
                Err(StartError::silent(Ending::Exit(1)))
            }
        }
    }

    /// Whether the program is one for this library (CONTRACT S15).
    fn check_program(&self) -> Result<(), StartError> {
        if let Some(flag) = self.program.other_library() {
            let why = "compiled with another library's dorrit.h: link with";
            return Err(StartError::new(format_args!("{why} {flag}")));
        }
        match &self.program.missing()[..] {
            [] => Ok(()),
            missing => Err(StartError::new(format_args!("missing: {}", missing.join(", ")))),
        }
    }

    /// Sets `ws_config_file` (CONTRACT D20, S19). The program has it for as long as it runs.
    fn set_config_file(&self, path: &Path) -> Result<(), StartError> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(StartError::new)?;
        // SAFETY: the program's variable, before the program runs.
        unsafe { *self.program.config_file() = path.into_raw() };
        Ok(())
    }
}
