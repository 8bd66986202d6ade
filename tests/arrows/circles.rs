//! Circles of arrows: who leads back to himself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// For each that stands in a circle the shortest one, each circle once, from its first member in order.
pub(super) fn circles<'a>(
    arrows: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> BTreeSet<Vec<&'a str>> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in arrows {
        next.entry(from).or_default().insert(to);
    }
    let circles = next.keys().filter_map(|start| way_back(&next, start));
    circles
        .map(|mut circle| {
            let first = circle.iter().enumerate().min_by_key(|(_, name)| **name);
            let first = first.map_or(0, |(index, _)| index);
            circle.rotate_left(first);
            circle
        })
        .collect()
}

/// From there over the fewest others back to there.
fn way_back<'a>(
    next: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    start: &'a str,
) -> Option<Vec<&'a str>> {
    let mut came_from = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(at) = waiting.pop_front() {
        for to in next.get(at).into_iter().flatten() {
            if came_from.contains_key(to) {
                continue;
            }
            came_from.insert(*to, at);
            if *to == start {
                let mut way = vec![at];
                while way[way.len() - 1] != start {
                    way.push(came_from[way[way.len() - 1]]);
                }
                way.reverse();
                return Some(way);
            }
            waiting.push_back(to);
        }
    }
    None
}
