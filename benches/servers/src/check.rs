//! Does a server refuse what it must, before its speed means anything?

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    process::Process,
    tokens::{Case, LEEWAY, Tokens},
};

/// Waits until a server answers a good token by 200.
pub async fn ready(server: &mut Process, port: u16, cases: &[Case]) -> Result<(), String> {
    let good = cases.iter().find(|case| case.is_good).and_then(|case| case.token.as_deref());
    let mut last = String::new();
    for _ in 0..PATIENCE {
        if let Some(status) = server.ended() {
            return Err(format!("it ended ({status}): {}", server.last_words()));
        }
        match status(port, good).await {
            Ok(200) => return Ok(()),
            Ok(status) => last = format!("a good token gets {status}"),
            Err(error) => last = error.to_string(),
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err(format!("{last}; {}", server.last_words()))
}

/// What a server does otherwise than by 401 with tokens that are not good, one sentence each.
pub async fn oddities(port: u16, cases: &[Case]) -> Result<Vec<String>, String> {
    let mut odd = Vec::new();
    for case in cases {
        let status = status(port, case.token.as_deref()).await.map_err(|error| error.to_string())?;
        match (case.is_good, status) {
            (true, 200) | (false, 401) => (),
            (true, _) => return Err(format!("{} gets {status}", case.name)),
            (false, 200) => odd.push(format!("ACCEPTS {}", case.name)),
            (false, _) => odd.push(format!("answers {status} to {}", case.name)),
        }
    }
    Ok(odd)
}

/// What servers do otherwise than accepting a token until it expires, and no longer. All are asked at the same time.
pub async fn lifetime_oddities(ports: &[u16], tokens: &Tokens) -> Vec<(u16, String)> {
    let token = tokens.lasting(LIFETIME);
    let mut odd = Vec::new();
    for port in ports {
        if !matches!(status(*port, Some(&token)).await, Ok(200)) {
            odd.push((*port, "refuses a token that is about to expire".to_owned()));
        }
    }
    sleep(LIFETIME + LEEWAY + Duration::from_secs(2)).await;
    for port in ports {
        if matches!(status(*port, Some(&token)).await, Ok(200)) {
            odd.push((*port, "ACCEPTS a token that has expired since it accepted it".to_owned()));
        }
    }
    odd
}

/// The status of the answer to one request.
async fn status(port: u16, token: Option<&str>) -> io::Result<u16> {
    timeout(Duration::from_secs(10), answer(port, token)).await.map_err(|_| io::ErrorKind::TimedOut)?
}

async fn answer(port: u16, token: Option<&str>) -> io::Result<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let credentials = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request =
        format!("GET /orders HTTP/1.1\r\nHost: localhost\r\n{credentials}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    status.ok_or_else(|| io::Error::other("no answer in HTTP"))
}

/// Of the token that expires between two requests.
const LIFETIME: Duration = Duration::from_secs(2);

/// Tenths of a second until a server must be there. Node on a busy machine takes two.
const PATIENCE: u32 = 200;
