//! The options that a library has: their grammar, the line of usage, and `--help`.

use std::fmt::Write as _;

use getopts::{HasArg, Occur};

use crate::program::Flavor;

/// An option.
struct Entry {
    group: &'static str,
    /// The option's name: one letter, or a word.
    name: &'static str,
    argument: Argument,
    text: String,
}

/// Whether an option has an argument.
enum Argument {
    /// There is none.
    None,
    /// An argument must be there, and is called so.
    One(&'static str),
    /// An argument may be there: behind `=`, or as the next word where that is a number.
    Optional(&'static str),
}

/// The options of a library.
pub(crate) struct Spec {
    manual: &'static str,
    entries: Vec<Entry>,
    /// Whether `-h` is an option of its own, and not short for `--help`.
    has_h: bool,
}

const HELP: &str = "help";
/// The word behind which operands follow, and no options.
const OPERANDS: &str = "--";
const LISTENING: &str = "Listening";
const LIMITS: &str = "Limits";
const PROTOCOL: &str = "Protocol";
const PROCESS: &str = "Process";

impl Spec {
    /// The options of this library, in the order in which `--help` tells them.
    pub(crate) fn new(flavor: &Flavor, max_buffer: usize) -> Self {
        use Argument::{None, One, Optional};
        let most = flavor.max_connections;
        let mut entries = Vec::new();
        let mut add = |is_there: bool, group, name, argument, text: &str| {
            if is_there {
                entries.push(Entry { group, name, argument, text: text.to_owned() });
            }
        };
        let has_h = flavor.without_h.is_some();
        let more = flavor.has_extensions;
        add(true, LISTENING, "l", One("path"), "a UNIX socket* [/var/run/NAME.socket]");
        add(more, LISTENING, "p", One("port"), "a port of TCP*; without -l nothing else");
        add(more, LISTENING, "i", One("address"), "where, with -p* [127.0.0.1]");
        add(more, LISTENING, "w", One("directory"), "serve the pages in it, for trying out [none]");
        add(more, LISTENING, "proxy-protocol", None, "a proxy says first who the client is [off]");
        add(
            more,
            LISTENING,
            "tcp-keepalive",
            One("t,n,i"),
            "probe after t s, n times, each i s [off]",
        );
        add(true, LIMITS, "m", One("count"), &format!("the most connections [{most}]"));
        add(true, LIMITS, "b", One("bytes"), &format!("the longest message, and 5 [{max_buffer}]"));
        add(
            more,
            LIMITS,
            "max-message",
            One("bytes"),
            "take messages of up to this, and fragments",
        );
        add(more, LIMITS, "max-queue", One("bytes[,skip]"), "queue up to this for a client [64M]");
        add(more, LIMITS, "max-memory", One("bytes"), "hold up to this for all clients [no limit]");
        add(more, LIMITS, "max-body", One("bytes"), "take bodies of requests up to this [64K]");
        add(more, LIMITS, "defer-timeout", One("seconds"), "wait so long for a late answer [60]");
        add(
            more,
            PROTOCOL,
            "compress",
            Optional("level"),
            "compress messages: 1 to 9, or else 6 [off]",
        );
        add(more, PROTOCOL, "origin", One("origin"), "whose pages may connect, or same* [any]");
        add(
            more,
            PROTOCOL,
            "ping",
            One("idle[,timeout]"),
            "ask a silent client, give it up [50,20]",
        );
        add(
            more,
            PROTOCOL,
            "forwarded",
            One("n[,header]"),
            "n-th from the right is the client [none]",
        );
        add(has_h, PROTOCOL, "h", None, "tell the program the cookie, not the host");
        add(true, PROCESS, "f", One("file"), "the program's own configuration");
        add(true, PROCESS, "u", One("user"), "run as this user, a name or number [nobody]");
        add(true, PROCESS, "g", One("group"), "and as this group [nobody, or nogroup]");
        add(true, PROCESS, "x", None, "stay in the foreground");
        add(
            true,
            PROCESS,
            "log-level",
            One("level"),
            "error, warning, notice, info or debug [info]",
        );
        add(true, PROCESS, "log-stderr", None, "a daemon too logs to standard error");
        add(more, PROCESS, "access-log", One("file|syslog"), "a line for each request [none]");
        add(true, PROCESS, "drain", One("seconds"), "after SIGHUP, serve clients so long [10]");
        let short = if has_h { "" } else { "; so does -h" };
        add(true, PROCESS, "check", None, "judge options and program, and leave");
        add(true, PROCESS, HELP, None, &format!("say this, and leave{short}"));
        add(true, PROCESS, "version", None, "say which version it is, and leave");
        Self { manual: flavor.manual, entries, has_h }
    }

    /// Splits a command line before the word [`OPERANDS`], where that is there. In the first part a number is joined to the
    /// option before it, where that may have an argument: the parser would take it for an operand.
    pub(crate) fn split(&self, words: impl Iterator<Item = String>) -> (Vec<String>, Vec<String>) {
        let is_number = |word: &String| word.parse::<u64>().is_ok();
        let mut words = words.peekable();
        let mut joined = Vec::new();
        while let Some(word) = words.next_if(|word| word != OPERANDS) {
            match self.argument_behind(&word) {
                Some(Argument::One(_)) => {
                    joined.push(word);
                    joined.extend(words.next());
                }
                Some(Argument::Optional(_)) => joined.push(match words.next_if(is_number) {
                    Some(number) => format!("{word}={number}"),
                    None => word,
                }),
                Some(Argument::None) | None => joined.push(word),
            }
        }
        (joined, words.collect())
    }

    /// What the next word may be to the last option of this one.
    fn argument_behind(&self, word: &str) -> Option<&Argument> {
        let find = |name: &str| {
            let entry = self.entries.iter().find(|entry| entry.name == name);
            entry.map(|entry| &entry.argument)
        };
        let letters = match word.strip_prefix("--") {
            Some(name) => return find(name),
            None => word.strip_prefix('-')?,
        };
        // The first letter that has an argument takes the rest of the word for it.
        let has_argument =
            |letter: char| matches!(find(letter.encode_utf8(&mut [0; 4])), Some(Argument::One(_)));
        let first = letters.find(has_argument)?;
        find(&letters[first..])
    }

    /// The options as the parser wants them. All may be given several times.
    pub(crate) fn parser(&self) -> getopts::Options {
        let mut parser = getopts::Options::new();
        for Entry { name, argument, .. } in &self.entries {
            let (short, long) = if name.len() == 1 { (*name, "") } else { ("", *name) };
            let has_argument = match argument {
                Argument::None => HasArg::No,
                Argument::One(_) => HasArg::Yes,
                Argument::Optional(_) => HasArg::Maybe,
            };
            let short = if *name == HELP && !self.has_h { "h" } else { short };
            parser.opt(short, long, "", "", has_argument, Occur::Multi);
        }
        parser
    }

    /// What is said where the command line is not understood: one line.
    pub(crate) fn usage(&self) -> String {
        let (letters, others): (Vec<_>, Vec<_>) =
            self.entries.iter().partition(|entry| entry.is_lone_letter());
        let letters: String = letters.into_iter().map(|entry| entry.name).collect();
        let others = others.into_iter().map(|entry| format!(" [{}]", entry.form()));
        format!("usage: [-{letters}]{}", others.collect::<String>())
    }

    /// What `--help` says: one screen.
    pub(crate) fn help(&self) -> String {
        let mut text =
            format!("A WebSocket server; see {}. [Default]. * may be repeated.\n", self.manual);
        for (i, entry) in self.entries.iter().enumerate() {
            if i == 0 || self.entries[i - 1].group != entry.group {
                let _ = writeln!(text, "{}", entry.group);
            }
            let _ = writeln!(text, "  {:25} {}", entry.form(), entry.text);
        }
        text
    }

    /// What `--version` says: one line.
    pub(crate) fn version(&self) -> String {
        format!("libdorrit {} ({})\n", env!("CARGO_PKG_VERSION"), self.manual)
    }
}

impl Entry {
    /// Whether the option can stand behind one dash with others.
    fn is_lone_letter(&self) -> bool {
        self.name.len() == 1 && matches!(self.argument, Argument::None)
    }

    /// How the option is written.
    fn form(&self) -> String {
        let dashes = if self.name.len() == 1 { "-" } else { "--" };
        let argument = match self.argument {
            Argument::None => String::new(),
            Argument::One(name) => format!(" {name}"),
            Argument::Optional(name) => format!("[={name}]"),
        };
        format!("{dashes}{}{argument}", self.name)
    }
}
