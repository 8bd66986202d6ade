//! The files of a crate as modules, and the arrows between them.

use std::collections::BTreeMap;

use super::mentions::{Mention, mentions};

/// A crate's modules, one a file: `conn/receive.rs` is `["conn", "receive"]`, and the root is `[]`.
pub(super) struct House {
    rooms: BTreeMap<Vec<String>, Room>,
}

struct Room {
    file: String,
    mentions: Vec<Mention>,
}

/// What a file names: where that is defined, and how it is written.
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) path: String,
    /// It leads past a folder's mod.rs from outside of the folder.
    pub(super) is_inward: bool,
}

/// Where a path ends.
struct End {
    room: Vec<String>,
    is_inward: bool,
    /// It is the module itself, and nothing in it.
    is_room: bool,
}

impl House {
    /// The house of these files, by their paths from the crate's root. Those of tests alone are left out.
    pub(super) fn of(files: impl IntoIterator<Item = (String, String)>) -> House {
        let is_kept = |(file, _): &(String, String)| !file.ends_with("_tests.rs");
        let rooms = files.into_iter().filter(is_kept).map(|(file, text)| {
            let room = Room { mentions: mentions(&text), file };
            (module(&room.file), room)
        });
        House { rooms: rooms.collect() }
    }

    /// What each file names of the others: what a face hands on is where it comes from.
    pub(super) fn arrows(&self) -> Vec<Arrow> {
        let mut arrows = Vec::new();
        for (name, room) in &self.rooms {
            for mention in &room.mentions {
                let Some(end) = self.follow(name, &mention.path, &mut Vec::new()) else { continue };
                let (from, to) = (room.file.clone(), self.rooms[&end.room].file.clone());
                // A module that is imported is used where a path begins with it.
                let is_name = end.is_room && mention.imported_as.is_some() && !end.is_inward;
                if from != to && !is_name {
                    let path = mention.path.join("::");
                    arrows.push(Arrow { from, to, path, is_inward: end.is_inward });
                }
            }
        }
        arrows
    }

    /// The file in which that path ends, as it is written in that room. None for another crate's, and
    /// for what the room has itself. `seen` are the imports on the way, which may go round.
    fn follow(
        &self,
        from: &[String],
        path: &[String],
        seen: &mut Vec<(Vec<String>, String)>,
    ) -> Option<End> {
        let mut words = path.iter().peekable();
        let mut end = End { room: from.to_vec(), is_inward: false, is_room: true };
        match words.peek()?.as_str() {
            "crate" => end.room.clear(),
            "self" => {}
            "super" => {
                while words.next_if(|word| *word == "super").is_some() {
                    end.room.pop();
                }
            }
            first if self.rooms.contains_key(&[from, &[first.to_owned()]].concat()) => {}
            first => {
                let import = self.import(from, first, seen)?;
                if !import.is_room {
                    // The import was judged where it stands.
                    return Some(End { is_inward: false, ..import });
                }
                end.room = import.room;
                words.next();
            }
        }
        words.next_if(|word| ["crate", "self"].contains(&word.as_str()));
        while let Some(word) = words.next() {
            let below = [&*end.room, std::slice::from_ref(word)].concat();
            // `frame` may be a function out of the module `frame`, which the face hands on.
            let is_item = words.peek().is_none() && self.imports(&end.room, word);
            if !is_item && self.rooms.contains_key(&below) {
                end.is_inward |= !from.starts_with(&end.room);
                end.room = below;
                continue;
            }
            // What a face has from elsewhere is there; all else is its own.
            match self.imports(&end.room, word) {
                false => return Some(End { is_room: false, ..end }),
                true => {
                    let import = self.import(&end.room.clone(), word, seen)?;
                    end = End { is_inward: end.is_inward, ..import };
                    if !end.is_room {
                        return Some(end);
                    }
                }
            }
        }
        Some(end)
    }

    fn imports(&self, room: &[String], name: &str) -> bool {
        let mut mentions = self.rooms[room].mentions.iter();
        mentions.any(|it| it.imported_as.as_deref() == Some(name))
    }

    /// Where that name comes from, which the room imports.
    fn import(
        &self,
        room: &[String],
        name: &str,
        seen: &mut Vec<(Vec<String>, String)>,
    ) -> Option<End> {
        let step = (room.to_vec(), name.to_owned());
        if seen.contains(&step) {
            return None;
        }
        seen.push(step);
        let mut mentions = self.rooms[room].mentions.iter();
        let found = mentions.find(|it| it.imported_as.as_deref() == Some(name))?;
        self.follow(room, &found.path, seen)
    }
}

/// The module that a file is: `conn/mod.rs` is `["conn"]`.
fn module(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let mut words: Vec<_> = path.split('/').map(str::to_owned).collect();
    if words.last().is_some_and(|it| it == "mod") || ["lib", "main"].contains(&path) {
        words.pop();
    }
    words
}
