//! tokio-tungstenite on one thread, as in its own example: the reader's stream is forwarded to the writer.
//!
//!     peer-tungstenite echo|broadcast|large unix:PATH | tcp:PORT

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

type Everyone = Rc<RefCell<Vec<UnboundedSender<Message>>>>;

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let mode = args.next().unwrap_or_default();
    let address = args.next().unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, serve(mode == "broadcast", address))
}

async fn serve(broadcasts: bool, address: String) -> io::Result<()> {
    let everyone = Everyone::default();
    if let Some(path) = address.strip_prefix("unix:") {
        let listener = UnixListener::bind(path)?;
        loop {
            let (stream, _) = listener.accept().await?;
            spawn_local(client(stream, broadcasts, everyone.clone()));
        }
    }
    let port = address.strip_prefix("tcp:").unwrap_or("0");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        spawn_local(client(stream, broadcasts, everyone.clone()));
    }
}

async fn client<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    broadcasts: bool,
    everyone: Everyone,
) {
    let Ok(socket) = accept_async(stream).await else { return };
    let (mut writer, reader) = socket.split();
    let mut messages =
        reader.try_filter(|message| future::ready(message.is_text() || message.is_binary()));
    if !broadcasts {
        // That the client has gone is how this ends.
        let _ = messages.forward(writer).await;
        return;
    }
    let (sender, mut queue) = unbounded_channel();
    everyone.borrow_mut().push(sender);
    spawn_local(async move {
        while let Some(message) = queue.recv().await {
            if writer.send(message).await.is_err() {
                return;
            }
        }
    });
    while let Some(Ok(message)) = messages.next().await {
        everyone.borrow_mut().retain(|client| client.send(message.clone()).is_ok());
    }
}
