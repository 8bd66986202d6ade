//! tokio-tungstenite, as a client that asserts what it receives.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::harness::LIMIT;

/// Runs a scenario, which must not take longer than a busy machine can explain.
pub(crate) fn run<T>(scenario: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let limited = async { timeout(6 * LIMIT, scenario).await.expect("the scenario ends") };
    runtime.expect("a runtime").block_on(limited)
}

/// One connection.
pub(crate) struct Visitor {
    socket: WebSocketStream<TcpStream>,
}

impl Visitor {
    /// Connects and upgrades.
    pub(crate) async fn connect(address: SocketAddr) -> Visitor {
        Visitor::try_connect(address).await.expect("the upgrade")
    }

    /// The same where it may fail.
    pub(crate) async fn try_connect(address: SocketAddr) -> Result<Visitor, Trouble> {
        let stream = TcpStream::connect(address).await.map_err(|_| Trouble::Refused)?;
        let upgrade = tokio_tungstenite::client_async(format!("ws://{address}/ws"), stream);
        let (socket, _) = within(upgrade).await?;
        Ok(Visitor { socket })
    }

    /// Sends a text, which must come back, where that may fail.
    pub(crate) async fn try_echo(&mut self, text: &str) -> Result<(), Trouble> {
        // What keeps it from being sent is what comes next.
        let sent = within(self.socket.send(Message::text(text))).await;
        match self.next().await {
            Some(Ok(Message::Text(answer))) if answer.as_str() == text => Ok(sent?),
            Some(Ok(Message::Close(Some(frame)))) => Err(Trouble::Close(frame.code.into())),
            Some(Err(error)) => Err(error.into()),
            other => Err(Trouble::Cut(brief(&other))),
        }
    }

    /// The stream below, for what the client would not do.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.socket.into_inner()
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, message: Message) {
        within(self.socket.send(message)).await.expect("it is sent");
    }

    /// Sends a text.
    pub(crate) async fn text(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    /// What comes next: a message, a control frame, or what the client makes of the end.
    pub(crate) async fn next(&mut self) -> Option<Result<Message, Error>> {
        within(self.socket.next()).await
    }

    /// The same, however long it takes.
    pub(crate) async fn wait(&mut self) -> Option<Result<Message, Error>> {
        self.socket.next().await
    }

    /// The next message must be this.
    pub(crate) async fn expect(&mut self, wanted: Message) {
        match self.next().await {
            Some(Ok(message)) if message == wanted => {}
            other => panic!("{} instead of {}", brief(&other), brief(&wanted)),
        }
    }

    /// The next message must be this text.
    pub(crate) async fn expect_text(&mut self, text: &str) {
        self.expect(Message::text(text)).await;
    }

    /// Sends a message, which must come back.
    pub(crate) async fn echo(&mut self, message: Message) {
        self.send(message.clone()).await;
        self.expect(message).await;
    }

    /// Sends a text and returns the text that comes back.
    pub(crate) async fn ask(&mut self, text: &str) -> String {
        self.text(text).await;
        match self.next().await {
            Some(Ok(Message::Text(answer))) => answer.as_str().to_owned(),
            other => panic!("{} is no answer to {text:?}", brief(&other)),
        }
    }

    /// Closes with that code; the server must answer with the same, then close.
    pub(crate) async fn close(mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        self.send(Message::Close(Some(frame))).await;
        self.expect_close(code).await;
    }

    /// Closes as a page does that is left.
    pub(crate) async fn leave(self) {
        self.close(1001, "").await;
    }

    /// A close frame with that code must come next, then the end of the stream.
    pub(crate) async fn expect_close(mut self, code: u16) {
        match self.next().await {
            Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), code),
            other => panic!("{} instead of a close frame", brief(&other)),
        }
        // Only now does the client send its answer, where it owes one.
        let end = self.next().await;
        assert!(end.is_none(), "{} behind the close frame", brief(&end));
    }

    /// The stream must end next, without a close frame.
    pub(crate) async fn expect_cut(mut self) {
        match self.next().await {
            Some(Err(Error::Protocol(_) | Error::Io(_))) => {}
            other => panic!("{} instead of a cut", brief(&other)),
        }
    }
}

/// What keeps a visitor from being served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// Nobody listens.
    Refused,
    /// The answer to the request is another than the upgrade.
    Status(u16),
    /// A close frame with that code.
    Close(u16),
    /// Anything else, as the client says it.
    Cut(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        match error {
            Error::Http(response) => Trouble::Status(response.status().as_u16()),
            other => Trouble::Cut(other.to_string()),
        }
    }
}

/// Waits for that, as long as any test waits.
pub(crate) async fn within<T>(event: impl Future<Output = T>) -> T {
    timeout(LIMIT, event).await.expect("something comes")
}

/// Does this with all of them at once.
pub(crate) async fn each<I, T, F>(
    items: impl IntoIterator<Item = I>,
    play: impl Fn(I) -> F,
) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    items.into_iter().map(play).collect::<JoinSet<_>>().join_all().await
}

/// Long messages make no good reading.
fn brief(thing: &impl std::fmt::Debug) -> String {
    let text = format!("{thing:?}");
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}... ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}
