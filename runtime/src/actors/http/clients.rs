//! The clients that are being served. If there are too many, a new client replaces the oldest idle
//! client. So a client that connects and sends nothing cannot keep others out.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::Duration,
};

use rustix::process::{Resource, getrlimit};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// A client is not replaced before it has been connected for this long: its request may be about to
/// arrive.
const YOUNG: Duration = Duration::from_millis(10);

/// A client, from its connection to its answer.
#[derive(Clone, Debug)]
pub(crate) struct Client(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    since: Instant,
    /// Whether the client's request is still incomplete.
    idle: Cell<bool>,
    replaced: Notify,
}

impl Client {
    /// A client that has just connected.
    pub(crate) fn new() -> Self {
        Self(Rc::new(Shared {
            since: Instant::now(),
            idle: Cell::new(true),
            replaced: Notify::new(),
        }))
    }

    /// The request is complete or already answered: the client can no longer be replaced.
    pub(crate) fn set_asked(&self) {
        self.0.idle.set(false);
    }

    /// Waits until another client replaces this client.
    pub(super) async fn replaced(&self) {
        self.0.replaced.notified().await;
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// All clients that are being served, the oldest first.
#[derive(Debug)]
pub(super) struct Clients {
    room: usize,
    served: RefCell<VecDeque<Client>>,
    left: Notify,
}

/// A client's place among [`Clients`]; dropping it frees the place.
#[derive(Debug)]
pub(super) struct Slot {
    clients: Rc<Clients>,
    client: Client,
}

impl Slot {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let own = &self.client.0;
        let mut served = self.clients.served.borrow_mut();
        // A client that was replaced is no longer in the list.
        served.retain(|other| !Rc::ptr_eq(&other.0, own));
        self.clients.left.notify_one();
    }
}

impl Clients {
    /// Room for at most `wanted` clients, or fewer if few descriptors are available.
    pub(super) fn new(wanted: u64) -> Rc<Self> {
        Rc::new(Self {
            room: room(wanted),
            served: RefCell::default(),
            left: Notify::new(),
        })
    }

    /// A place for a client that has just connected: a free one, or that of the oldest idle client.
    pub(super) async fn place(self: &Rc<Self>) -> Slot {
        let client = Client::new();
        loop {
            match self.make_room() {
                Ok(()) => break,
                Err(Some(later)) => {
                    tokio::select! {
                        () = self.left.notified() => {}
                        () = sleep_until(later) => {}
                    }
                }
                // All clients are being answered, which takes very little time.
                Err(None) => self.left.notified().await,
            }
        }
        self.served.borrow_mut().push_back(client.clone());
        Slot {
            clients: Rc::clone(self),
            client,
        }
    }

    /// Makes room for one client. If that is not possible now, returns the time when it may be
    /// possible, if the time is known.
    fn make_room(&self) -> Result<(), Option<Instant>> {
        let mut served = self.served.borrow_mut();
        if served.len() < self.room {
            return Ok(());
        }
        let oldest = served
            .iter()
            .position(|client| client.0.idle.get())
            .ok_or(None)?;
        let replaceable_at = served
            .get(oldest)
            .map(|client| client.0.since + YOUNG)
            .ok_or(None)?;
        if Instant::now() < replaceable_at {
            return Err(Some(replaceable_at));
        }
        if let Some(client) = served.remove(oldest) {
            client.0.replaced.notify_one();
        }
        Ok(())
    }
}

/// Number of clients to serve at once: half of the free descriptors, at most `wanted`. The other
/// half is for what exectrail opens later.
fn room(wanted: u64) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let left = limit.saturating_sub(open as u64);
    (left / 2).clamp(1, wanted) as usize
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    fn clients(room: usize) -> Rc<Clients> {
        Rc::new(Clients {
            room,
            served: RefCell::default(),
            left: Notify::new(),
        })
    }

    async fn is_replaced(place: &Slot) -> bool {
        timeout(SOON, place.client().replaced()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_idle_client_is_replaced() {
        let clients = clients(3);
        let (asks, idle, young) = (
            clients.place().await,
            clients.place().await,
            clients.place().await,
        );
        asks.client().set_asked();
        // The test's clock advances only in waits.
        let start = Instant::now();
        let _new = clients.place().await;
        assert!(start.elapsed() >= YOUNG);
        assert!(!is_replaced(&asks).await);
        assert!(is_replaced(&idle).await);
        assert!(!is_replaced(&young).await);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_answered_is_waited_for() {
        let clients = clients(1);
        let asks = clients.place().await;
        asks.client().set_asked();
        let hour = Duration::from_secs(3600);
        assert!(timeout(hour, clients.place()).await.is_err());
        assert!(!is_replaced(&asks).await);
        drop(asks);
        let next = timeout(SOON, clients.place()).await.unwrap();
        assert!(!is_replaced(&next).await);
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_never_more_clients_than_places() {
        let clients = clients(4);
        let mut held = Vec::new();
        for number in 0..100 {
            held.push(clients.place().await);
            assert_eq!(clients.served.borrow().len(), 4.min(number + 1));
        }
        held.clear();
        assert!(clients.served.borrow().is_empty());
    }
}
