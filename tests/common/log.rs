//! Everything that is logged, as text.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing_subscriber::{
    fmt::{MakeWriter, format::FmtSpan},
    util::SubscriberInitExt as _,
};

/// What this thread logs, at every level, from the moment of [`start`](Self::start) on.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn during<T>(logged: impl FnOnce() -> T) -> (T, String) {
        let log = Self::default();
        let guard = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_ansi(false)
            .without_time()
            .with_writer(log.clone())
            .set_default();
        let output = logged();
        drop(guard);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        (output, text)
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
