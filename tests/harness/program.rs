//! C programs: sources of tests/c, compiled in the ways that people compile. Those in
//! tests/c/classic are programs of libdorrit(8).

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use super::compiler::Compiler;
use super::library::{Package, library, program_dir, root};

/// A way to compile and link a program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Variant {
    /// gcc's own defaults, with the shared library.
    Default,
    /// Not position-independent: `ws_config_file` is copied into the program.
    NoPie,
    /// With `libdorrit.a`, and the C library shared.
    StaticLibrary,
    /// Without any shared library.
    FullyStatic,
    /// Hidden symbols and link-time optimisation.
    HiddenLto,
    /// The linker drops what it sees no use of.
    GcSections,
    /// The other compiler.
    Clang,
    /// With messages of plain char.
    CharBuffers,
    /// As C++17.
    Cxx,
    /// The C side under AddressSanitizer.
    Asan,
    /// No program, but what the loader puts before a program's libraries.
    Preload,
}

impl Variant {
    /// The compiler's name.
    pub(crate) fn compiler(self) -> &'static str {
        match self {
            Variant::Clang => "clang",
            Variant::Cxx => "g++",
            _ => "gcc",
        }
    }

    fn flags(self) -> &'static [&'static str] {
        match self {
            Variant::CharBuffers => &["-DDORRIT_CHAR_BUFFERS"],
            Variant::NoPie => &["-no-pie", "-fno-pic", "-O1"],
            Variant::HiddenLto => &["-fvisibility=hidden", "-flto", "-O2"],
            Variant::GcSections => {
                &["-ffunction-sections", "-fdata-sections", "-Wl,--as-needed,--gc-sections", "-O2"]
            }
            Variant::Preload => &["-shared", "-fPIC", "-O1"],
            Variant::Asan => &["-fsanitize=address", "-fno-omit-frame-pointer", "-g", "-O1"],
            _ => &["-g", "-O1"],
        }
    }

    fn language(self) -> &'static [&'static str] {
        match self {
            Variant::Cxx => &["-x", "c++", "-std=c++17"],
            _ => &["-std=c99"],
        }
    }

    fn link(self, compiler: Compiler, package: Package) -> Compiler {
        match self {
            Variant::Preload => compiler,
            Variant::StaticLibrary => compiler.archive(package),
            // gcc has no static form of gcc_s; the C library may say that users are looked up with
            // shared parts.
            Variant::FullyStatic => {
                let native = library().native.iter().filter(|name| *name != "-lgcc_s");
                let compiler = compiler.args(["-static", &library().archive(package)]);
                compiler.args(native).args(["-lgcc_eh", "-lc"])
            }
            _ => compiler.shared(package),
        }
    }
}

/// The program of that source under tests/c, compiled at the first call.
pub(crate) fn program(source: &'static str, variant: Variant) -> PathBuf {
    type Programs = HashMap<(&'static str, Variant), Arc<OnceLock<PathBuf>>>;
    static PROGRAMS: OnceLock<Mutex<Programs>> = OnceLock::new();

    let cell = {
        let mut programs = PROGRAMS.get_or_init(Mutex::default).lock().expect("no panic under it");
        Arc::clone(programs.entry((source, variant)).or_default())
    };
    cell.get_or_init(|| compile(source, variant)).clone()
}

fn compile(source: &str, variant: Variant) -> PathBuf {
    let name = source.trim_end_matches(".c").replace('/', "-");
    let path = program_dir().join(format!("{name}-{variant:?}"));
    let is_classic = source.starts_with("classic/");
    let package = if is_classic { Package::Classic } else { Package::Dorrit };
    let compiler = Compiler::named(variant.compiler())
        .headers(package)
        .args(variant.language())
        .args(variant.flags())
        .args([root().join("tests/c").join(source)])
        .args(["-x", "none", "-pthread"]);
    variant.link(compiler, package).make(&path);
    path
}
