use super::*;
use crate::outbox::frames::JOINED;

fn insert(messages: &mut Frames, bytes: &[u8], frames: u32) -> FrameId {
    messages.reserve().unwrap();
    messages.insert(bytes.to_vec(), frames)
}

/// Puts a message in a queue, and none elsewhere.
fn push(queue: &mut Queue, messages: &mut Frames, bytes: &[u8], frames: u32) {
    let id = insert(messages, bytes, frames);
    queue.push_new(id, messages);
}

fn next(queue: &Queue, messages: &Frames, budget: usize) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 3];
    let (count, total) = queue.slices(messages, budget, &mut slices);
    let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
    assert_eq!(bytes.len(), total);
    bytes
}

/// CONTRACT D11: a frame counts until its last byte is sent.
#[test]
fn frames_are_counted_until_they_are_sent_whole() {
    let mut messages = Frames::default();
    let mut queue = Queue::default();
    push(&mut queue, &mut messages, b"\x01\x02ab\x00\x01c\x80\x00", 3);
    push(&mut queue, &mut messages, b"\x82\x01z", 1);
    let all = b"\x01\x02ab\x00\x01c\x80\x00\x82\x01z";
    let left = [4, 4, 4, 4, 3, 3, 3, 2, 2, 1, 1, 1];
    for (sent, left) in left.into_iter().enumerate() {
        assert_eq!((queue.frames(), queue.bytes()), (left, all.len() - sent), "{sent}");
        assert_eq!(next(&queue, &messages, 100), all[sent..]);
        assert_eq!(next(&queue, &messages, 1), all[sent..=sent]);
        queue.advance(1, &mut messages);
    }
    assert!(queue.is_empty() && queue.frames() == 0 && queue.bytes() == 0);
    assert_eq!((queue.held(), messages.held()), (0, 0));
}

#[test]
fn a_rest_starts_where_the_socket_stopped() {
    for sent in 0..11 {
        let mut messages = Frames::default();
        let mut queue = Queue::default();
        let id = insert(&mut messages, b"HTTP\x81\x01a\x81\x02bb", 2);
        queue.push_rest(id, 4, sent, &mut messages);
        assert_eq!(queue.frames(), if sent < 7 { 2 } else { 1 }, "{sent}");
        queue.advance(11 - sent, &mut messages);
        assert!(queue.is_empty() && queue.frames() == 0);
        assert_eq!(messages.len(), 0);
    }
}

#[test]
fn an_answer_goes_first() {
    let mut messages = Frames::default();
    let mut queue = Queue::default();
    push(&mut queue, &mut messages, b"\x81\x01a", 1);
    push(&mut queue, &mut messages, b"\x81\x01b", 1);
    let answer = insert(&mut messages, b"HTTP", 0);
    queue.push_answer(answer, &mut messages);
    assert_eq!(next(&queue, &messages, 100), b"HTTP\x81\x01a\x81\x01b");
    queue.advance(6, &mut messages);
    assert_eq!(queue.frames(), 2);
    queue.advance(1, &mut messages);
    assert_eq!(queue.frames(), 1);
}

/// A flood of pings costs one pong (RFC 6455 5.5.3), and no room for more.
#[test]
fn one_pong_waits() {
    let mut messages = Frames::default();
    let mut queue = Queue::default();
    push(&mut queue, &mut messages, b"\x81\x01a", 1);
    for byte in b'a'..=b'z' {
        messages.reserve().unwrap();
        queue.reserve().unwrap();
        let frame = [&b"\x8a"[..], &[byte - b'a'], &vec![byte; usize::from(byte - b'a')]];
        queue.push_pong(frame.concat(), &mut messages);
        assert_eq!(queue.reserved, 0);
    }
    assert_eq!((queue.frames(), queue.bytes()), (2, 3 + 27));
    assert_eq!(queue.held(), messages.held());
    queue.advance(4, &mut messages);
    messages.reserve().unwrap();
    queue.push_pong(b"\x8a\x00".to_vec(), &mut messages);
    assert_eq!((queue.frames(), queue.bytes()), (2, 26 + 2));
}

/// CONTRACT S22: a flood of pings takes room for one pong.
#[test]
fn a_pong_in_the_place_of_another_takes_no_room() {
    let mut messages = Frames::default();
    let mut queue = Queue::default();
    for _ in 0..10_000 {
        messages.reserve().unwrap();
        queue.reserve().unwrap();
        queue.push_pong(b"\x8a\x00".to_vec(), &mut messages);
    }
    assert!(queue.entries.capacity() <= KEPT_ENTRIES, "{}", queue.entries.capacity());
}

#[test]
fn the_first_message_is_kept() {
    let mut messages = Frames::default();
    let mut queue = Queue::default();
    (0..3).for_each(|_| push(&mut queue, &mut messages, b"\x01\x01a\x80\x01b", 2));
    queue.advance(4, &mut messages);
    queue.keep_first(&mut messages);
    assert_eq!((queue.frames(), queue.bytes(), messages.len()), (1, 2, 1));
    assert_eq!(next(&queue, &messages, 100), b"\x01b");
    assert_eq!(queue.held(), messages.held());
}

#[test]
fn clear_gives_all_back() {
    let mut messages = Frames::default();
    let mut queue = Queue::default();
    let id = insert(&mut messages, b"\x81\x01a", 1);
    queue.push(id, &mut messages);
    queue.push(id, &mut messages);
    messages.release(id);
    queue.advance(1, &mut messages);
    queue.clear(&mut messages);
    assert!(queue.is_empty() && queue.frames() == 0 && queue.bytes() == 0);
    assert_eq!((messages.len(), messages.held()), (0, 0));
}

/// CONTRACT S22: what small messages take, of which many wait, is little more than their bytes.
#[test]
fn small_messages_are_joined() {
    let mut messages = Frames::default();
    let mut queue = Queue::default();
    let shared = insert(&mut messages, b"\x81\x01s", 1);
    queue.push(shared, &mut messages);
    assert!(!queue.join([b"\x81\x01", b"a"], &mut messages), "others have that one, too");
    for _ in 1..WAITING {
        push(
            &mut queue,
            &mut messages,
            &[b"\x82\x7e\x3f\xfc", &[b'l'; JOINED - 4][..]].concat(),
            1,
        );
    }
    let before = (queue.held(), queue.bytes(), messages.len());
    for i in 0..100_000 {
        assert!(queue.join([b"\x81\x01", &[i as u8]], &mut messages), "{i}");
    }
    let (held, bytes) = (queue.held() - before.0, queue.bytes() - before.1);
    assert_eq!((bytes, queue.frames() as usize), (300_000, 100_000 + WAITING));
    assert!(held < bytes * 11 / 10, "{held}");
    queue.advance(before.1, &mut messages);
    assert_eq!(queue.frames(), 100_000);
    for i in 0..100_000 {
        assert_eq!(next(&queue, &messages, 3), [0x81, 1, i as u8], "{i}");
        queue.advance(3, &mut messages);
    }
    assert!(queue.is_empty() && queue.held() == 0);
    messages.release(shared);
    assert_eq!((messages.len(), messages.held()), (0, 0));
}

/// Behind a pong, which may yet be replaced, nothing is joined to it.
#[test]
fn nothing_is_joined_to_a_pong() {
    let mut messages = Frames::default();
    let mut queue = Queue::default();
    messages.reserve().unwrap();
    queue.push_pong(b"\x8a\x01p".to_vec(), &mut messages);
    assert!(!queue.join([b"\x81\x01", b"a"], &mut messages));
}
