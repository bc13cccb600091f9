//! Typed positions into the flat arrays of a [`Plan`](crate::Plan) and of the [`Live`](crate::Live) beside it.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl $name {
            /// The id of the object at `index`; an index past `u32::MAX` becomes `u32::MAX`, which no array reaches.
            #[must_use]
            pub fn new(index: usize) -> Self {
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }

            /// The position in the flat array.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A listener of the plan.
    ListenerId,
    /// A route of the plan.
    RouteId,
    /// A service of the plan.
    ServiceId,
    /// A server; servers of all services lie in one array, each service's side by side.
    ServerId,
    /// A rate limit of a listener or route.
    LimitId,
    /// A set of rules about client certificates within one listener; connections never cross from one to another.
    TlsPolicyId,
    /// A worker thread; the number of workers is fixed for the life of the process.
    WorkerId,
}
