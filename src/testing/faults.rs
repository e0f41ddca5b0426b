//! Which fault has its turn?

use std::{
    collections::{HashMap, VecDeque},
    fmt, io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::testing::{
    fault::{Endpoint, Fault},
    issuer::TestIssuer,
};

/// The faults of a [`TestIssuer`], set and cleared while it runs. Made by [`TestIssuer::faults`]; a clone of the issuer
/// lives in it.
///
/// ```
/// use bearergate::{Claims, Presented, ResourceServer, testing::{Endpoint, Fault, TestIssuer}};
/// use http::StatusCode;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::builder().default_audience("https://api.example.com").start().await?;
/// let api = ResourceServer::builder("https://api.example.com").trust(issuer.trusted()).build()?;
/// api.ready().await?;
///
/// // While the issuer is down, tokens with known keys are accepted.
/// issuer.faults().set(Endpoint::Jwks, Fault::Status(StatusCode::SERVICE_UNAVAILABLE));
/// assert!(api.refresh_now().await.is_err());
/// let token = issuer.token().mint();
/// assert!(api.validate::<Claims>(&Presented::bearer(&token)).await.is_ok());
///
/// // One reset connection is no outage: the fetch is tried again at once.
/// issuer.faults().clear(Endpoint::Jwks);
/// issuer.faults().script(Endpoint::Jwks, [Fault::ResetMidHead]);
/// api.refresh_now().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Faults(pub(super) TestIssuer);

impl Faults {
    /// Gives every answer of this endpoint this fault, from now on. **Default:** [`Fault::None`].
    pub fn set(&self, endpoint: Endpoint, fault: Fault) {
        let mut lines = self.0.state.schedule.lines();
        let line = lines.entry(endpoint).or_default();
        (line.standing, line.answers) = (fault, 0);
    }

    /// Gives the next answers of this endpoint these faults, one each; then the standing one has its turn again. What
    /// was left of an earlier script is forgotten. **Default:** no script.
    pub fn script(&self, endpoint: Endpoint, faults: impl IntoIterator<Item = Fault>) {
        let script = faults.into_iter().collect();
        self.0.state.schedule.lines().entry(endpoint).or_default().script = script;
    }

    /// Takes the standing fault and the script from this endpoint.
    pub fn clear(&self, endpoint: Endpoint) {
        let mut lines = self.0.state.schedule.lines();
        if let Some(line) = lines.get_mut(&endpoint) {
            (line.standing, line.script) = (Fault::None, VecDeque::new());
        }
    }

    /// Closes the socket and all of its connections: whoever connects is refused. Without a socket, requests of
    /// [`IssuerFetch`](super::IssuerFetch) are.
    pub async fn refuse_connections(&self) {
        self.0.state.schedule.set_refusing(true);
        if let Some(serving) = &self.0.serving {
            let _closed = serving.listen(false).await;
        }
    }

    /// Opens the socket again, on the same port.
    ///
    /// # Errors
    ///
    /// When somebody else has taken the port meanwhile.
    pub async fn accept_connections(&self) -> io::Result<()> {
        if let Some(serving) = &self.0.serving {
            serving.listen(true).await?;
        }
        self.0.state.schedule.set_refusing(false);
        Ok(())
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("issuer", &self.0).finish_non_exhaustive()
    }
}

/// What each endpoint does to its next answers.
#[derive(Default)]
pub(super) struct Schedule {
    lines: Mutex<HashMap<Endpoint, Line>>,
    refusing: Mutex<bool>,
}

struct Line {
    script: VecDeque<Fault>,
    standing: Fault,
    /// How many answers the standing fault has had its turn with.
    answers: u32,
    requests: u64,
    /// The latest request that is answered.
    answered: watch::Sender<u64>,
}

/// The place of a request among those to its endpoint.
#[derive(Clone, Copy)]
pub(super) struct Place {
    endpoint: Endpoint,
    number: u64,
}

impl Schedule {
    fn lines(&self) -> MutexGuard<'_, HashMap<Endpoint, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_refusing(&self, refusing: bool) {
        *self.refusing.lock().unwrap_or_else(PoisonError::into_inner) = refusing;
    }

    pub(super) fn is_refusing(&self) -> bool {
        *self.refusing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request, and takes the fault whose turn it is.
    pub(super) fn enter(&self, endpoint: Endpoint) -> (Place, Fault) {
        let mut lines = self.lines();
        let line = lines.entry(endpoint).or_default();
        line.requests = line.requests.saturating_add(1);
        (Place { endpoint, number: line.requests }, line.next())
    }

    pub(super) fn requests(&self, endpoint: Endpoint) -> u64 {
        self.lines().get(&endpoint).map_or(0, |line| line.requests)
    }

    /// The request at this place is answered.
    pub(super) fn leave(&self, place: Place) {
        if let Some(line) = self.lines().get(&place.endpoint) {
            line.answered.send_modify(|latest| *latest = place.number.max(*latest));
        }
    }

    /// Ends when a later request is answered.
    pub(super) async fn overtaken(&self, place: Place) {
        let answered = self.lines().get(&place.endpoint).map(|line| line.answered.subscribe());
        if let Some(mut answered) = answered {
            let _latest = answered.wait_for(|latest| *latest > place.number).await;
        }
    }
}

impl Line {
    fn next(&mut self) -> Fault {
        if let Some(fault) = self.script.pop_front() {
            return unfolded(&fault, 1);
        }
        self.answers = self.answers.saturating_add(1);
        unfolded(&self.standing, self.answers)
    }
}

impl Default for Line {
    fn default() -> Self {
        Self {
            script: VecDeque::new(),
            standing: Fault::None,
            answers: 0,
            requests: 0,
            answered: watch::Sender::new(0),
        }
    }
}

/// What an issuer that comes and goes does to its n-th answer.
fn unfolded(mut fault: &Fault, answers: u32) -> Fault {
    while let Fault::Flapping { good_every, otherwise } = fault {
        if answers.checked_rem(*good_every) == Some(0) {
            return Fault::None;
        }
        fault = otherwise;
    }
    fault.clone()
}
