//! c-examples/udp.c: datagrams that become messages, and messages that become datagrams.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::examples::launch;
use crate::handover::Chain;
use crate::harness::{Compiler, Frame, LIMIT, Launch, Op, Package, root, until};

use super::{binary, compile, with_operands};

fn program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| compile("udp", &[])).clone()
}

/// An address of this machine that nobody else uses.
fn own_address() -> Ipv4Addr {
    static COUNT: AtomicU8 = AtomicU8::new(10);
    let [.., high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, COUNT.fetch_add(1, Ordering::Relaxed) ^ high, middle, low)
}

/// Where the server takes datagrams.
fn own_place() -> SocketAddr {
    (own_address(), 9000).into()
}

/// The server, about to take datagrams there.
fn at(place: SocketAddr) -> Launch {
    with_operands(&program(), &[&place.port().to_string(), &place.ip().to_string()])
}

/// Somebody who sends datagrams there, and to whom that may answer.
fn sender(place: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.set_read_timeout(Some(LIMIT)).expect("a limit");
    socket.connect(place).expect("a place");
    socket
}

fn received(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65536];
    let length = socket.recv(&mut buffer).expect("a datagram");
    buffer.truncate(length);
    buffer
}

/// Each datagram goes to all clients, and what each of them sends to the sender of the last one.
#[test]
fn both_ways() {
    let place = own_place();
    let mut server = at(place).start();
    let (mut ann, mut bob) = (server.connect(), server.connect());
    // Nobody is there to hear this.
    ann.send_and_drain(&Frame::text("lost").bytes());

    let first = sender(place);
    for datagram in [&b"hello"[..], b"\xff\x00\n", b"", &[7; 60_000]] {
        first.send(datagram).expect("it is sent");
        for client in [&mut ann, &mut bob] {
            assert_eq!(binary(client), datagram);
        }
    }
    ann.text("from ann");
    assert_eq!(received(&first), b"from ann");

    let second = sender(place);
    second.send(b"me").expect("it is sent");
    assert_eq!((binary(&mut ann), binary(&mut bob)), (b"me".to_vec(), b"me".to_vec()));
    bob.send(&Frame::new(Op::BINARY, [0, 0xff]));
    assert_eq!(received(&second), [0, 0xff]);
    bob.text("");
    assert_eq!(received(&second), b"");
    // No datagram is that long; the next one is sent.
    bob.send(&Frame::new(Op::BINARY, vec![1; 65_530]));
    bob.text("short");
    assert_eq!(received(&second), b"short");

    // Who leaves is forgotten, and the others are not.
    drop(ann);
    let mut carl = server.connect();
    second.send(b"again").expect("it is sent");
    assert_eq!((binary(&mut bob), binary(&mut carl)), (b"again".to_vec(), b"again".to_vec()));
    server.stop();
    let said = server.complaints();
    assert!(said.len() == 1 && said[0].contains("65530 bytes was not sent: "), "{said:?}");
}

/// Ten thousand datagrams come in their order. The sender waits for its reader each time that a few are on
/// their way: the kernel may drop what a socket has no room for.
#[test]
fn many_datagrams() {
    let place = own_place();
    let mut server = at(place).start();
    let mut clients: Vec<_> = (0..5).map(|_| server.connect()).collect();
    let socket = sender(place);
    for start in (0..10_000_u32).step_by(100) {
        for number in start..start + 100 {
            socket.send(&number.to_be_bytes()).expect("it is sent");
        }
        for client in &mut clients {
            for number in start..start + 100 {
                assert_eq!(binary(client), number.to_be_bytes());
            }
        }
    }
    // And the other way.
    for start in (0..10_000_u32).step_by(100) {
        let frames = (start..start + 100).flat_map(|it| Frame::text(&it.to_string()).bytes());
        clients[3].send_bytes(&frames.collect::<Vec<u8>>());
        for number in start..start + 100 {
            assert_eq!(received(&socket), number.to_string().as_bytes());
        }
    }
    server.stop();
}

/// A sender that never pauses keeps neither clients nor the operator waiting, and a client that does not
/// read misses some, while another one hears on.
#[test]
fn a_flood() {
    let place = own_place();
    let mut server = at(place).start();
    let deaf = server.connect();
    let socket = sender(place);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // A server that stops has the kernel refuse some.
                let _ = socket.send(&[0; 30_000]);
            }
        });
        for _ in 0..20 {
            let mut client = server.connect();
            for _ in 0..20 {
                assert_eq!(binary(&mut client).len(), 30_000);
            }
        }
        server.stop();
        is_over.store(true, Ordering::Relaxed);
        flood.join().expect("it ends");
    });
    drop(deaf);
    assert_eq!(server.complaints(), [""; 0]);
}

/// A peer that is given gets all that clients say, whoever sends.
#[test]
fn a_given_peer() {
    let place = own_place();
    let peer = UdpSocket::bind((own_address(), 0)).expect("a socket");
    peer.set_read_timeout(Some(LIMIT)).expect("a limit");
    let there = peer.local_addr().expect("its address");
    let words = [place.port(), there.port()].map(|it| it.to_string());
    let (here, theirs) = (place.ip().to_string(), there.ip().to_string());
    let mut server = with_operands(&program(), &[&words[0], &here, &words[1], &theirs]).start();
    let mut client = server.connect();
    client.text("at once");
    assert_eq!(received(&peer), b"at once");
    sender(place).send(b"from another").expect("it is sent");
    assert_eq!(binary(&mut client), b"from another");
    client.text("still yours");
    assert_eq!(received(&peer), b"still yours");
    server.stop();
}

/// What cannot be ends the start, with a line that says why.
#[test]
fn bad_operands() {
    let taken = UdpSocket::bind(own_place()).expect("a socket");
    let there = taken.local_addr().expect("its address").ip().to_string();
    for (operands, said) in [
        (&[][..], "udp: after -- comes: PORT"),
        (&["1", "2", "3"], "udp: after -- comes: PORT"),
        (&["1", "2", "3", "4", "5"], "udp: after -- comes: PORT"),
        (&["9000", &there], "port 9000: Address already in use"),
        (&["no-such-service"], "port no-such-service: "),
        (&["9000", "127.0.0.1", "no-such-service", "127.0.0.1"], "port no-such-service: "),
    ] {
        let ended = with_operands(&program(), operands).args(["-x"]).run();
        assert_eq!(ended.code, Some(1), "{operands:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{operands:?}: {}", ended.stderr);
    }
}

/// On SIGHUP the next server has the port while the old one still does; the old one's socket goes with it.
#[test]
fn a_hand_over() {
    let place = own_place();
    let dir = tempfile::tempdir().expect("a directory");
    // What root starts runs as nobody, who must be able to start it anew.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), mode).expect("its mode");
    let program = dir.path().join("udp");
    let source = root().join("c-examples/udp.c");
    let compiler = Compiler::named("cc").headers(Package::Dorrit).args([source]);
    compiler.archive(Package::Dorrit).make(&program);

    let script = format!("exec \"$0\" \"$@\" -- {} {}", place.port(), place.ip());
    let mut chain = Chain::start(launch(&program).under(["sh", "-c", &script]));
    let old = chain.server.process();
    let mut ann = chain.server.connect();
    let socket = sender(place);
    socket.send(b"one").expect("it is sent");
    assert_eq!(binary(&mut ann), b"one");

    chain.hand_over();
    let mut bob = chain.server.connect();
    drop(ann);
    assert!(until(|| old.is_over().then_some(())).is_some(), "the old server goes on");
    socket.send(b"two").expect("it is sent");
    assert_eq!(binary(&mut bob), b"two");
    bob.text("back");
    assert_eq!(received(&socket), b"back");
    let sockets = procfs::net::udp().expect("the kernel's table").into_iter();
    assert_eq!(sockets.filter(|it| it.local_address == place).count(), 1);
    chain.stop();
}
