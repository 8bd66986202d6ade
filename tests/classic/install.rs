//! `make install`: both libraries side by side, and an old Makefile that finds the older one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{
    Compiler, Launch, Need, Server, Variant, files, installation, make, names, output, root,
    skipped,
};

fn soname(file: &Path) -> String {
    let dynamic = output(Command::new("readelf").arg("-d").arg(file));
    let (_, name) = dynamic.split_once("soname: [").expect("a soname");
    name.split(']').next().expect("its end").to_owned()
}

/// Both libraries, each under its real name and two links; the headers apart; the two files by
/// which an old `-ldorrit` finds the older library.
#[test]
fn both_libraries_side_by_side() {
    let found = files(installation());
    let version = env!("CARGO_PKG_VERSION");
    let major = env!("CARGO_PKG_VERSION_MAJOR");
    let (new, old) =
        (format!("libdorrit.so.{version}"), format!("libdorrit-classic.so.1.{version}"));
    let links = [
        (format!("lib/libdorrit.so.{major}"), new.clone()),
        ("lib/libdorrit.so".into(), new.clone()),
        ("lib/libdorrit-classic.so.1".into(), old.clone()),
        ("lib/libdorrit-classic.so".into(), old.clone()),
        ("lib/dorrit-classic/libdorrit.so".into(), "../libdorrit-classic.so".into()),
        ("lib/dorrit-classic/libdorrit.a".into(), "../libdorrit-classic.a".into()),
    ];
    for (link, target) in links {
        assert_eq!(found.get(&link), Some(&Some(PathBuf::from(target))), "{link}");
        assert!(installation().join(&link).exists(), "{link} leads somewhere");
    }
    for file in [
        &format!("lib/{new}"),
        &format!("lib/{old}"),
        "lib/libdorrit.a",
        "lib/libdorrit-classic.a",
        "lib/pkgconfig/dorrit.pc",
        "lib/pkgconfig/dorrit-classic.pc",
        "include/dorrit.h",
        "include/dorrit-classic/dorrit.h",
        "share/man/man3/libdorrit.3",
        "share/man/man3/libdorrit-classic.3",
        "share/examples/dorrit/Makefile",
        "share/examples/dorrit/chat/index.html",
        "share/examples/dorrit/classic/echo.c",
        "share/examples/dorrit/classic/session.c",
        "share/examples/dorrit/classic/rooms.c",
        "share/examples/dorrit/proxies/README.md",
        "share/examples/dorrit/proxies/Caddyfile",
        "share/examples/dorrit/proxies/haproxy.cfg",
        "share/examples/dorrit/proxies/httpd.conf",
        "share/examples/dorrit/proxies/lighttpd.conf",
        "share/examples/dorrit/proxies/nginx.conf",
    ] {
        assert_eq!(found.get(file), Some(&None), "{file}");
    }
    let header = std::fs::read(installation().join("include/dorrit-classic/dorrit.h"));
    assert_eq!(header.ok(), std::fs::read(root().join("include/classic/dorrit.h")).ok());
    if !skipped(&[Need::Tool("readelf")]) {
        for link in ["libdorrit-classic.so.1".to_owned(), format!("libdorrit.so.{major}")] {
            assert_eq!(soname(&installation().join("lib").join(&link)), link);
        }
    }
}

/// By each function's name man(1) finds the page that tells of it.
#[test]
fn each_function_leads_to_its_page() {
    let found = files(installation());
    let link = |name: &str| found.get(&format!("share/man/man3/{name}.3"));
    assert_eq!(link("dorrit"), Some(&Some(PathBuf::from("libdorrit.3"))));
    assert_eq!(link("dorrit-classic"), Some(&Some(PathBuf::from("libdorrit-classic.3"))));
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("man")).expect("man").flatten() {
        let page = entry.file_name().into_string().expect("a name");
        if page == "libdorrit-classic.3" {
            continue;
        }
        assert_eq!(found.get(&format!("share/man/man3/{page}")), Some(&None), "{page}");
        let text = std::fs::read_to_string(entry.path()).expect("a page");
        for name in names(&text).into_iter().filter(|name| page != format!("{name}.3")) {
            assert_eq!(link(name), Some(&Some(PathBuf::from(&page))), "{name}");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

/// With either make, below DESTDIR or not, the same is installed; and uninstall leaves no file, and
/// no directory of ours.
#[test]
fn uninstall_leaves_nothing() {
    let expected: Vec<_> = files(installation()).into_keys().collect();
    for program in ["make", "bmake"] {
        if skipped(&[Need::Tool(program)]) {
            continue;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let prefix = format!("PREFIX={}", dir.path().join("here").display());
        let stage = format!("DESTDIR={}", dir.path().join("stage").display());
        for (place, arguments) in [
            (dir.path().join("here"), vec![&*prefix]),
            (dir.path().join("stage/opt/it"), vec![&*stage, "PREFIX=/opt/it"]),
        ] {
            make(program, "install", &arguments);
            assert_eq!(files(&place).into_keys().collect::<Vec<_>>(), expected);
            // Over what is there already.
            make(program, "install", &arguments);
            let text = std::fs::read_to_string(place.join("lib/pkgconfig/dorrit-classic.pc"));
            assert!(
                !text.expect("it is installed").contains("stage"),
                "DESTDIR is not where it will be"
            );
            make(program, "uninstall", &arguments);
            assert_eq!(files(&place), BTreeMap::new());
            for ours in [
                "lib/dorrit-classic",
                "include/dorrit-classic",
                "share/examples/dorrit",
                "share/dorrit",
            ] {
                assert!(!place.join(ours).exists(), "{ours}");
            }
        }
    }
}

/// Runs a program that needs the installed library, and is found by the loader's path.
fn serves(program: PathBuf) {
    let lib = installation().join("lib").display().to_string();
    let launch = Launch::of("classic/plain.c", Variant::Default).with_program(program);
    let mut server: Server = launch.env("LD_LIBRARY_PATH", &lib).start();
    server.connect().echo("hello");
    server.stop();
}

/// A Makefile as people have it for the original, in which nothing but -I and -L is changed.
#[test]
fn an_old_makefile() {
    const OLD: &str = "\
CFLAGS = -O2 -Wall -Wextra -I/usr/local/include
LDFLAGS = -L/usr/local/lib
LDLIBS = -ldorrit

all: server

server: server.c
\t$(CC) $(CFLAGS) -o server server.c $(LDFLAGS) $(LDLIBS)
";
    let prefix = installation().display().to_string();
    let text = OLD
        .replace("-I/usr/local/include", &format!("-I{prefix}/include/dorrit-classic"))
        .replace("-L/usr/local/lib", &format!("-L{prefix}/lib/dorrit-classic"));
    assert_eq!(text.lines().zip(OLD.lines()).filter(|(new, old)| new != old).count(), 2);
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("Makefile"), text).expect("a file");
    let source = root().join("tests/c/classic/plain.c");
    std::fs::copy(source, dir.path().join("server.c")).expect("a file");
    output(Command::new("make").current_dir(dir.path()));
    let program = dir.path().join("server");
    if !skipped(&[Need::Tool("readelf")]) {
        let dynamic = output(Command::new("readelf").arg("-d").arg(&program));
        assert!(dynamic.contains("Shared library: [libdorrit-classic.so.1]"), "{dynamic}");
    }
    serves(program);
}

/// The same with the static library, and what pkg-config says must stand behind it.
#[test]
fn an_old_makefile_that_links_statically() {
    if skipped(&[Need::Tool("pkg-config")]) {
        return;
    }
    let prefix = installation();
    let pkg_config = |arguments: &[&str]| {
        let path = prefix.join("lib/pkgconfig");
        output(Command::new("pkg-config").env("PKG_CONFIG_PATH", path).args(arguments))
    };
    let all = pkg_config(&["--static", "--libs", "dorrit-classic"]);
    let shared = pkg_config(&["--libs", "dorrit-classic"]);
    let (_, private) = all.split_once("-ldorrit-classic").expect("the library");
    assert_eq!(shared.trim(), format!("-L{}/lib -ldorrit-classic", prefix.display()));
    assert_eq!(pkg_config(&["--modversion", "dorrit-classic"]).trim(), env!("CARGO_PKG_VERSION"));
    let flags = pkg_config(&["--cflags", "dorrit-classic"]);
    assert_eq!(flags.trim(), format!("-I{}/include/dorrit-classic", prefix.display()));

    let dir = tempfile::tempdir().expect("a directory");
    let program = dir.path().join("server");
    Compiler::named("cc")
        .args(flags.split_whitespace())
        .args([root().join("tests/c/classic/plain.c")])
        .args([format!("-L{}/lib/dorrit-classic", prefix.display())])
        .args(["-Wl,-Bstatic", "-ldorrit", "-Wl,-Bdynamic"])
        .args(private.split_whitespace())
        .make(&program);
    let launch = Launch::of("classic/plain.c", Variant::Default).with_program(program);
    let mut server = launch.start();
    server.connect().echo("hello");
    server.stop();
}

/// The static library by the variable that the manual names: nothing of ours is looked for at the start.
#[test]
fn the_variable_of_the_static_library() {
    if skipped(&[Need::Tool("pkg-config"), Need::Tool("readelf")]) {
        return;
    }
    for (package, source) in [("dorrit", "parentheses.c"), ("dorrit-classic", "classic/plain.c")] {
        let pkg_config = |argument: &str| {
            let path = installation().join("lib/pkgconfig");
            let mut command = Command::new("pkg-config");
            output(command.env("PKG_CONFIG_PATH", path).args([argument, package]))
        };
        let dir = tempfile::tempdir().expect("a directory");
        let program = dir.path().join("server");
        Compiler::named("cc")
            .args(pkg_config("--cflags").split_whitespace())
            .args([root().join("tests/c").join(source)])
            .args(pkg_config("--variable=static").split_whitespace())
            .make(&program);
        let dynamic = output(Command::new("readelf").arg("-d").arg(&program));
        assert!(!dynamic.contains("dorrit"), "{dynamic}");
        let mut server = Launch::of(source, Variant::Default).with_program(program).start();
        server.connect().echo("hello");
        server.stop();
    }
}

/// One program of each library, at the same time.
#[test]
fn one_program_of_each() {
    let prefix = installation();
    let dir = tempfile::tempdir().expect("a directory");
    let servers: Vec<_> = [
        ("classic/plain.c", "/dorrit-classic", "-ldorrit-classic"),
        ("parentheses.c", "", "-ldorrit"),
    ]
    .into_iter()
    .map(|(source, headers, library)| {
        let program = dir.path().join(library);
        Compiler::named("cc")
            .args([format!("-I{}/include{headers}", prefix.display())])
            .args([root().join("tests/c").join(source)])
            .args([format!("-L{}/lib", prefix.display()), library.to_owned()])
            .make(&program);
        let lib = prefix.join("lib").display().to_string();
        let launch = Launch::of("classic/plain.c", Variant::Default).with_program(program);
        launch.env("LD_LIBRARY_PATH", &lib).start()
    })
    .collect();
    for mut server in servers {
        server.connect().echo("hello");
        server.stop();
    }
}
