//! A case: a script, a world in which it is called, and what the call may change.

use std::fmt::Debug;
use std::future::Future;

use carillon_shared::store::{Store, StoreError};
use carillon_tests::redis::shared;
use carillon_tests::snapshot::Snapshot;
use futures::FutureExt;
use futures::future::LocalBoxFuture;

/// One call, to be made as often as needed with the same arguments.
pub(crate) struct Call(Box<dyn Fn() -> LocalBoxFuture<'static, Result<String, StoreError>>>);

impl Call {
    pub(crate) fn new<F, Fut, T>(make: F) -> Self
    where
        F: Fn() -> Fut + 'static,
        Fut: Future<Output = Result<T, StoreError>> + 'static,
        T: Debug,
    {
        Self(Box::new(move || {
            let answer = make();
            async move { answer.await.map(|answer| format!("{answer:?}")) }.boxed_local()
        }))
    }

    pub(crate) async fn make(&self) -> Result<String, StoreError> {
        (self.0)().await
    }
}

/// A call that owns what it names: `call!(store, id => store.cancel(id, "", "").await)`.
macro_rules! call {
    ($($owned:ident),+ => $body:expr) => {{
        $(let $owned = $owned.clone();)+
        $crate::case::Call::new(move || {
            $(let $owned = $owned.clone();)+
            async move { $body }
        })
    }};
}
pub(crate) use call;

/// What a call may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: a guard refuses it, or it only reads.
    Nothing,
    /// Something, and the same call again nothing more.
    Once,
    /// Something that every call renews: a deadline, a tick, an event that is told.
    Renewed,
}

/// A script in a world.
pub(crate) struct Case {
    /// The file of the script, without its ending.
    pub(crate) script: &'static str,
    pub(crate) what: &'static str,
    pub(crate) effect: Effect,
    pub(crate) prepare: fn(Store) -> LocalBoxFuture<'static, Call>,
}

/// `case!(cancel, "a live job", Once, |store| { …; call!(…) })`
macro_rules! case {
    ($script:ident, $what:literal, $effect:ident, |$store:ident| $body:expr) => {
        $crate::case::Case {
            script: stringify!($script),
            what: $what,
            effect: $crate::case::Effect::$effect,
            prepare: |$store| Box::pin(async move { $body }),
        }
    };
}
pub(crate) use case;

impl Case {
    pub(crate) fn name(&self) -> String {
        format!("{}: {}", self.script, self.what)
    }
}

/// All that a namespace holds.
pub(crate) async fn look(store: &Store) -> Snapshot {
    Snapshot::take(shared(), store.keys()).await
}
