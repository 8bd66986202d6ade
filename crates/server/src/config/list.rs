//! Lists with commas between their items.

/// The items of a list with commas between them.
pub(crate) fn items(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}
