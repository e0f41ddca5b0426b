//! How does a request reach the API? By HTTP/1.1 over connections that are kept, with next to no work of its own.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What of an answer is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<u64>,
}

/// As many connections as requests run at once.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    idle: Arc<Mutex<Vec<TcpStream>>>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, idle: Arc::default() }
    }

    /// Opens so many connections ahead.
    pub async fn open(&self, connections: usize) {
        for _ in 0..connections {
            let stream = self.connect().await;
            self.idle.lock().unwrap().push(stream);
        }
    }

    pub async fn call(&self, token: Option<&str>) -> Answer {
        let idle = self.idle.lock().unwrap().pop();
        let mut stream = match idle {
            Some(stream) => stream,
            None => self.connect().await,
        };
        let field = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        stream.write_all(format!("GET / HTTP/1.1\r\nhost: api\r\n{field}\r\n").as_bytes()).await.unwrap();
        let answer = read(&mut stream).await;
        self.idle.lock().unwrap().push(stream);
        answer
    }

    async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }
}

/// The head, and as much content as it announces.
async fn read(stream: &mut TcpStream) -> Answer {
    let (mut buffer, mut filled) = ([0; 2048], 0);
    let end = loop {
        let more = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(more > 0, "the API hung up");
        filled += more;
        if let Some(end) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = std::str::from_utf8(&buffer[..end]).unwrap();
    let number = |name: &str| {
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut values = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim().parse::<u64>().unwrap())
    };
    let answer = Answer { status: head[9..12].parse().unwrap(), retry_after: number("retry-after") };
    let mut rest = usize::try_from(number("content-length").unwrap()).unwrap() - (filled - end);
    while rest > 0 {
        let more = stream.read(&mut buffer[..]).await.unwrap();
        assert!(more > 0, "the API hung up");
        rest -= more;
    }
    answer
}
