//! The bus: the broker's interfaces, at the edge and nowhere else. SEC-7, SEC-11.
//!
//! Enters: messages, whose sender the bus vouches for. Leaves: calls of the pipeline with a proven caller, and its
//! answers and failures in the bus's words. No decision is made here but who may see what.

mod answers;
mod approvals;
mod audit;
mod broker;
mod control;
mod dictionary;
mod error;
mod facts;
mod hall;
mod handles;
mod identity;
pub(crate) mod manager;
mod reader;
mod request;
mod submission;
mod units;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::caller::BusName;
use countersign_core::code::{Code, Failure};
use countersign_core::request::RequestId;
use futures_core::Stream;
use tokio::sync::mpsc;
use zbus::fdo::DBusProxy;
use zbus::object_server::SignalEmitter;
use zbus::proxy::CacheProperties;
use zbus::{Connection, MatchRule, MessageStream, OwnedObjectPath, interface};
use zbus_polkit::policykit1::AuthorityProxy;

use crate::approve::polkit::Polkit;
use crate::conditions::units::Units;
use crate::lifecycle::StopCall;
use crate::pipeline::{News, Pipeline};
use hall::Hall;
use identity::Identities;

/// The name that we own.
const NAME: &str = "org.countersign.Broker1";
/// The broker's object; the requests are below it.
const OBJECT: &str = "/org/countersign/Broker1";
/// How often ended requests are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Holds our object's place until [`serve`] fills it. A connection that is built with an object reads calls from its
/// first moment; without one, the library begins to read them at some time after the first object came, and loses what
/// came before: the very call that the bus started us for.
struct Opening;

#[interface(name = "org.countersign.Broker1.Opening")]
impl Opening {}

/// Connects to the system bus. Nobody can call us yet: we have no name.
///
/// # Errors
/// There is no bus.
pub(crate) async fn connect() -> zbus::Result<Connection> {
    zbus::connection::Builder::system().serve_at(OBJECT, Opening).build().await
}

/// polkit over this connection.
///
/// # Errors
/// The connection is broken.
pub(crate) async fn polkit(connection: &Connection) -> zbus::Result<Polkit> {
    let authority = AuthorityProxy::builder(connection).cache_properties(CacheProperties::No).build().await?;
    Ok(Polkit::new(authority, daemon(connection).await?))
}

/// PID 1 over this connection, as the one who knows how units are.
pub(crate) fn units(connection: &Connection) -> impl Units + use<> {
    units::Manages(connection.clone())
}

/// Serves our interfaces and takes our name; from here on we can be called.
///
/// # Errors
/// The bus refused, for instance because the name is taken.
pub(crate) async fn serve(
    connection: &Connection,
    pipeline: Arc<Pipeline>,
    news: mpsc::Receiver<News>,
    stop: mpsc::Sender<StopCall>,
) -> zbus::Result<()> {
    let hall = Arc::new(Hall::new(pipeline, Identities::new(daemon(connection).await?), stop));
    let departures = MessageStream::for_match_rule(departures()?, connection, None).await?;
    tokio::spawn(see_off(departures, Arc::clone(&hall)));
    tokio::spawn(announce(connection.clone(), news));
    tokio::spawn(sweep(connection.clone(), Arc::clone(&hall.pipeline)));
    let server = connection.object_server();
    server.at(OBJECT, approvals::Approvals(Arc::clone(&hall))).await?;
    server.at(OBJECT, audit::Audit(Arc::clone(&hall))).await?;
    server.at(OBJECT, control::Control(Arc::clone(&hall))).await?;
    server.at(OBJECT, broker::Broker(hall)).await?;
    server.remove::<Opening, _>(OBJECT).await?;
    connection.request_name(NAME).await
}

async fn daemon(connection: &Connection) -> zbus::Result<DBusProxy<'static>> {
    DBusProxy::builder(connection).cache_properties(CacheProperties::No).build().await
}

/// Names that lose their last owner: connections that go.
fn departures() -> zbus::Result<MatchRule<'static>> {
    let rule = MatchRule::builder().msg_type(zbus::message::Type::Signal).sender("org.freedesktop.DBus");
    rule.interface("org.freedesktop.DBus").member("NameOwnerChanged").arg(2, "").build()
}

/// Ends what hangs on connections that go. Quick, because the bus waits for it.
async fn see_off(mut departures: MessageStream, hall: Arc<Hall>) {
    while let Some(Ok(message)) = poll_fn(|context| Pin::new(&mut departures).poll_next(context)).await {
        let body = message.body();
        let Ok((name, _, _)) = body.deserialize::<(&str, &str, &str)>() else { continue };
        // Names that are not unique belong to services, which are nobody's callers under that name.
        let Ok(name) = BusName::try_from(name.to_owned()) else { continue };
        hall.identities.departed(&name);
        hall.pipeline.departed(&name);
    }
}

/// Tells everybody how far requests have come. Who misses it can ask.
async fn announce(connection: Connection, mut news: mpsc::Receiver<News>) {
    while let Some(News { id, phase, tier }) = news.recv().await {
        let Ok(path) = path_of(id) else { continue };
        if let Ok(emitter) = SignalEmitter::new(&connection, path) {
            drop(request::Request::phase_changed(&emitter, &id.to_string(), phase.name(), tier.name()).await);
        }
    }
}

/// Takes the objects of requests away that are not kept any longer.
async fn sweep(connection: Connection, pipeline: Arc<Pipeline>) {
    let mut tick = tokio::time::interval(SWEEP_EVERY);
    loop {
        tick.tick().await;
        for id in pipeline.tickets.sweep() {
            if let Ok(path) = path_of(id) {
                // Not there any more is what was wanted.
                drop(connection.object_server().remove::<request::Request, _>(path).await);
            }
        }
    }
}

/// The object of a request.
fn path_of(id: RequestId) -> Result<OwnedObjectPath, Failure> {
    let path = OwnedObjectPath::try_from(format!("{OBJECT}/request/{id}"));
    path.map_err(|_| Failure::new(Code::Internal, "The request has no path on the bus."))
}

/// A property is only read for somebody.
fn no_caller() -> Failure {
    Failure::new(Code::AccessDenied, "The broker could not prove who you are: connect anew and try again.")
}

#[cfg(test)]
pub(crate) mod tests;
