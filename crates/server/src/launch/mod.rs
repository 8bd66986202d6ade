//! From the command line to a server that listens. The order of the steps is CONTRACT D4's.

mod listeners;
mod opening;
mod plan;
mod start;
mod variables;

use std::ffi::c_int;

use self::opening::Opened;
use self::plan::Plan;
pub(crate) use self::start::{Host, Start};
pub(crate) use self::variables::Variables;
use crate::config::{Options, SetOptions};
use crate::error::{Ending, StartError};
use crate::event_loop::{pause_posts, with_loop};
use crate::listen::Activation;
use crate::log::{self, Destination};
use crate::main_process::Process;
use crate::process::{self, Credentials, WaitingParent};
use crate::program::{Flavor, Program};
use crate::setup::{self, Stage, set_stage};

/// A server that is to start: the program, the library that it is linked with, and whose process it is.
pub(crate) struct Launch<'a, P> {
    pub(crate) program: &'a P,
    pub(crate) flavor: &'a Flavor,
    pub(crate) host: Host,
}

/// A start whose options are understood, before the program has run.
pub(crate) struct Prepared {
    options: Options,
    credentials: Credentials,
    start: Start,
    variables: Variables,
}

/// A server that is there, and is about to listen: the program may have it called off.
pub(crate) struct Opening {
    opened: Opened,
    /// Where the log goes once the terminal is let go.
    destination: Destination,
    /// Who waits on the terminal, where this is a daemon.
    parent: Option<WaitingParent>,
}

impl<P: Program> Launch<'_, P> {
    /// Does all up to `ws_init_func`, which follows.
    pub(crate) fn prepare(&self, start: Start) -> Result<Prepared, StartError> {
        let options = self.options(&start)?;
        self.check_program()?;
        let credentials = Credentials::find(&options, self.host == Host::Program)?;
        if options.is_check {
            return Err(StartError::answer(String::new()));
        }
        let mut variables = Variables::default();
        variables.set(self.program, &options)?;
        set_stage(Stage::Init);
        Ok(Prepared { options, credentials, start, variables })
    }

    /// Does all that follows `ws_init_func`, up to `ws_start_callback`.
    pub(crate) fn open(&self, prepared: Prepared) -> Result<Opening, StartError> {
        let Prepared { mut options, mut credentials, start, mut variables } = prepared;
        set_stage(Stage::Running);
        if setup::with(|setup| !setup.options.is_empty()).unwrap_or(false) {
            options = self.options(&start)?;
            credentials = Credentials::find(&options, self.host == Host::Program)?;
            variables.set(self.program, &options)?;
        }
        let Start { invocation, inheritance, activation, notifier } = start;
        let destination = options.log_destination();
        let is_new_start = inheritance.is_some();
        if let Some(signal) = invocation.signal() {
            log::warning(&format!("started anew after signal {signal}"));
        }
        activation.log_faults();
        let plan =
            Plan::new(self.program, self.flavor, options, credentials, activation, is_new_start)?;
        let parent = match plan.options.is_foreground || is_new_start {
            true => None,
            // In the child nobody holds the posts: threads stay behind.
            false => Some(pause_posts(process::fork_daemon)?),
        };
        let start = Start { invocation, inheritance, activation: Activation::default(), notifier };
        match opening::open(self.host, plan, start, variables) {
            Ok(opened) => {
                let _ = with_loop(|it| it.own(parent.as_ref().map(WaitingParent::descriptor)));
                Ok(Opening { opened, destination, parent })
            }
            Err(error) => Err(fail(error, parent)),
        }
    }

    /// Does the rest, as `ws_start_callback` has returned this: the server listens.
    pub(crate) fn complete(&self, opening: Opening, answer: c_int) -> Result<Process, StartError> {
        let Opening { opened, destination, parent } = opening;
        let completed = match answer {
            0 => opened.complete(self.flavor),
            _ => Err(StartError::new(format_args!("ws_start_callback has returned {answer}"))),
        };
        let completed = completed.and_then(|process| match &parent {
            Some(_) => process::detach_from_terminal(destination).map(|()| process),
            None => Ok(process),
        });
        match completed {
            Ok(mut process) => {
                if parent.is_some() {
                    log::set_destination(destination);
                }
                // Before the parent leaves: a service manager takes its end for the server's.
                process.announce();
                parent.into_iter().for_each(WaitingParent::report_ready);
                Ok(process)
            }
            Err(error) => Err(fail(error, parent)),
        }
    }

    /// What the command line says, and else the program, also of the log, which follows from now on.
    fn options(&self, start: &Start) -> Result<Options, StartError> {
        let Start { invocation, inheritance, .. } = start;
        let parse = |set: &SetOptions| {
            Options::parse(invocation.options(), set, &invocation.path, self.flavor)
        };
        let parsed = setup::with(|setup| parse(&setup.options));
        let mut options = parsed.unwrap_or_else(|_| Err(StartError::panicked()))?;
        options.is_foreground |= self.host == Host::Program;
        log::set_level(options.log_level);
        if inheritance.is_some() {
            log::set_destination(options.log_destination());
        }
        log::set_program_lines(options.log_destination());
        Ok(options)
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
}

/// Fails; a daemon tells the terminal why, and ends.
fn fail(error: StartError, parent: Option<WaitingParent>) -> StartError {
    let Some(parent) = parent else { return error };
    log::error(&error.text);
    parent.report_failed();
    // What the program has registered to be run at exit is not for a start that failed.
    StartError::silent(Ending::Exit(1))
}
