//! C compilers, as the tests call them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use super::command::output;
use super::library::{Package, library};

/// A C compiler about to run, its arguments in their order. A warning is an error.
pub(crate) struct Compiler(Command);

impl Compiler {
    /// The compiler of that name.
    pub(crate) fn named(name: &str) -> Compiler {
        let mut command = Command::new(name);
        command.args(["-Wall", "-Wextra", "-Werror", "-pedantic"]);
        Compiler(command)
    }

    /// With more arguments: sources are some.
    pub(crate) fn args(
        mut self,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Compiler {
        self.0.args(arguments);
        self
    }

    /// With the headers of that library, as they are in the tree.
    pub(crate) fn headers(self, package: Package) -> Compiler {
        self.args([Path::new("-I"), &package.headers()])
    }

    /// Linked with that library, as it was built, which the loader finds there.
    pub(crate) fn shared(self, package: Package) -> Compiler {
        let dir = library().dir.display();
        let name = package.name();
        self.args([format!("-L{dir}"), format!("-l{name}"), format!("-Wl,-rpath,{dir}")])
    }

    /// Linked with that library's archive, and with what this needs.
    pub(crate) fn archive(self, package: Package) -> Compiler {
        self.args([library().archive(package)]).args(&library().native)
    }

    /// Makes that program of the sources.
    pub(crate) fn make(mut self, program: &Path) {
        output(self.0.arg("-o").arg(program));
    }

    /// Compiles the sources and makes nothing of them; the compiler must be silent.
    pub(crate) fn check(mut self) {
        let output = self.0.arg("-fsyntax-only").output().expect("the compiler runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{:?}: {said}", self.0);
    }
}
