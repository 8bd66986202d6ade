use std::ffi::OsStr;
use std::os::unix::ffi::OsStringExt as _;

use super::*;
use crate::forwarded::Header;
use dorrit_engine::Buffers;
use dorrit_proto::{Binary, Fragments};

const FLAVOR: Flavor = Flavor {
    manual: "libdorrit(3)",
    max_connections: 16384,
    binary: Binary::Accepted,
    fragments: Fragments::Refused,
    buffers: Buffers::Shared,
    max_queued_frames: None,
    without_h: None,
    has_extensions: true,
    restarts: false,
};

fn parse(arguments: &[&str]) -> Result<Options, StartError> {
    let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
    Options::parse(&arguments, &SetOptions::NONE, Path::new("/start"), &FLAVOR)
}

/// CONTRACT D20.
#[test]
fn defaults() {
    let options = parse(&[]).unwrap();
    assert_eq!((options.buffer, options.max_connections), (65540, 16384));
    assert!(options.sockets.is_empty() && options.user.is_none() && options.group.is_none());
    assert!(options.config_file.is_none() && !options.is_foreground);
}

#[test]
fn addresses() {
    let tcp = |arguments: &[&str]| {
        let options = parse(arguments).unwrap();
        let addresses: Vec<_> = options.addresses().iter().map(IpAddr::to_string).collect();
        (options.ports, addresses.join(" "))
    };
    assert_eq!(tcp(&[]).0, []);
    assert_eq!(tcp(&["-p", "80"]), (vec![80], "127.0.0.1".to_owned()));
    let all = ["-i", "::", "-p0", "-i0.0.0.0", "-i", "::"];
    assert_eq!(tcp(&all), (vec![0], ":: 0.0.0.0".to_owned()));
    let ports = ["-p80", "-p", "81", "-p0", "-p80", "-p0"];
    assert_eq!(tcp(&ports).0, [80, 81, 0, 0]);
    for bad in ["localhost", "", "127.1", "[::1]", "127.0.0.1:80", "::1%lo"] {
        let error = parse(&["-p", "80", "-i", bad]).unwrap_err();
        assert_eq!((error.text.contains("IPv4"), error.ending.status()), (true, 1), "{bad}");
    }
    assert_eq!(parse(&["-i", "::1"]).unwrap_err().ending.status(), 1);
    for bad in ["65536", "-1", "http"] {
        assert!(parse(&["-p", bad, "-p80"]).unwrap_err().text.starts_with(&format!("-p {bad}: ")));
    }
    let classic = Flavor { has_extensions: false, ..FLAVOR };
    for option in ["-p", "-i"] {
        let arguments = [option.into(), "80".into()];
        let refused = Options::parse(&arguments, &SetOptions::NONE, Path::new("/start"), &classic);
        assert_eq!(refused.unwrap_err().ending.status(), 2);
    }
}

#[test]
fn as_getopt_reads_them() {
    let options = parse(&["-xm10", "-b", "10", "-l", "/a", "-l/b", "-u", "-g"]).unwrap();
    assert!(options.is_foreground);
    assert_eq!((options.buffer, options.max_connections), (10, 10));
    assert_eq!(options.sockets, [PathBuf::from("/a"), PathBuf::from("/b")]);
    assert_eq!(options.user.unwrap(), "-g");
}

#[test]
fn bytes_that_are_no_text() {
    let arguments = [OsString::from("-l"), OsString::from_vec(b"/\xff\xc3\xa9".to_vec())];
    let options =
        Options::parse(&arguments, &SetOptions::NONE, Path::new("/start"), &FLAVOR).unwrap();
    assert_eq!(options.sockets[0].as_os_str().as_bytes(), b"/\xff\xc3\xa9");
}

#[test]
fn answers() {
    for before in [&[][..], &["-b", "9"], &["-x", "operand"], &["-l", ""]] {
        let answer = |option| parse(&[before, &[option]].concat()).unwrap_err();
        let help = answer("--help");
        assert_eq!((help.ending.status(), &help.text), (0, &answer("-h").text));
        assert!(help.text.lines().count() <= 34, "{}", help.text);
        assert!(help.text.lines().all(|line| line.len() <= 80), "{}", help.text);
        assert_eq!(answer("--version").ending.status(), 0);
    }
    assert_eq!(parse(&["-f", "--help"]).unwrap().config_file, Some("/start/--help".into()));
    for wrong in [&["-z", "--help"][..], &["--help=me"], &["--hel"]] {
        assert_eq!(parse(wrong).unwrap_err().ending.status(), 2, "{wrong:?}");
    }
}

#[test]
fn the_last_level_counts() {
    let level = |arguments: &[&str]| parse(arguments).unwrap().compression;
    assert_eq!(level(&["--compress"]), Some(6));
    assert_eq!(level(&["--compress", "--compress=2"]), Some(2));
    assert_eq!(level(&["--compress=2", "--compress"]), Some(6));
    assert_eq!(level(&["--compress=2", "-x", "--compress=3"]), Some(3));
}

#[test]
fn a_level_may_be_a_word_of_its_own() {
    let options = parse(&["-x", "--compress", "7", "-m5", "--compress", "-f", "a"]).unwrap();
    assert_eq!((options.compression, options.max_connections), (Some(6), 5));
    assert_eq!(parse(&["--compress", "1"]).unwrap().compression, Some(1));
    assert_eq!(parse(&["--compress", "12"]).unwrap_err().ending.status(), 1);
    for usage in [&["--compress", "fast"][..], &["--compress=1", "2"], &["--ping", "1", "2"]] {
        assert_eq!(parse(usage).unwrap_err().ending.status(), 2, "{usage:?}");
    }
    // What is the value of another option is no option.
    for (option, last) in [("-f", "6"), ("-xf", "6"), ("-u", "6")] {
        let error = parse(&[option, "--compress", last]).unwrap_err();
        assert!(error.text.starts_with("6: not an option"), "{option}: {}", error.text);
    }
    assert_eq!(parse(&["-f--compress", "--compress", "3"]).unwrap().compression, Some(3));
    let options = parse(&["--", "--compress", "6"]).unwrap();
    assert_eq!((options.compression, options.operands.len()), (None, 2));
}

/// What follows `--` is the program's, whatever it looks like; in a library that hands it nothing it is an error.
#[test]
fn operands() {
    let options = parse(&["-x", "-f", "--", "--", "-m", "5", "", "--", "--help"]).unwrap();
    assert_eq!(options.config_file, Some("/start/--".into()));
    assert_eq!(options.max_connections, 16384);
    assert_eq!(options.operands, ["-m", "5", "", "--", "--help"]);
    assert!(parse(&["-x", "--"]).unwrap().operands.is_empty());
    assert!(parse(&["-x"]).unwrap().operands.is_empty());
    let classic = Flavor { has_extensions: false, ..FLAVOR };
    for arguments in [&["--", "a"][..], &["--", "--help"]] {
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        let refused = Options::parse(&arguments, &SetOptions::NONE, Path::new("/start"), &classic);
        assert_eq!(refused.unwrap_err().ending.status(), 2);
    }
}

/// What the program sets counts where the command line is silent, also where an option may be repeated.
#[test]
fn set_by_the_program() {
    let mut set = SetOptions::NONE;
    let values = [
        ("m", Some("7")),
        ("m", Some("8")),
        ("l", Some("a")),
        ("l", Some("-b")),
        ("p", Some("80")),
        ("i", Some("::1")),
        ("compress", None),
        ("max-queue", Some("1K,skip")),
        ("x", None),
    ];
    for (name, value) in values {
        let one = SetOptions::one(name, value.map(OsStr::new)).unwrap();
        assert!(Options::may_set(&one, &FLAVOR), "{name}");
        set.extend(one).unwrap();
    }
    let parse = |arguments: &[&str]| {
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        Options::parse(&arguments, &set, Path::new("/start"), &FLAVOR).unwrap()
    };
    let options = parse(&[]);
    assert_eq!((options.max_connections, options.ports), (8, vec![80]));
    assert_eq!(options.sockets, [PathBuf::from("/start/a"), "/start/-b".into()]);
    assert_eq!((options.compression, options.is_foreground), (Some(6), true));
    let options = parse(&["-l", "c", "-m9", "--compress=2", "--", "-l"]);
    assert_eq!(options.sockets, [PathBuf::from("/start/c")]);
    assert_eq!((options.max_connections, options.compression), (9, Some(2)));
    assert_eq!(options.operands, ["-l"]);
}

#[test]
fn what_the_program_may_not_set() {
    let one = |name: &str, value: Option<&str>| SetOptions::one(name, value.map(OsStr::new));
    for name in ["help", "h", "version", "check", "", "-x", "--max-message", "a b", "l=a"] {
        assert!(one(name, None).is_none(), "{name}");
    }
    let values = [
        ("z", None),
        ("unknown", Some("1")),
        ("m", None),
        ("m", Some("0")),
        ("m", Some("")),
        ("x", Some("1")),
        ("log-stderr", Some("yes")),
        ("max-message", None),
        ("compress", Some("fast")),
        ("l", Some("")),
    ];
    for (name, value) in values {
        let set = one(name, value).unwrap();
        assert!(!Options::may_set(&set, &FLAVOR), "{name} {value:?}");
    }
}

#[test]
fn memory() {
    let queue = |value: &str| parse(&["--max-queue", value]).map(|it| it.queue_limit.unwrap());
    for (value, bytes, policy) in [
        ("1", 1, OverflowPolicy::Close),
        ("64K", 64 << 10, OverflowPolicy::Close),
        ("3M,skip", 3 << 20, OverflowPolicy::Skip),
        ("2G", 2 << 30, OverflowPolicy::Close),
    ] {
        let limit = queue(value).unwrap();
        assert_eq!((limit.bytes, limit.policy), (bytes, policy), "{value}");
    }
    let max = |value: &str| parse(&["--max-memory", value]).map(|it| it.max_memory.unwrap());
    assert_eq!(max("1M").unwrap(), 1 << 20);
    assert_eq!(max("1048576").unwrap(), 1 << 20);
    assert_eq!(max("1G").unwrap(), 1 << 30);
    for bad in ["", "0", "-1", "K", "1k", "1KB", "1.5M", "1 M", "M1", "99999999999999G"] {
        assert_eq!(queue(bad).unwrap_err().ending.status(), 1, "{bad}");
        assert_eq!(max(bad).unwrap_err().ending.status(), 1, "{bad}");
    }
    for bad in ["1,", "1,close", ",skip", "1,skip,skip", "1, skip"] {
        let error = queue(bad).unwrap_err();
        assert!(error.text.starts_with(&format!("--max-queue {bad}: ")), "{}", error.text);
    }
    assert!(max("1048575").is_err() && max("2M,skip").is_err());
    let options = parse(&[]).unwrap();
    assert!(options.queue_limit.is_none() && options.max_memory.is_none());
}

#[test]
fn the_log() {
    let level = |arguments: &[&str]| parse(arguments).unwrap().log_level;
    assert_eq!(level(&[]), Level::Info);
    assert_eq!(level(&["--log-level=debug", "--log-level", "error"]), Level::Error);
    let destination = |arguments: &[&str]| parse(arguments).unwrap().log_destination();
    assert_eq!(destination(&[]), Destination::Syslog);
    for arguments in [&["-x"][..], &["--log-stderr"], &["-x", "--log-stderr"]] {
        assert_eq!(destination(arguments), Destination::Stderr);
    }
    for bad in ["", "Error", "err", "7"] {
        let error = parse(&["--log-level", bad]).unwrap_err();
        let beginning = format!("--log-level {bad}: must be error, ");
        assert_eq!((error.text.starts_with(&beginning), error.ending.status()), (true, 1), "{bad}");
    }
    assert_eq!(parse(&["--log-stderr=yes"]).unwrap_err().ending.status(), 2);
}

#[test]
fn drain() {
    let drain = |arguments: &[&str]| parse(arguments).map(|options| options.drain.as_secs());
    assert_eq!(drain(&[]).unwrap(), 10);
    assert_eq!(drain(&["--drain=0"]).unwrap(), 0);
    assert_eq!(drain(&["--drain", "86400"]).unwrap(), 86_400);
    for bad in ["86401", "-1", "", "ten", "1.5"] {
        let error = drain(&["--drain", bad]).unwrap_err();
        assert!(error.text.starts_with(&format!("--drain {bad}: ")), "{}", error.text);
    }
}

#[test]
fn bodies_and_late_answers() {
    let options = parse(&[]).unwrap();
    assert_eq!((options.max_body, options.defer_timeout.as_secs()), (65536, 60));
    let body = |value: &str| parse(&["--max-body", value]).map(|options| options.max_body);
    for (value, bytes) in [("0", 0), ("1", 1), ("64K", 65536), ("3M", 3 << 20), ("1G", 1 << 30)] {
        assert_eq!(body(value).unwrap(), bytes, "{value}");
    }
    for bad in ["", "-1", "K", "1k", "1KB", "99999999999999G"] {
        let error = body(bad).unwrap_err();
        assert!(error.text.starts_with(&format!("--max-body {bad}: ")), "{}", error.text);
    }
    let timeout = |value: &str| {
        parse(&["--defer-timeout", value]).map(|options| options.defer_timeout.as_secs())
    };
    assert_eq!((timeout("1").unwrap(), timeout("86400").unwrap()), (1, 86_400));
    for bad in ["0", "86401", "-1", "", "ten"] {
        assert_eq!(timeout(bad).unwrap_err().ending.status(), 1, "{bad}");
    }
}

#[test]
fn who_the_client_is() {
    let options = parse(&[]).unwrap();
    assert_eq!((options.forwarded, options.is_proxied), (None, false));
    let forwarded = |value: &str| parse(&["--forwarded", value]).map(|it| it.forwarded.unwrap());
    for (value, nth, header) in [
        ("1", 1, None),
        ("100", 100, None),
        ("2,X-Forwarded-For", 2, Some(Header::XForwardedFor)),
        ("3,forwarded", 3, Some(Header::Forwarded)),
        ("3,FORWARDED", 3, Some(Header::Forwarded)),
    ] {
        assert_eq!(forwarded(value).unwrap(), Forwarded { nth, header }, "{value}");
    }
    for bad in ["0", "101", "", "-1", "1,", "1,x-real-ip", ",forwarded", "1, forwarded", "one"] {
        let error = forwarded(bad).unwrap_err();
        assert!(error.text.starts_with(&format!("--forwarded {bad}: ")), "{}", error.text);
    }
    let options = parse(&["--proxy-protocol", "--forwarded", "1"]).unwrap();
    assert_eq!((options.is_proxied, options.forwarded.unwrap().nth), (true, 1));
    assert_eq!(parse(&["--proxy-protocol=2"]).unwrap_err().ending.status(), 2);
}

#[test]
fn tcp_keepalive() {
    assert_eq!(parse(&[]).unwrap().tcp_keepalive, None);
    let keepalive =
        |value: &str| parse(&["--tcp-keepalive", value]).map(|it| it.tcp_keepalive.unwrap());
    for (value, time, probes, interval) in
        [("60,5,10", 60, 5, 10), ("1,1,1", 1, 1, 1), ("32767,127,32767", 32767, 127, 32767)]
    {
        let [time, interval] = [time, interval].map(Duration::from_secs);
        assert_eq!(keepalive(value).unwrap(), TcpKeepalive { time, probes, interval });
    }
    for bad in ["", "60", "60,5", "0,5,10", "60,0,10", "60,5,0", "32768,5,10", "60,128,10"] {
        assert!(keepalive(bad).is_err(), "{bad}");
    }
    for bad in ["60,5,32768", "60,5,10,1", "60, 5, 10", "60,5,10,", "a,b,c"] {
        let error = keepalive(bad).unwrap_err();
        assert!(error.text.starts_with(&format!("--tcp-keepalive {bad}: ")), "{}", error.text);
    }
}

/// CONTRACT S19: a relative path is taken from the directory of the start.
#[test]
fn the_access_log() {
    let log = |value: &str| parse(&["--access-log", value]).map(|it| it.access_log.unwrap());
    assert_eq!(parse(&[]).unwrap().access_log, None);
    assert_eq!(log("syslog").unwrap(), AccessDestination::Syslog);
    for (value, path) in
        [("a.log", "/start/a.log"), ("/var/a.log", "/var/a.log"), ("./syslog", "/start/./syslog")]
    {
        assert_eq!(log(value).unwrap(), AccessDestination::File(path.into()));
    }
    assert_eq!(log("").unwrap_err().ending.status(), 1);
    let last = parse(&["--access-log", "syslog", "--access-log", "a"]).unwrap().access_log;
    assert_eq!(last, Some(AccessDestination::File("/start/a".into())));
}

/// The older library has none of what the manual of 2022 does not know.
#[test]
fn not_in_the_older_library() {
    let classic = Flavor { has_extensions: false, ..FLAVOR };
    for arguments in [
        &["--max-body", "1"][..],
        &["--defer-timeout", "1"],
        &["--forwarded", "1"],
        &["--proxy-protocol"],
        &["--access-log", "a"],
        &["--tcp-keepalive", "60,5,10"],
    ] {
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        let refused = Options::parse(&arguments, &SetOptions::NONE, Path::new("/start"), &classic);
        assert_eq!(refused.unwrap_err().ending.status(), 2, "{arguments:?}");
    }
    let none = Options::parse(&[], &SetOptions::NONE, Path::new("/start"), &classic).unwrap();
    assert!(!none.is_proxied && none.access_log.is_none());
}

#[test]
fn what_cannot_be() {
    for bad in ["9", "65541", "", "ten", "-1", "+10", "1e3", "99999999999999999999"] {
        let error = parse(&["-b", bad]).unwrap_err();
        assert_eq!(error.ending.status(), 1);
        assert!(error.text.starts_with(&format!("-b {bad}: ")), "{}", error.text);
    }
    assert_eq!(parse(&["-m", "0"]).unwrap_err().ending.status(), 1);
    assert_eq!(parse(&["-l", ""]).unwrap_err().ending.status(), 1);
    for usage in [&["-z"][..], &["-b"], &["operand"], &["--long"], &["a", "--"]] {
        assert_eq!(parse(usage).unwrap_err().ending.status(), 2, "{usage:?}");
    }
}
