//! permessage-deflate (RFC 7692), frame by frame. What needs a zlib is in `tests/peers/deflate.py`.

use super::set;
use crate::harness::{Client, Frame, Op, Request, Response, Server, say};

const AGREED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
/// The first reserved bit.
const RSV1: u8 = 4;

fn server() -> Server {
    set("compression 6").start()
}

fn offering(offers: &[&str]) -> Request {
    let offer = |it: Request, line: &&str| it.with("Sec-WebSocket-Extensions", line);
    offers.iter().fold(Request::new(), offer)
}

fn connect(server: &Server) -> Client {
    Client::upgraded(server.socket(), &offering(&["permessage-deflate"]))
}

fn answer(server: &Server, offers: &[&str]) -> (Client, Response) {
    let mut client = server.raw();
    client.send_bytes(&offering(offers).bytes());
    let response = client.response();
    assert_eq!(response.status, "HTTP/1.1 101 Switching Protocols", "{offers:?}");
    (client, response)
}

/// A message in blocks that are stored as they are (RFC 7692 7.2.3.3).
fn stored(payload: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = payload
        .chunks(65535)
        .flat_map(|block| {
            let length = block.len() as u16;
            let head = [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes()].concat();
            [&head, block].concat()
        })
        .collect();
    bytes.push(0);
    bytes
}

fn compressed(op: Op, bytes: &[u8]) -> Frame {
    Frame::new(op, bytes).reserved(RSV1)
}

/// RFC 7692 5.1, 7.1, T21: each offer in its order; what cannot be is passed over, and is no reason
/// to refuse the client.
#[test]
fn offers() {
    let mut server = server();
    for (offers, more) in [
        (&["permessage-deflate"][..], Some("")),
        (&["permessage-deflate; client_max_window_bits"], Some("")),
        (&["permessage-deflate; server_no_context_takeover"], Some("")),
        (&["permessage-deflate; client_no_context_takeover"], Some("")),
        (&["permessage-deflate;server_max_window_bits=8"], Some("; server_max_window_bits=8")),
        (&["permessage-deflate;server_max_window_bits=15"], Some("; server_max_window_bits=15")),
        (&["permessage-deflate;client_max_window_bits=8"], Some("; client_max_window_bits=8")),
        (
            &["permessage-deflate; client_max_window_bits=9; server_max_window_bits=\"12\""],
            Some("; server_max_window_bits=12; client_max_window_bits=9"),
        ),
        (&["x-webkit-deflate-frame, permessage-deflate"], Some("")),
        (&["x-other", "permessage-deflate"], Some("")),
        (&["permessage-deflate; server_max_window_bits=7", "permessage-deflate"], Some("")),
        (
            &["permessage-deflate;server_max_window_bits=10,permessage-deflate"],
            Some("; server_max_window_bits=10"),
        ),
        (&[], None),
        (&[""], None),
        (&["permessage-deflate; server_max_window_bits"], None),
        (&["permessage-deflate; server_max_window_bits=16"], None),
        (&["permessage-deflate; server_max_window_bits=99999999999999999999"], None),
        (&["permessage-deflate; server_max_window_bits=-8"], None),
        (&["permessage-deflate; client_max_window_bits=08"], None),
        (&["permessage-deflate; server_no_context_takeover=1"], None),
        (&["permessage-deflate; server_no_context_takeover; server_no_context_takeover"], None),
        (&["permessage-deflate; anything"], None),
        (&["constructor"], None),
    ] {
        let (mut client, response) = answer(&server, offers);
        let expected = more.map(|more| format!("{AGREED}{more}"));
        let found = response.header("Sec-WebSocket-Extensions");
        assert_eq!(found, expected.as_deref(), "{offers:?}");
        client.echo("hello");
    }
    server.stop();
}

/// The messages of RFC 7692 7.2.3, and what is stored; small ones come back plain.
#[test]
fn what_clients_compress() {
    let mut server = server();
    let mut client = connect(&server);
    for bytes in [
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ] {
        client.send(&compressed(Op::TEXT, bytes));
        client.expect_text("Hello");
        for byte in compressed(Op::TEXT, bytes).bytes() {
            client.send_and_drain(&[byte]);
        }
        client.expect_text("Hello");
    }
    client.send(&compressed(Op::BINARY, &stored(b"\xff\x00\xfe")));
    assert_eq!(client.receive(), Frame::new(Op::BINARY, b"\xff\x00\xfe").unmasked());
    for empty in [&[0_u8][..], &[2, 0], &[]] {
        client.send(&compressed(Op::TEXT, empty));
        client.expect_text("");
    }
    client.echo("and a plain one between");
    server.stop();
}

/// Messages under 64 bytes go plain, longer ones compressed; to those who have not agreed all do.
#[test]
fn what_is_compressed_for_them() {
    let mut server = server();
    let mut client = connect(&server);
    for (length, rsv) in [(0, 0), (1, 0), (63, 0), (64, RSV1), (65, RSV1), (60_000, RSV1)] {
        client.text(&"x".repeat(length));
        let frame = client.receive();
        assert_eq!((frame.rsv, frame.fin), (rsv, true), "{length}");
        assert!(frame.payload.len() < 128 && (rsv != 0 || frame.payload.len() == length));
    }
    let mut plain = server.connect();
    plain.echo(&"x".repeat(60_000));
    // One call for all: each has it as it has agreed.
    plain.text("!sendall 0 1000 1");
    assert_eq!(plain.receive().payload.len(), 1000);
    assert_eq!(plain.receive().as_text(), "2 2");
    let frame = client.receive();
    assert!(frame.rsv == RSV1 && frame.payload.len() < 100);
    server.stop();
}

/// RFC 7692 6.1, T22: the bit stands in the first frame of a message, and nowhere else; without an
/// agreement nowhere at all.
#[test]
fn where_the_bit_may_stand() {
    let mut server = set("compression 6;max_message 65535").start();
    let mut client = connect(&server);
    let hello = stored(b"hello");
    client.send(&compressed(Op::TEXT, &hello[..3]).unfinished());
    client.send(&Frame::new(Op::PING, "between"));
    assert_eq!(client.receive().op, Op::PONG);
    client.send(&Frame::new(Op::CONTINUATION, &hello[3..4]).unfinished());
    client.send(&Frame::new(Op::CONTINUATION, &hello[4..]));
    client.expect_text("hello");
    let begun = compressed(Op::TEXT, &hello[..3]).unfinished().bytes();
    for bytes in [
        [begun.clone(), compressed(Op::CONTINUATION, &hello[3..]).bytes()].concat(),
        [Frame::text("a").unfinished().bytes(), compressed(Op::CONTINUATION, b"").bytes()].concat(),
        compressed(Op::PING, b"").bytes(),
        compressed(Op::CLOSE, b"").bytes(),
        Frame::new(Op::TEXT, &hello).reserved(6).bytes(),
        Frame::new(Op::TEXT, &hello).reserved(2).bytes(),
    ] {
        let mut client = connect(&server);
        client.send_bytes(&bytes);
        client.expect_close(1002);
    }
    let mut plain = server.connect();
    plain.send(&compressed(Op::TEXT, &hello));
    plain.expect_close(1002);
    server.stop();
}

/// T20: bytes that are no DEFLATE, and text that is none when it is inflated: 1007.
#[test]
fn what_is_no_deflate() {
    let mut server = server();
    for bytes in [
        &[0xff; 20][..],
        &[0x07],
        &[0x01, 0x05, 0x00, 0x00, 0x00],
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48],
        &stored(b"caf\xe9"),
        &stored(b"cut \xe2\x82"),
    ] {
        let mut client = connect(&server);
        client.send(&compressed(Op::TEXT, bytes));
        client.expect_close(1007);
    }
    connect(&server).echo("as ever");
    server.stop();
}

/// T17, T19: the limit is that of the message as it is inflated, to the byte.
#[test]
fn the_limit_while_inflating() {
    let mut server = set("compression 6;max_message 1000").start();
    for (length, fits) in [(999, true), (1000, true), (1001, false), (20_000, false)] {
        let mut client = connect(&server);
        let bytes = stored(&vec![b'x'; length]);
        for part in [&[bytes.len()][..], &[1, bytes.len() - 1]] {
            if part.len() == 1 {
                client.send(&compressed(Op::TEXT, &bytes));
            } else {
                client.send(&compressed(Op::TEXT, &bytes[..part[0]]).unfinished());
                client.send(&Frame::new(Op::CONTINUATION, &bytes[part[0]..]));
            }
            if !fits {
                client.expect_close(1009);
                break;
            }
            assert_eq!(client.receive().rsv, RSV1);
        }
    }
    server.stop();
}

/// T14, T17: what comes plain keeps to the limit where compression was agreed as well.
#[test]
fn the_limit_of_plain_messages() {
    for limit in [100, 65535] {
        let mut server = set(&format!("compression 6;max_message {limit}")).start();
        let mut client = connect(&server);
        client.text(&"x".repeat(limit));
        assert_eq!(client.receive().rsv, RSV1);
        client.text(&"x".repeat(limit + 1));
        client.expect_close(1009);
        let mut client = connect(&server);
        client.send(&Frame::new(Op::TEXT, vec![b'x'; limit]).unfinished());
        client.send(&Frame::new(Op::CONTINUATION, "y"));
        client.expect_close(1009);
        server.stop();
    }
}

/// T12, T14: fragments of a message that has reached the limit end it, however small they are, plain
/// or compressed.
#[test]
fn fragments_without_end() {
    let mut server = set("compression 6;max_message 1000").start();
    let before = server.process().resident();
    for first in [Frame::new(Op::BINARY, [0; 1000]), compressed(Op::BINARY, &stored(&[0; 900]))] {
        let mut client = connect(&server);
        client.send(&first.unfinished());
        let more = Frame::new(Op::CONTINUATION, [0; 60]).unfinished().bytes().repeat(1000);
        (0..100).for_each(|_| client.send_bytes(&more));
        client.expect_close(1009);
        let grown = server.process().resident().saturating_sub(before);
        assert!(grown < 2 << 20, "{grown} bytes for a limit of a thousand");
    }
    server.stop();
}

/// CONTRACT S20: a megabyte of blocks that say nothing holds nobody up. What is measured is the server's
/// own processor time; one that gives each block room by the length of what follows it needs 20 seconds.
#[test]
fn empty_blocks() {
    let mut server = set("compression 6;max_message 1000000").start();
    let mut other = server.connect();
    for block in [&[3, 0][..], &[1, 0, 0, 0xff, 0xff], &[0, 0, 0, 0xff, 0xff]] {
        let mut client = connect(&server);
        let before = server.process().ticks();
        client.send(&compressed(Op::TEXT, &block.repeat(1_000_000 / block.len())));
        other.echo("meanwhile");
        client.expect_text("");
        other.echo("behind it");
        let ticks = server.process().ticks() - before;
        say(&format!("a megabyte of {block:x?}: {ticks} ticks of processor time"));
        assert!(ticks < 100, "{ticks} ticks for {block:x?}");
    }
    server.stop();
}

/// The longest message there may be, of bytes that cannot be compressed: a little longer on the way.
#[test]
fn the_longest_message_of_noise() {
    let mut state = 1_u32;
    let noise: Vec<u8> = (0..65535)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    let mut server = server();
    let mut client = connect(&server);
    client.send(&compressed(Op::BINARY, &stored(&noise)));
    let mut length = 0;
    let frames: Vec<_> = std::iter::from_fn(|| {
        let frame = client.receive();
        length += frame.payload.len();
        let is_more = !frame.fin;
        Some((frame.op, frame.rsv, is_more))
    })
    .take(2)
    .collect();
    assert_eq!(frames, [(Op::BINARY, RSV1, true), (Op::CONTINUATION, 0, false)]);
    assert!((65_000..66_000).contains(&length), "{length}");
    server.stop();
}

/// USERS 15: one message for many is compressed once for all who take it alike.
#[test]
fn a_broadcast_is_compressed_once() {
    let mut server = set("compression 9").start();
    let mut client = connect(&server);
    let ticks = |client: &mut Client| {
        let before = server.process().ticks();
        client.text("!sendall 1 16000000 3");
        while client.receive().op != Op::TEXT {}
        server.process().ticks() - before
    };
    let alone = ticks(&mut client);
    let others: Vec<_> = (0..200).map(|_| connect(&server)).collect();
    let together = ticks(&mut client);
    say(&format!("48 MB compressed for one: {alone} ticks; for 201: {together}"));
    assert!(together < 4 * alone + 100, "{alone} ticks for one, {together} for all");
    drop(others);
    server.stop();
}
