//! The columns of `show stat`: position, name, tags of the typed form, and what the number means.
//!
//! The order is HAProxy's and never changes: scripts cut columns by number.

macro_rules! columns {
    ($($variant:ident = $name:literal, $tags:literal, $desc:literal;)*) => {
        /// A column, by its position.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Column {
            $(#[doc = $desc] $variant,)*
        }

        impl Column {
            /// Every column, in order.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in the header.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means.
            pub(crate) const fn desc(self) -> &'static str {
                match self { $(Self::$variant => $desc,)* }
            }

            const fn usual_tags(self) -> &'static str {
                match self { $(Self::$variant => $tags,)* }
            }
        }
    };
}

columns! {
    Pxname = "pxname", "KNS", "name of the listener or service";
    Svname = "svname", "KNS", "FRONTEND, BACKEND, or name of the server";
    Qcur = "qcur", "MGP", "requests waiting now";
    Qmax = "qmax", "MMP", "most requests ever waiting at once";
    Scur = "scur", "MGP", "connections (listener) or requests (service, server) open now";
    Smax = "smax", "MMP", "most of them ever open at once";
    Slim = "slim", "CLP", "most of them allowed at once";
    Stot = "stot", "MCP", "all of them since the start";
    Bin = "bin", "MCP", "bytes of requests";
    Bout = "bout", "MCP", "bytes of answers";
    Dreq = "dreq", "MCP", "requests refused by policy";
    Dresp = "dresp", "MCP", "answers refused by policy";
    Ereq = "ereq", "MCP", "requests refused because they were malformed or incomplete";
    Econ = "econ", "MCP", "connections to servers that could not be made";
    Eresp = "eresp", "MCP", "answers that were malformed or broke off";
    Wretr = "wretr", "MCP", "tries repeated at a server";
    Wredis = "wredis", "MCP", "tries repeated at another server";
    Status = "status", "SGP", "state in words";
    Weight = "weight", "MaP", "weight in effect (service: sum of its usable servers)";
    Act = "act", "SGP", "1 for an active server (service: number of usable ones)";
    Bck = "bck", "SGP", "1 for a backup server (service: number of usable ones)";
    Chkfail = "chkfail", "MCP", "checks failed while the server was up";
    Chkdown = "chkdown", "MCP", "times it went down";
    Lastchg = "lastchg", "MAP", "seconds since the state last changed";
    Downtime = "downtime", "MCP", "seconds spent down";
    Qlimit = "qlimit", "CLP", "most requests allowed to wait";
    Pid = "pid", "KGP", "process number, always 1";
    Iid = "iid", "KGS", "number of the listener or service";
    Sid = "sid", "KGS", "number of the server within its service";
    Throttle = "throttle", "MGP", "percent of its weight while warming up";
    Lbtot = "lbtot", "MCP", "times it was picked";
    Tracked = "tracked", "KGS", "server whose health it follows";
    Type = "type", "CGS", "0 listener, 1 service, 2 server";
    Rate = "rate", "MRP", "connections (listener) or requests in the last second";
    RateLim = "rate_lim", "CLP", "most connections allowed a second";
    RateMax = "rate_max", "MMP", "most ever seen in a second";
    CheckStatus = "check_status", "MOP", "result of the last check";
    CheckCode = "check_code", "MOP", "status the last check got";
    CheckDuration = "check_duration", "MDP", "milliseconds the last check took";
    Hrsp1xx = "hrsp_1xx", "MCP", "answers of status 100 to 199";
    Hrsp2xx = "hrsp_2xx", "MCP", "answers of status 200 to 299";
    Hrsp3xx = "hrsp_3xx", "MCP", "answers of status 300 to 399";
    Hrsp4xx = "hrsp_4xx", "MCP", "answers of status 400 to 499";
    Hrsp5xx = "hrsp_5xx", "MCP", "answers of status 500 to 599";
    HrspOther = "hrsp_other", "MCP", "exchanges without a status";
    Hanafail = "hanafail", "MCP", "failures seen by passive checks";
    ReqRate = "req_rate", "MRP", "requests in the last second";
    ReqRateMax = "req_rate_max", "MMP", "most requests ever seen in a second";
    ReqTot = "req_tot", "MCP", "requests since the start";
    CliAbrt = "cli_abrt", "MCP", "exchanges the client broke off";
    SrvAbrt = "srv_abrt", "MCP", "exchanges the server broke off";
    CompIn = "comp_in", "MCP", "bytes given to compression";
    CompOut = "comp_out", "MCP", "bytes compression gave";
    CompByp = "comp_byp", "MCP", "bytes that bypassed compression";
    CompRsp = "comp_rsp", "MCP", "answers compressed";
    Lastsess = "lastsess", "MAP", "seconds since the last request, -1 for none";
    LastChk = "last_chk", "MOP", "words of the last check";
    LastAgt = "last_agt", "MOP", "words of the last agent check";
    Qtime = "qtime", "MaP", "milliseconds waited in the queue, mean of the last 1024";
    Ctime = "ctime", "MaP", "milliseconds to connect, mean of the last 1024";
    Rtime = "rtime", "MaP", "milliseconds to the answer, mean of the last 1024";
    Ttime = "ttime", "MaP", "milliseconds in all, mean of the last 1024";
    AgentStatus = "agent_status", "MOP", "result of the last agent check";
    AgentCode = "agent_code", "MOP", "status of the last agent check";
    AgentDuration = "agent_duration", "MDP", "milliseconds the last agent check took";
    CheckDesc = "check_desc", "MOP", "result of the last check in words";
    AgentDesc = "agent_desc", "MOP", "result of the last agent check in words";
    CheckRise = "check_rise", "CGS", "passes that bring it up";
    CheckFall = "check_fall", "CGS", "failures that take it down";
    CheckHealth = "check_health", "CGS", "0 to rise + fall - 1; up from rise";
    AgentRise = "agent_rise", "CGS", "agent passes that bring it up";
    AgentFall = "agent_fall", "CGS", "agent failures that take it down";
    AgentHealth = "agent_health", "CGS", "as check_health, for the agent";
    Addr = "addr", "CGS", "address, or unix";
    Cookie = "cookie", "CNS", "cookie value of the server";
    Mode = "mode", "CGS", "protocol";
    Algo = "algo", "CGS", "how servers are picked";
    ConnRate = "conn_rate", "MRP", "connections in the last second";
    ConnRateMax = "conn_rate_max", "MMP", "most connections ever seen in a second";
    ConnTot = "conn_tot", "MCP", "connections since the start";
    Intercepted = "intercepted", "MCP", "requests answered without a server";
    Dcon = "dcon", "MCP", "connections refused";
    Dses = "dses", "MCP", "connections refused after their handshake";
    Wrew = "wrew", "MCP", "failed header edits";
    Connect = "connect", "MCP", "connections made to servers";
    Reuse = "reuse", "MCP", "requests sent on a connection that was open already";
    CacheLookups = "cache_lookups", "MCP", "requests looked up in a cache";
    CacheHits = "cache_hits", "MCP", "requests answered from a cache";
    SrvIcur = "srv_icur", "MGP", "idle connections to the server";
    SrcIlim = "src_ilim", "CLP", "most idle connections allowed";
    QtimeMax = "qtime_max", "MMP", "most milliseconds in the queue";
    CtimeMax = "ctime_max", "MMP", "most milliseconds to connect";
    RtimeMax = "rtime_max", "MMP", "most milliseconds to the answer";
    TtimeMax = "ttime_max", "MMP", "most milliseconds in all";
    Eint = "eint", "MCP", "exchanges that failed for a fault of ours";
    IdleConnCur = "idle_conn_cur", "MGP", "idle connections that are not known to be safe to reuse";
    SafeConnCur = "safe_conn_cur", "MGP", "idle connections that are safe to reuse";
    UsedConnCur = "used_conn_cur", "MGP", "connections in use";
    NeedConnEst = "need_conn_est", "MGP", "connections needed, by estimate";
    Uweight = "uweight", "MaP", "weight as set (service: sum of its usable servers)";
    AggServerStatus = "agg_server_status", "MGP", "sum of server states, filled for metrics only";
    AggServerCheckStatus = "agg_server_check_status", "MGP", "sum of check states, filled for metrics only";
    AggCheckStatus = "agg_check_status", "MGP", "sum of check results, filled for metrics only";
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A listener.
    Frontend,
    /// A service.
    Backend,
    /// A server.
    Server,
}

impl Kind {
    /// Its letter in the typed form.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Frontend => 'F',
            Self::Backend => 'B',
            Self::Server => 'S',
        }
    }

    /// Its word in the JSON form.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Frontend => "Frontend",
            Self::Backend => "Backend",
            Self::Server => "Server",
        }
    }

    /// Its number in the `type` column.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Frontend => 0,
            Self::Backend => 1,
            Self::Server => 2,
        }
    }

    /// Its bit in the type mask of a filter.
    pub(crate) const fn bit(self) -> i64 {
        1 << self.number()
    }
}

impl Column {
    /// Its place in a row, from 0.
    pub(crate) const fn position(self) -> usize {
        self as usize
    }

    /// Origin, nature and scope of its value in rows of `kind`, one letter each.
    pub(crate) const fn tags(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Act | Self::Bck | Self::Rate | Self::RateMax, Kind::Backend) => "MGP",
            _ => self.usual_tags(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_scripts_cut_by() {
        for (column, position) in [
            (Column::Pxname, 0),
            (Column::Status, 17),
            (Column::Weight, 18),
            (Column::Addr, 73),
        ] {
            assert_eq!(column.position(), position, "{}", column.name());
        }
        assert_eq!(Column::ALL.len(), 103);
        assert_eq!(Column::AggCheckStatus.position(), 102);
    }
}
