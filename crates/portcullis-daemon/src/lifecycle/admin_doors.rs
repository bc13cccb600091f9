//! The admin endpoints of a process: opened before it gives anything up, served when it serves, and left to a successor.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use portcullis_plan::plan::{AdminHttp, AdminSocket, Bind, Process};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::start::Failed;
use crate::admin::Admin;
use crate::listen::bind::{BindError, Bound, Listening};
use crate::listen::set::{Key, Sockets};

/// Pending connections of the endpoints.
const BACKLOG: u32 = 64;

/// Endpoints that are open and not served yet.
pub(super) struct AdminSockets {
    socket: Option<(AdminSocket, Bound)>,
    http: Option<(AdminHttp, Bound)>,
}

impl AdminSockets {
    /// Opens what the configuration names, or takes what a predecessor had open.
    pub(super) fn open(process: &Process, sockets: &Sockets) -> Result<Self, Failed> {
        let socket = process.admin_socket.clone().map(|socket| {
            let bind = Bind::Unix {
                path: socket.path.clone(),
                mode: socket.mode,
            };
            let bound = open(&bind, &socket_key(&socket), sockets);
            let bound = bound.map_err(|error| Failed::by(format!("admin socket: {error}")))?;
            Ok((socket, bound))
        });
        let http = process.admin_http.clone().map(|http| {
            let bind = Bind::Tcp {
                address: http.bind,
                dual_stack: true,
            };
            let bound = open(&bind, &http_key(&http), sockets);
            let bound = bound.map_err(|error| Failed::by(format!("admin endpoint: {error}")))?;
            Ok((http, bound))
        });
        Ok(Self {
            socket: socket.transpose()?,
            http: http.transpose()?,
        })
    }

    /// Serves them.
    pub(super) fn serve(self, admin: &Arc<Admin>) -> io::Result<AdminDoors> {
        let mut doors = AdminDoors {
            tasks: JoinSet::new(),
            bound: Vec::new(),
            closing: watch::channel(false).0,
            http: None,
        };
        if let Some((socket, open)) = self.socket {
            for descriptor in open.descriptors()? {
                let Listening::Unix(listener) = descriptor else {
                    continue;
                };
                doors.tasks.spawn(crate::admin::socket::serve(
                    UnixListener::from_std(listener)?,
                    socket.level,
                    Arc::clone(admin),
                    doors.closing.subscribe(),
                ));
            }
            tracing::info!(listener = "admin.socket", address = %open.address, "listening");
            doors.bound.push((socket_key(&socket), open));
        }
        if let Some((http, open)) = self.http {
            for descriptor in open.descriptors()? {
                let Listening::Tcp(listener) = descriptor else {
                    continue;
                };
                doors.http = Some(doors.tasks.spawn(crate::admin::http::serve(
                    TcpListener::from_std(listener)?,
                    http.clone(),
                    Arc::clone(admin),
                )));
            }
            tracing::info!(listener = "admin.http", address = %open.address, "listening");
            doors.bound.push((http_key(&http), open));
        }
        Ok(doors)
    }
}

fn open(bind: &Bind, key: &Key, sockets: &Sockets) -> Result<Bound, BindError> {
    match sockets.inheritance(key) {
        Some(sockets) => Bound::inherited(bind, sockets, BACKLOG, 1),
        None => Bound::open(bind, BACKLOG, 1),
    }
}

fn socket_key(socket: &AdminSocket) -> Key {
    Key::Unix(socket.path.clone())
}

fn http_key(http: &AdminHttp) -> Key {
    Key::Tcp(http.bind, true)
}

/// The admin endpoints: their sockets, and the tasks that serve them. Dropping it closes both.
pub(super) struct AdminDoors {
    tasks: JoinSet<()>,
    bound: Vec<(Key, Bound)>,
    closing: watch::Sender<bool>,
    http: Option<AbortHandle>,
}

/// How long sessions may take to say their last when a successor has taken over.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl AdminDoors {
    /// A descriptor of each socket, for a successor.
    pub(super) fn hand_out(&self) -> io::Result<Vec<(Key, Vec<Listening>)>> {
        let all = self.bound.iter();
        all.map(|(key, bound)| Ok((key.clone(), bound.descriptors()?)))
            .collect()
    }

    /// A successor has the sockets: takes no more sessions, and lets those that are open come to their end.
    pub(super) fn leave(&mut self) {
        for (_, bound) in &mut self.bound {
            bound.leave_file();
        }
        self.closing.send_replace(true);
        if let Some(http) = self.http.take() {
            http.abort();
        }
    }

    /// Closes both, after a moment for those who have been left with an answer on its way.
    pub(super) async fn finish(mut self) {
        if *self.closing.borrow() {
            let ends = async { while self.tasks.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(LAST_WORDS, ends).await;
        }
    }
}
