use super::*;

/// What a body is when it comes in pieces of so many bytes: its data, how many bytes of the input it has,
/// and whether it is complete.
fn receive(
    length: BodyLength,
    input: &[u8],
    cut: usize,
) -> Result<(Vec<u8>, usize, bool), Refusal> {
    let mut body = Body::new(length);
    let (mut data, mut at) = (Vec::new(), 0);
    for end in (cut..input.len()).step_by(cut).chain([input.len()]) {
        loop {
            let piece = body.receive(&input[at..end])?;
            data.extend_from_slice(&input[at..end][piece.data]);
            at += piece.consumed;
            if piece.consumed == 0 || body.is_complete() {
                break;
            }
        }
        if body.is_complete() {
            break;
        }
        assert_eq!(at, end, "all of a body that goes on is consumed");
    }
    Ok((data, at, body.is_complete()))
}

/// A chunked body, which is the same whole and in pieces of every length, from byte by byte to cut in two.
fn chunked(input: &[u8]) -> Result<(Vec<u8>, usize, bool), Refusal> {
    let whole = receive(BodyLength::Chunked, input, input.len().max(1));
    for cut in 1..input.len() {
        assert_eq!(receive(BodyLength::Chunked, input, cut), whole, "{cut}");
    }
    whole
}

/// The data of a chunked body that is complete, behind which something else follows.
fn data(input: &str) -> String {
    let followed = format!("{input}GET /");
    let (data, len, is_complete) = chunked(followed.as_bytes()).expect(input);
    assert_eq!((len, is_complete), (input.len(), true), "{input:?}");
    String::from_utf8(data).unwrap()
}

#[track_caller]
fn refused(input: &str) {
    assert!(matches!(chunked(input.as_bytes()), Err(Refusal::Malformed(_))), "{input:?}");
}

#[test]
fn a_body_of_known_length() {
    for cut in 1..9 {
        let received = receive(BodyLength::Known(5), b"helloGET", cut);
        assert_eq!(received, Ok((b"hello".to_vec(), 5, true)), "{cut}");
        let received = receive(BodyLength::Known(u64::MAX), b"helloGET", cut);
        assert_eq!(received, Ok((b"helloGET".to_vec(), 8, false)), "{cut}");
    }
}

#[test]
fn no_body_is_complete_at_once() {
    for none in [BodyLength::None, BodyLength::Known(0)] {
        let mut body = Body::new(none);
        assert!(body.is_complete());
        assert_eq!(body.receive(b"GET"), Ok(Piece { consumed: 0, data: 0..0 }));
    }
}

#[test]
fn nothing_is_taken_of_nothing() {
    for length in [BodyLength::Known(1), BodyLength::Chunked] {
        let mut body = Body::new(length);
        assert_eq!(body.receive(b""), Ok(Piece { consumed: 0, data: 0..0 }));
        assert!(!body.is_complete());
    }
}

/// RFC 9112 7.1.
#[test]
fn chunks_are_joined() {
    assert_eq!(data("0\r\n\r\n"), "");
    assert_eq!(data("5\r\nhello\r\n0\r\n\r\n"), "hello");
    assert_eq!(
        data("5\r\nhello\r\n1\r\n,\r\n00A\r\n\r\nworld\r\n!\r\n000\r\n\r\n"),
        "hello,\r\nworld\r\n!"
    );
    assert_eq!(
        data(&format!("1f\r\n{0}\r\n1F\r\n{0}\r\n0\r\n\r\n", "x".repeat(31))),
        "x".repeat(62)
    );
    assert_eq!(data("0000000000000001\r\na\r\n0000000000000000\r\n\r\n"), "a");
}

/// RFC 9112 7.1: no byte is lost where the input ends, and none is asked for again.
#[test]
fn a_body_that_is_not_whole_goes_on() {
    let whole = "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n";
    for end in 0..whole.len() {
        let (data, len, is_complete) = chunked(&whole.as_bytes()[..end]).unwrap();
        assert_eq!((len, is_complete), (end, false));
        assert_eq!(data, "hello".as_bytes()[..end.clamp(7, 12) - 7]);
    }
}

/// RFC 9112 7.1.1: whoever does not know an extension passes it over.
#[test]
fn extensions_are_passed_over() {
    for extensions in [
        ";a",
        ";a=b",
        " \t;\ta = b ; c=\"d;\\\"e\u{e9}\"",
        ";",
        ";;",
        &format!(";{}", "a".repeat(255)),
    ] {
        assert_eq!(data(&format!("1{extensions}\r\nx\r\n0{extensions}\r\n\r\n")), "x");
    }
    for bad in [
        " a",
        " ",
        "\t",
        ";a\nb",
        ";a\n",
        ";\0",
        ";a\x7f",
        ";a=\"\r\n",
        ";\r;",
        ";\u{b}",
        &format!(";{}", "a".repeat(256)),
        &" ".repeat(257),
    ] {
        refused(&format!("1{bad}\r\nx\r\n0\r\n\r\n"));
    }
}

/// RFC 9112 7.1, ADVISORIES T32: sizes that two servers may read in two ways.
#[test]
fn a_size_is_hexadecimal_digits() {
    for size in [
        "",
        "-1",
        "+1",
        "0x1",
        " 1",
        "1 1",
        "g",
        "1h",
        "1_0",
        "\"1\"",
        "\0",
        "00000000000000001",
        "10000000000000001",
        "\u{ff11}",
        "\t1",
        ";a",
        "\r\n1",
    ] {
        refused(&format!("{size}\r\nx\r\n0\r\n\r\n"));
    }
    // Nothing is not zero.
    refused("\r\n\r\n");
    refused("1\r\nx\r\n\r\n\r\n");
    refused(";a\r\n\r\n");
    let endless = "ffffffffffffffff\r\nabc";
    assert_eq!(chunked(endless.as_bytes()), Ok((b"abc".to_vec(), endless.len(), false)));
}

/// RFC 9112 7.1, 2.2: lines end with CR LF, and in no other way.
#[test]
fn lines_end_with_cr_lf() {
    for bad in [
        "1\nx\r\n0\r\n\r\n",
        "1\rx\r\n0\r\n\r\n",
        "1\r\r\nx\r\n0\r\n\r\n",
        "1\r\nx\n0\r\n\r\n",
        "1\r\nx\r0\r\n\r\n",
        "1\r\nx0\r\n\r\n",
        "1\r\nxy\r\n0\r\n\r\n",
        "1\r\nx\r\r\n0\r\n\r\n",
        "1\r\nx\r\n\r\n0\r\n\r\n",
        "1\r\nx\r\n0\n\r\n",
        "1\r\nx\r\n0\r\n\n",
        "0\r\n\r0",
        "0\r\n\r\r\n",
    ] {
        refused(bad);
    }
}

/// RFC 9112 7.1.2: a trailer has the lines of a head, which nobody asks for.
#[test]
fn a_trailer_is_passed_over() {
    for trailer in [
        "X: y\r\n",
        "X:\r\n",
        "A!~: \u{e9}\t b \r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        &"a:\r\n".repeat(64),
    ] {
        assert_eq!(data(&format!("1\r\nx\r\n0\r\n{trailer}\r\n")), "x");
    }
    for bad in [
        "X\r\n",
        "X : y\r\n",
        ": y\r\n",
        " X: y\r\n",
        "X: y\r\n z\r\n",
        "X: y\n",
        "X: y\rz\r\n",
        "X: \0\r\n",
        "X: \x7f\r\n",
        "X: \x07\r\n",
        "X(): y\r\n",
        "\u{e9}: y\r\n",
        "X: y\r\n\tz\r\n",
        &"a:\r\n".repeat(65),
    ] {
        refused(&format!("0\r\n{bad}\r\n"));
    }
}

/// A trailer is bounded, its last line included: the whole of it is not kept, but it takes its time.
#[test]
fn a_trailer_is_bounded() {
    let trailer = |len: usize| {
        let text = format!("0\r\nX:{}\r\n\r\n", "a".repeat(len - "X:\r\n\r".len()));
        receive(BodyLength::Chunked, text.as_bytes(), text.len()).map(|(.., done)| done)
    };
    assert_eq!(trailer(8192), Ok(true));
    assert!(matches!(trailer(8193), Err(Refusal::Malformed(_))));
}

/// Chunks of one byte are good; those that carry a long extension each are not, in the long run.
#[test]
fn overhead_is_bounded() {
    let many = |chunk: &str, count: usize| {
        let text = format!("{}0\r\n\r\n", chunk.repeat(count));
        let whole = receive(BodyLength::Chunked, text.as_bytes(), text.len());
        assert_eq!(receive(BodyLength::Chunked, text.as_bytes(), 1), whole);
        assert_eq!(receive(BodyLength::Chunked, text.as_bytes(), 7), whole);
        whole.map(|(data, ..)| data.len())
    };
    assert_eq!(many("1\r\nx\r\n", 100_000), Ok(100_000));
    assert_eq!(many("1;extension\r\nx\r\n", 100_000), Ok(100_000));
    let long = format!("1;{}\r\nx\r\n", "a".repeat(200));
    assert_eq!(many(&long, 300), Ok(300));
    assert!(matches!(many(&long, 400), Err(Refusal::Malformed(_))));
    let carrying = format!("100;{}\r\n{}\r\n", "a".repeat(200), "x".repeat(256));
    assert_eq!(many(&carrying, 1000), Ok(256_000));
}

/// Two bodies that follow each other are apart.
#[test]
fn a_complete_body_takes_no_more() {
    let mut body = Body::new(BodyLength::Chunked);
    let piece = body.receive(b"0\r\n\r\n0\r\n\r\n").unwrap();
    assert_eq!(piece, Piece { consumed: 5, data: 5..5 });
    assert!(body.is_complete());
    assert_eq!(body.receive(b"0\r\n\r\n"), Ok(Piece { consumed: 0, data: 0..0 }));
}
