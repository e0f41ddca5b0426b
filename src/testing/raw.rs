//! How do broken answers come over a socket?

use std::{io, time::Duration};

use http::{Response, header::CONTENT_LENGTH};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::testing::delivery::Breakage;

/// Writes as much of an answer as its breakage lets through, and ends the connection.
pub(super) async fn write(
    mut stream: TcpStream,
    response: &Response<Vec<u8>>,
    breakage: Breakage,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let body = response.body();
    let (half_a_body, _) = body.split_at(body.len() / 2);
    match breakage {
        Breakage::Drip(pause) => {
            for octet in head(response, Some(body.len())).iter().chain(body) {
                stream.write_all(&[*octet]).await?;
                tokio::time::sleep(pause).await;
            }
        }
        Breakage::Endless => {
            stream.write_all(&head(response, None)).await?;
            // Until the client hangs up.
            loop {
                stream.write_all(&[b' '; 16 * 1024]).await?;
            }
        }
        Breakage::ResetMidBody => {
            stream.write_all(&head(response, Some(body.len()))).await?;
            stream.write_all(half_a_body).await?;
            return reset(stream);
        }
        Breakage::ResetMidHead => {
            let head = head(response, Some(body.len()));
            let (half_a_head, _) = head.split_at(head.len() / 2);
            stream.write_all(half_a_head).await?;
            return reset(stream);
        }
        Breakage::Truncated => {
            stream.write_all(&head(response, Some(body.len()))).await?;
            stream.write_all(half_a_body).await?;
        }
    }
    stream.shutdown().await
}

fn head(response: &Response<Vec<u8>>, length: Option<usize>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {}\r\nconnection: close\r\n", response.status()).into_bytes();
    let length = length.map(|length| length.to_string());
    let length = length.iter().map(|length| (CONTENT_LENGTH.as_str(), length.as_bytes()));
    let fields = response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    for (name, value) in fields.chain(length) {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Closes with a reset, not in good order.
fn reset(stream: TcpStream) -> io::Result<()> {
    #[allow(
        deprecated,
        reason = "its successor is younger than the oldest tokio that we take; zero never blocks"
    )]
    stream.set_linger(Some(Duration::ZERO))?;
    drop(stream);
    Ok(())
}
