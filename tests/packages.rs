//! What `make deb` and `make port` make, as those meet it who install it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::{
    Compiler, Launch, Need, Server, Variant, files, library, make, output, program_dir, root, say,
    skipped, target_dir,
};

const MAJOR: &str = env!("CARGO_PKG_VERSION_MAJOR");

/// The directory of the packages, built once for all tests.
fn debs() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let _built = library();
        let dir = program_dir().join("deb");
        make("make", "deb", &[&format!("DEBDIR={}", dir.display())]);
        dir
    })
}

/// The package of that name.
fn deb(name: &str) -> PathBuf {
    let all = std::fs::read_dir(debs()).expect("the packages").flatten();
    let start = format!("{name}_");
    let mut found = all.map(|entry| entry.path()).filter(|path| {
        let file = path.file_name().expect("it has one").to_string_lossy();
        file.starts_with(&start) && file.ends_with(".deb")
    });
    found.next().unwrap_or_else(|| panic!("no package {name}"))
}

fn names() -> [String; 3] {
    [format!("libdorrit{MAJOR}"), "libdorrit-classic1".into(), "libdorrit-dev".into()]
}

#[test]
fn lintian_has_nothing_to_say() {
    if skipped(&[Need::Tool("dh"), Need::Tool("lintian")]) {
        return;
    }
    let said = output(
        Command::new("lintian")
            .args(["--allow-root", "--display-info", "--pedantic", "--suppress-tags-from-file"])
            .arg(root().join("packaging/debian/lintian-accepted"))
            .args(names().map(|name| deb(&name))),
    );
    assert_eq!(said, "");
}

/// The library packages hold a library, its soname and their papers: those of two versions can be
/// installed side by side.
#[test]
fn a_library_package_has_the_library_alone() {
    if skipped(&[Need::Tool("dh")]) {
        return;
    }
    for (name, library) in names().iter().zip(["libdorrit", "libdorrit-classic"]) {
        let dir = tempfile::tempdir().expect("a directory");
        output(Command::new("dpkg-deb").arg("-x").args([&deb(name), dir.path()]));
        let papers = format!("usr/share/doc/{name}/");
        let found: BTreeSet<_> = files(dir.path()).into_keys().collect();
        let others: Vec<_> = found.iter().filter(|path| !path.starts_with(&papers)).collect();
        let [real, soname] = &*others else { panic!("{others:?}") };
        assert!(soname.contains(&format!("/{library}.so.")), "{soname}");
        assert!(real.starts_with(&**soname) || soname.starts_with(&**real), "{others:?}");
        let copyright = std::fs::read_to_string(dir.path().join(papers).join("copyright"));
        let copyright = copyright.expect("the package's copyright");
        for part in ["\nFiles: crates/zlib-rs-", "\nFiles: crates/mio-", "\nLicense: Zlib\n This"] {
            assert!(copyright.contains(part), "{part}");
        }
    }
}

/// Unpacked to somewhere else: what the manual speaks of is there; a program is compiled against it
/// by pkg-config, with the shared library and with the static one, and serves.
#[test]
fn below_a_fresh_prefix() {
    if skipped(&[Need::Tool("dh"), Need::Tool("pkg-config")]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    for name in names() {
        output(Command::new("dpkg-deb").arg("-x").args([&deb(&name), dir.path()]));
    }
    let multiarch = output(Command::new("dpkg-architecture").arg("-qDEB_HOST_MULTIARCH"));
    let lib = dir.path().join("usr/lib").join(multiarch.trim());
    let pages = dir.path().join("usr/share/man/man3");
    let manual =
        output(Command::new("sh").args(["-c", "gzip -dc libdorrit*.gz"]).current_dir(pages));
    let is_installed = |path: &&str| !path.starts_with('/');
    let named = manual.lines().filter_map(|line| line.strip_prefix(".It Pa ")).filter(is_installed);
    let named: Vec<_> = named.collect();
    assert_eq!(named.len(), 7, "{named:?}");
    for path in named {
        let look = format!("ls -d usr/{path}");
        output(Command::new("sh").args(["-c", &look]).current_dir(dir.path()));
    }
    let pkg_config = |arguments: &[&str]| {
        let mut command = Command::new("pkg-config");
        command.env("PKG_CONFIG_SYSROOT_DIR", dir.path());
        command.env("PKG_CONFIG_LIBDIR", lib.join("pkgconfig"));
        // These are the system's directories by name alone.
        command.envs(["CFLAGS", "LIBS"].map(|of| (format!("PKG_CONFIG_ALLOW_SYSTEM_{of}"), "1")));
        output(command.args(arguments).arg("dorrit"))
    };
    let flags = pkg_config(&["--cflags"]);
    let shared = pkg_config(&["--libs"]);
    let all = pkg_config(&["--static", "--libs"]);
    let archive = format!("{}/libdorrit.a", lib.display());
    let all = all.replace("-ldorrit", &archive);
    assert!(all.contains(&archive), "{all}");
    let examples = dir.path().join("usr/share/doc/libdorrit-dev/examples");
    for (name, libraries) in [("shared", shared), ("static", all)] {
        let program = dir.path().join(name);
        Compiler::named("cc")
            .args(flags.split_whitespace())
            .args([examples.join("echo.c")])
            .args(libraries.split_whitespace())
            .make(&program);
        let launch = Launch::of("parentheses.c", Variant::Default).with_program(program);
        let lib = if name == "shared" { lib.display().to_string() } else { String::new() };
        serves(launch.env("LD_LIBRARY_PATH", &lib).start());
    }
}

fn serves(mut server: Server) {
    server.connect().echo("hello");
    server.stop();
}

/// Runs a program in another root, with /proc, from which the older library learns where the program
/// lies. The mount ends with the program.
const INSIDE: [&str; 5] = [
    "unshare",
    "--mount",
    "sh",
    "-c",
    "mount --bind /proc \"$0/proc\" && exec chroot \"$0\" \"$@\"",
];

/// In a Debian that has a compiler and pkg-config and nothing else: installed, compiled against,
/// run without what only compiling needs, and removed without a trace.
#[test]
fn in_a_clean_debian() {
    let mut mounts = Command::new(INSIDE[0]);
    mounts.args(&INSIDE[1..]).args(["/", "true"]);
    let needs = [
        Need::Root,
        Need::Tool("dh"),
        Need::Tool("apt-get"),
        Need::Tool("mmdebstrap"),
        Need::Has(mounts.output().is_ok_and(|it| it.status.success()), "may not mount"),
    ];
    if skipped(&needs) {
        return;
    }
    let clean = match clean_debian() {
        Ok(dir) => dir,
        Err(reason) => {
            assert!(skipped(&[Need::Has(false, reason)]));
            return;
        }
    };
    let system = program_dir().join("debian");
    output(Command::new("cp").arg("-a").args([&clean, &system]));
    let inside = |script: &str| {
        output(
            Command::new("chroot")
                .arg(&system)
                .args(["sh", "-e", "-c", script])
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .env("LC_ALL", "C")
                .env_remove("TMPDIR"),
        )
    };
    let work = system.join("built");
    std::fs::create_dir(&work).expect("a directory");
    for name in names() {
        std::fs::copy(deb(&name), work.join(name + ".deb")).expect("a copy");
    }
    // What dpkg and ldconfig keep of themselves is there before.
    inside("ldconfig; touch /var/log/dpkg.log");
    let before = paths(&system);

    inside("dpkg -i /built/*.deb");
    assert!(system.join("usr/include/dorrit.h").exists());
    inside(
        "cd /usr/share/doc/libdorrit-dev/examples
        for package in dorrit dorrit-classic; do
            [ $package = dorrit ] && source=echo.c || source=classic/echo.c
            gcc -Wall -Wextra -Werror -o /built/$package $source \
                $(pkg-config --cflags --libs $package)
        done
        dpkg -r libdorrit-dev",
    );
    for program in ["dorrit", "dorrit-classic"] {
        let launch = Launch::of("parentheses.c", Variant::Default);
        // The path of the socket is the same on both sides.
        let run = launch.run_dir();
        let there = system.join(run.strip_prefix("/").expect("it is absolute"));
        std::fs::create_dir_all(&there).expect("a directory");
        std::os::unix::fs::symlink(there.join("socket"), run.join("socket")).expect("a link");
        let launch = launch.with_program(Path::new("/built").join(program));
        serves(launch.under(INSIDE.into_iter().chain([&*system.display().to_string()])).start());
        assert!(!there.join("socket").exists());
        std::fs::remove_dir_all(there.parent().expect("run lies in it")).expect("its end");
    }
    inside("rm /built/dorrit /built/dorrit-classic");
    inside(&format!("dpkg --purge {}", names().join(" ")));

    let after = paths(&system);
    let differ: Vec<_> = before.symmetric_difference(&after).collect();
    assert!(differ.is_empty(), "{differ:?}");
    let cache = inside("ldconfig -p");
    assert!(cache.contains("libc.so") && !cache.contains("dorrit"), "{cache}");
    std::fs::remove_dir_all(&system).expect("nothing is mounted there");
}

/// Files, directories and all else below that directory.
fn paths(dir: &Path) -> BTreeSet<String> {
    let found = output(Command::new("find").arg(".").current_dir(dir));
    found.lines().map(str::to_owned).collect()
}

/// The release of Debian that runs here, small, with a compiler: downloaded once, from where apt
/// has its packages. Where it cannot be had, the reason.
fn clean_debian() -> Result<PathBuf, &'static str> {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let name = name.ok_or("this is no release of Debian")?;
    let all = target_dir().join("clean-debian");
    let dir = all.join(name);
    if dir.exists() {
        return Ok(dir);
    }
    let sources = output(
        Command::new("apt-get")
            .args(["indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"])
            .arg("Created-By: Packages"),
    );
    // Other people's packages are for releases that are named otherwise.
    let is_debians = |line: &&str| line.split(' ').nth(2).is_some_and(|it| it.starts_with(name));
    let sources: BTreeSet<_> = sources.lines().filter(is_debians).collect();
    if sources.is_empty() {
        return Err("apt has no lists of Debian's packages");
    }
    // By a proxy, say, as apt is told here.
    let settings = output(Command::new("apt-config").arg("dump"));
    let is_way =
        |line: &&str| ["Acquire::http", "Acquire::Check-"].iter().any(|it| line.starts_with(it));
    let settings = settings.lines().filter(is_way);
    std::fs::create_dir_all(&all).expect("a directory");
    let new = all.join(std::process::id().to_string());
    let made = Command::new("mmdebstrap")
        .args(["--quiet", "--mode=root", "--variant=essential"])
        .args(settings.map(|line| format!("--aptopt={}", line.trim_end_matches(';'))))
        .args(["--include=gcc,libc6-dev,pkg-config", name])
        .arg(&new)
        .args(&sources)
        .output()
        .expect("mmdebstrap runs");
    if !made.status.success() {
        say(&String::from_utf8_lossy(&made.stderr));
        // What it has left is of no use, and no reason to fail.
        let _ = std::fs::remove_dir_all(&new);
        return Err("mmdebstrap cannot make a clean Debian");
    }
    // Where another run was faster, its result is as good.
    if std::fs::rename(&new, &dir).is_err() {
        std::fs::remove_dir_all(&new).expect("it is ours");
    }
    Ok(dir)
}

/// The port's Makefile can be read, and does what `make install` does on FreeBSD; pkg-plist names
/// the same files.
#[test]
fn the_ports_list_is_what_is_installed() {
    // What this port uses of bsd.port.mk, in a FreeBSD that is one by name alone.
    const FRAMEWORK: &str = "\
ARCH = amd64
PREFIX = /usr/local
CARGO_BUILD_TARGET = .
STRIP_CMD = ls
.include \"Makefile.crates\"
stage: post-install
post-install: do-install
do-install:
\tcd ${WRKSRC} && ${MAKE} ${MAKE_ARGS} DESTDIR=${STAGEDIR} install
";
    if skipped(&[Need::Tool("bmake")]) {
        return;
    }
    let _built = library();
    let dir = tempfile::tempdir().expect("a directory");
    let port = dir.path().join("port");
    make("make", "port", &[&format!("PORTDIR={}", port.display())]);
    let stage = dir.path().join("stage");
    for (name, text) in [("bsd.port.mk", FRAMEWORK), ("sys.mk", "all:\n")] {
        std::fs::write(dir.path().join(name), text).expect("a file");
    }
    let uname = dir.path().join("uname");
    std::fs::write(&uname, "#!/bin/sh\necho FreeBSD\n").expect("a file");
    output(Command::new("chmod").arg("755").arg(&uname));
    let bmake = |arguments: &[&str]| {
        let path = std::env::var("PATH").expect("a path");
        let mut command = Command::new("bmake");
        command.arg("-m").arg(dir.path()).args(arguments).current_dir(&port);
        command.env("PATH", format!("{}:{path}", dir.path().display()));
        command.arg(format!("WRKSRC={}", root().display()));
        command.arg(format!("STAGEDIR={}", stage.display()));
        command.args([format!("CARGO={}", env!("CARGO")), "RUSTC=rustc".into()]);
        output(command.arg(format!("CARGO_TARGET_DIR={}", target_dir().display())))
    };
    let value = |name: &str| bmake(&["-V", &format!("${{{name}}}")]).trim().to_owned();
    assert_eq!(value("DISTVERSION"), env!("CARGO_PKG_VERSION"));
    let crates = value("CARGO_CRATES");
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    assert_eq!(crates.split_whitespace().count(), lock.matches("\nchecksum = ").count());
    assert!(!crates.contains("dorrit") && crates.contains(" mio-"), "{crates}");

    bmake(&["stage"]);
    let mut plist = std::fs::read_to_string(port.join("pkg-plist")).expect("pkg-plist");
    for pair in value("PLIST_SUB").split_whitespace() {
        let (name, value) = pair.split_once('=').expect("a pair");
        plist = plist.replace(&format!("%%{name}%%"), value);
    }
    // The framework compresses manual pages.
    let installed = files(&stage.join("usr/local")).into_keys();
    let installed: BTreeSet<_> = installed
        .map(|path| if path.starts_with("share/man/") { path + ".gz" } else { path })
        .collect();
    let listed: BTreeSet<_> = plist.lines().map(str::to_owned).collect();
    assert_eq!(listed, installed);
}
