//! Upgrade requests, right and wrong, and what comes back.

/// The answer to [`Request::new`]'s key (the example of RFC 6455 1.3).
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A request, to be altered before it is sent.
#[derive(Clone)]
pub(crate) struct Request {
    line: String,
    headers: Vec<(String, Vec<u8>)>,
}

impl Request {
    /// A valid upgrade.
    pub(crate) fn new() -> Request {
        let headers = [
            ("Host", "localhost"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        Request { line: "GET /chat HTTP/1.1".to_owned(), headers: headers.to_vec() }
    }

    /// With another request line.
    pub(crate) fn line(mut self, line: &str) -> Request {
        self.line = line.to_owned();
        self
    }

    /// With one header more, at the end.
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Request {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Without that header.
    pub(crate) fn without(mut self, name: &str) -> Request {
        self.headers.retain(|(it, _)| it != name);
        self
    }

    /// With another value for that header.
    pub(crate) fn change(self, name: &str, value: impl AsRef<[u8]>) -> Request {
        self.without(name).with(name, value)
    }

    /// The request as it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.line).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        bytes
    }
}

/// The head of an answer, and the body where there is one.
#[derive(Debug)]
pub(crate) struct Response {
    /// The status line, without its end.
    pub(crate) status: String,
    /// Names and values, as they came.
    pub(crate) headers: Vec<(String, String)>,
    /// What Content-Length announces.
    pub(crate) body: String,
}

impl Response {
    /// The response at the start of these bytes and its length, or `None` where they are too few.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Response, usize)> {
        let (mut response, start) = Response::parse_head(bytes)?;
        let end = start + response.length();
        response.body = String::from_utf8(bytes.get(start..end)?.to_vec()).expect("a body of text");
        Some((response, end))
    }

    /// The head alone, and its length.
    pub(crate) fn parse_head(bytes: &[u8]) -> Option<(Response, usize)> {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let text = std::str::from_utf8(&bytes[..head]).expect("a head of text");
        let mut lines = text.split("\r\n");
        let status = lines.next().unwrap_or("").to_owned();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no header: {line:?}")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Some((Response { status, headers, body: String::new() }, head + 4))
    }

    /// What Content-Length says.
    pub(crate) fn length(&self) -> usize {
        self.header("Content-Length").map_or(0, |it| it.parse().expect("a number"))
    }

    /// The value of that header, which must not be there twice.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice: {self:?}");
        value
    }
}
