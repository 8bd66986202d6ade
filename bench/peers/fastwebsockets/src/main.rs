//! fastwebsockets on one thread, as in its own examples.
//!
//!     peer-fastwebsockets echo|broadcast|large unix:PATH | tcp:PORT

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError,
};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};

type Everyone = Rc<RefCell<Vec<UnboundedSender<(OpCode, Bytes)>>>>;

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

async fn client<S>(stream: S, broadcasts: bool, everyone: Everyone)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| accept(request, broadcasts, everyone.clone()));
    // That the client has gone is how this ends.
    let _ =
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

async fn accept(
    mut request: Request<Incoming>,
    broadcasts: bool,
    everyone: Everyone,
) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, upgraded) = upgrade(&mut request)?;
    spawn_local(async move {
        let _ = if broadcasts {
            broadcast(upgraded, everyone).await
        } else {
            tokio::task::unconstrained(echo(upgraded)).await
        };
    });
    Ok(response)
}

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let mut socket = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

async fn broadcast(upgraded: UpgradeFut, everyone: Everyone) -> Result<(), WebSocketError> {
    let (reader, mut writer) = upgraded.await?.split(tokio::io::split);
    let (sender, mut queue) = unbounded_channel::<(OpCode, Bytes)>();
    everyone.borrow_mut().push(sender);
    spawn_local(async move {
        while let Some((opcode, bytes)) = queue.recv().await {
            let frame = Frame::new(true, opcode, None, Payload::Borrowed(&bytes));
            if writer.write_frame(frame).await.is_err() {
                return;
            }
        }
    });
    let mut reader = FragmentCollectorRead::new(reader);
    loop {
        // What the reader owes, pongs and the like, no client of ours asks for.
        let frame = reader.read_frame::<_, WebSocketError>(&mut |_| async { Ok(()) }).await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => {
                let bytes = Bytes::copy_from_slice(&frame.payload);
                let opcode = frame.opcode;
                everyone.borrow_mut().retain(|client| client.send((opcode, bytes.clone())).is_ok());
            }
            _ => {}
        }
    }
}
