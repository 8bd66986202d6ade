//! The paths that a file names, as the compiler's tokens have them.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A path in a file: `crate::frame::OpCode` is three words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Mention {
    pub(super) path: Vec<String>,
    /// The name under which a `use` brings it into its file.
    pub(super) imported_as: Option<String>,
}

/// All paths of more than one word, and all that a `use` names, but for what is compiled for tests alone.
pub(super) fn mentions(text: &str) -> Vec<Mention> {
    let tokens: TokenStream = text.parse().expect("it is Rust");
    let mut found = Vec::new();
    Reader { tokens: tokens.into_iter().collect(), at: 0, depth: 0, found: &mut found }.read();
    found
}

/// Reads a row of tokens that stand in so many modules within the file.
struct Reader<'a> {
    tokens: Vec<TokenTree>,
    at: usize,
    depth: usize,
    found: &'a mut Vec<Mention>,
}

impl Reader<'_> {
    fn read(mut self) {
        while let Some(token) = self.tokens.get(self.at).cloned() {
            match token {
                TokenTree::Punct(it) if it.as_char() == '#' => self.attribute(),
                TokenTree::Ident(it) if it == "use" => {
                    self.at += 1;
                    self.import(Vec::new());
                }
                // `pub(in crate::conn)` uses nothing.
                TokenTree::Ident(it) if it == "pub" => {
                    self.at += 1;
                    if self.group(Delimiter::Parenthesis).is_some() {
                        self.at += 1;
                    }
                }
                TokenTree::Ident(it) if it == "mod" => {
                    self.at += 2;
                    if let Some(body) = self.group(Delimiter::Brace) {
                        self.at += 1;
                        self.inside(body, self.depth + 1);
                    }
                }
                TokenTree::Ident(_) => self.path(),
                TokenTree::Group(it) => {
                    self.at += 1;
                    self.inside(it.stream(), self.depth);
                }
                _ => self.at += 1,
            }
        }
    }

    fn inside(&mut self, tokens: TokenStream, depth: usize) {
        Reader { tokens: tokens.into_iter().collect(), at: 0, depth, found: self.found }.read();
    }

    /// Passes an attribute, and what it is for where that is compiled for tests alone.
    fn attribute(&mut self) {
        self.at += 1;
        let Some(attribute) = self.group(Delimiter::Bracket) else { return };
        self.at += 1;
        if attribute.to_string().replace(' ', "") != "cfg(test)" {
            return;
        }
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            match token {
                TokenTree::Punct(it) if it.as_char() == ';' => return,
                TokenTree::Group(it) if it.delimiter() == Delimiter::Brace => return,
                _ => {}
            }
        }
    }

    /// A tree of `use`, behind what stands before it.
    fn import(&mut self, mut path: Vec<String>) {
        loop {
            if let Some(members) = self.group(Delimiter::Brace) {
                self.at += 1;
                let tokens = members.into_iter().collect();
                let mut reader =
                    Reader { tokens, at: 0, depth: self.depth, found: &mut *self.found };
                while reader.at < reader.tokens.len() {
                    reader.import(path.clone());
                    // The comma.
                    reader.at += 1;
                }
                return;
            }
            match self.word() {
                // Of `reactor::{self, Poll}`.
                Some(word) if word == "self" && !path.is_empty() => {}
                Some(word) => path.push(word),
                // A star: all that is there.
                None => {
                    self.at += 1;
                    return self.add(path, None);
                }
            }
            if self.colons() {
                continue;
            }
            let name = match self.tokens.get(self.at) {
                Some(TokenTree::Ident(it)) if it == "as" => {
                    self.at += 1;
                    self.word()
                }
                _ => path.last().cloned(),
            };
            return self.add(path, name);
        }
    }

    /// A path where it is used.
    fn path(&mut self) {
        // Where `<T>::new()` leads is not known from its words.
        let is_behind_another = is_path_separator(&self.tokens[..self.at]);
        let mut path = Vec::new();
        while let Some(word) = self.word() {
            path.push(word);
            if !self.colons() {
                break;
            }
        }
        if path.len() > 1 && !is_behind_another {
            self.add(path, None);
        }
    }

    /// Within the file's own modules, `super` first leads to the file itself.
    fn add(&mut self, mut path: Vec<String>, imported_as: Option<String>) {
        let ups = path.iter().take_while(|word| *word == "super").count();
        path.drain(..ups.min(self.depth));
        if ups > 0 && ups <= self.depth {
            path.insert(0, "self".to_owned());
        }
        self.found.push(Mention { path, imported_as });
    }

    fn word(&mut self) -> Option<String> {
        let Some(TokenTree::Ident(word)) = self.tokens.get(self.at) else { return None };
        self.at += 1;
        Some(word.to_string())
    }

    fn colons(&mut self) -> bool {
        let next = self.tokens.get(self.at..self.at + 2);
        let are_there = next.is_some_and(is_path_separator);
        self.at += if are_there { 2 } else { 0 };
        are_there
    }

    fn group(&self, delimiter: Delimiter) -> Option<TokenStream> {
        match self.tokens.get(self.at)? {
            TokenTree::Group(it) if it.delimiter() == delimiter => Some(it.stream()),
            _ => None,
        }
    }
}

/// Whether these end in `::`.
fn is_path_separator(tokens: &[TokenTree]) -> bool {
    let [.., TokenTree::Punct(first), TokenTree::Punct(second)] = tokens else { return false };
    first.as_char() == ':' && first.spacing() == Spacing::Joint && second.as_char() == ':'
}
