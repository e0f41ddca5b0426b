//! Why is this token refused? Judges tokens check by check, as a resource server with this configuration does.
//!
//! ```sh
//! echo "$TOKEN" | cargo run --example explain -- --audience https://api.example.com --trust https://login.example.com=jwks.json
//! cargo run --example explain -- --help
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool talks to its user")]

mod arguments;
mod report;

use std::{
    error::Error,
    io::{self, BufRead, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use arguments::{Arguments, Trust, USAGE};
use bearergate::{
    Algorithm, Clock, Issuer, Presented, Profile, Requirement, ResourceServer, Scopes, UnixTime,
};
use http::{HeaderValue, Request, header::AUTHORIZATION};
use report::Report;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(arguments) if arguments.help => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("explain: {message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(status) => status,
        // Whoever read the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("explain: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<ExitCode> {
    // Keys that cannot be used are told in the log.
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(tracing::Level::WARN)
        .without_time()
        .with_target(false)
        .init();
    let mut out = io::stdout().lock();
    let (server, requirement) = match configure(arguments) {
        Ok(configured) => configured,
        Err(error) => {
            let message = with_causes(&*error);
            if arguments.json {
                Report::misconfigured(message).write_json(&mut out)?;
            } else {
                eprintln!("explain: misconfigured: {message}");
            }
            return Ok(ExitCode::from(2));
        }
    };
    let colours = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    for (number, line) in (1..).zip(io::stdin().lock().split(b'\n')) {
        let line = line?;
        let report = judge(&server, &requirement, line.strip_suffix(b"\r").unwrap_or(&line));
        if arguments.json {
            report.write_json(&mut out)?;
        } else {
            report.write_text(&mut out, number, colours)?;
        }
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The server that the command line describes, and what a route of it asks for.
fn configure(arguments: &Arguments) -> Result<(ResourceServer, Requirement), Box<dyn Error>> {
    let mut builder = ResourceServer::builder(&arguments.audience);
    for trust in &arguments.trust {
        builder = builder.trust(issuer(trust, arguments)?);
    }
    if let Some(now) = arguments.now {
        builder = builder.clock(Still(UnixTime::from_secs(now)));
    }
    if let Some(bytes) = arguments.max_token_bytes {
        builder = builder.max_token_bytes(bytes);
    }
    let requirement = match arguments.scopes.as_slice() {
        [] => Requirement::default(),
        scopes => Requirement::scopes(Scopes::parse(&scopes.join(" "))?),
    };
    Ok((builder.build()?, requirement))
}

fn issuer(trust: &Trust, arguments: &Arguments) -> Result<Issuer, Box<dyn Error>> {
    let mut issuer = Issuer::jwks_file(&trust.issuer, &trust.jwks_file);
    if !trust.audiences.is_empty() {
        issuer = issuer.audiences(&trust.audiences);
    }
    if let Some(list) = trust.algorithms.as_ref().or(arguments.algorithms.as_ref()) {
        issuer = issuer.algorithms(algorithms(list)?);
    }
    if let Some(seconds) = arguments.leeway {
        issuer = issuer.leeway(Duration::from_secs(seconds));
    }
    Ok(issuer.profile(if arguments.rfc9068 { Profile::Rfc9068 } else { Profile::Lenient }))
}

fn algorithms(list: &str) -> Result<Vec<Algorithm>, String> {
    let known = |name: &str| {
        Algorithm::from_name(name).ok_or_else(|| format!("`{name}` is not the name of a signature algorithm"))
    };
    if list.is_empty() { Ok(Vec::new()) } else { list.split(',').map(known).collect() }
}

/// Judges a line as if it stood behind `Authorization: Bearer `.
fn judge(server: &ResourceServer, requirement: &Requirement, line: &[u8]) -> Report {
    let Ok(field) = HeaderValue::from_bytes(&[b"Bearer ", line].concat()) else {
        // No field value, so no server passes it on; it is no token either.
        let text = String::from_utf8_lossy(line);
        return Report::judged(server, &server.explain_for(&Presented::bearer(&text), requirement));
    };
    let mut request = Request::new(());
    request.headers_mut().insert(AUTHORIZATION, field);
    match Presented::from_parts(&request.into_parts().0) {
        Ok(presented) => Report::judged(server, &server.explain_for(&presented, requirement)),
        Err(error) => Report::no_token(server, error.kind()),
    }
}

/// The error and what is behind it, in one line.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A clock that stands still.
#[derive(Debug)]
struct Still(UnixTime);

impl Clock for Still {
    fn wall(&self) -> UnixTime {
        self.0
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}
