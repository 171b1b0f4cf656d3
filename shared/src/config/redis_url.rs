//! The address of a Redis: one server, a server that sentinels know, or a cluster.
//!
//! | address | leads to |
//! |---|---|
//! | `redis://[user:password@]host[:6379][/db]`, `unix://…` | one server |
//! | `redis+sentinel://[user:password@]host[:26379][,host…]/master[/db]` | the server that sentinels call the master |
//! | `redis+cluster://[user:password@]host[:6379][,host…]` | the masters of a cluster, of which some nodes are named |
//!
//! `rediss…` instead of `redis…` is the same over TLS; `redis-sentinel` and `redis-cluster` are understood too. User and
//! password are those of the data; those of the sentinels stand in the query: `?sentinel_username=…&sentinel_password=…`.

use std::fmt;
use std::str::FromStr;

use redis::{ConnectionInfo, IntoConnectionInfo};

/// The address of a Redis, whose password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

/// Where an address leads. Of several servers each is described as if it were the only one.
#[derive(Clone)]
pub(crate) enum Place {
    /// To one server.
    Server(ConnectionInfo),
    /// To the server that sentinels call by this name.
    Sentinels { sentinels: Vec<ConnectionInfo>, master: String, data: ConnectionInfo },
    /// To the masters of a cluster.
    Cluster(Vec<ConnectionInfo>),
}

const EXPECTED: &str = "the address of a Redis, such as redis://127.0.0.1:6379/0, \
     redis+sentinel://host:26379,host2:26379/mymaster or redis+cluster://host:6379,host2:6379";
const SENTINEL_PORT: u16 = 26379;
const REDIS_PORT: u16 = 6379;

impl RedisUrl {
    /// The address with its password, for the client that connects.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Tells whether it leads to a cluster.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        Several::read(&self.0).is_some_and(|several| several.kind == Kind::Cluster)
    }

    /// Tells whether the way there is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.starts_with("rediss")
    }

    /// Where it leads.
    pub(crate) fn place(&self) -> Result<Place, &'static str> {
        let Some(several) = Several::read(&self.0) else {
            return server(&self.0).map(Place::Server);
        };
        match several.kind {
            Kind::Cluster => several.cluster(),
            Kind::Sentinels => several.sentinels(),
        }
    }
}

impl FromStr for RedisUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Self(text.to_owned());
        url.place().map(|_| url)
    }
}

/// Shows the address without password and query, which may hold one too.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(several) = Several::read(&self.0) {
            let user = several.login.map(|login| login.split_once(':').map_or(login, |(user, _)| user));
            let login = user.map(|user| format!("{user}:***@")).unwrap_or_default();
            return write!(f, "{}://{login}{}{}", several.scheme, several.hosts, several.path);
        }
        let Some(mut url) = redis::parse_redis_url(&self.0) else {
            return f.write_str("***");
        };
        url.set_query(None);
        if url.password().is_some() && url.set_password(Some("***")).is_err() {
            return f.write_str("***");
        }
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sentinels,
    Cluster,
}

/// An address that names several servers, in its parts.
struct Several<'a> {
    kind: Kind,
    scheme: &'a str,
    /// `redis` or `rediss`.
    plain: &'a str,
    login: Option<&'a str>,
    hosts: &'a str,
    /// With its slash, if there is one.
    path: &'a str,
    query: &'a str,
}

impl<'a> Several<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (plain, kind) = scheme.split_once(['+', '-']).filter(|(plain, _)| ["redis", "rediss"].contains(plain))?;
        let kind = match kind {
            "sentinel" => Kind::Sentinels,
            "cluster" => Kind::Cluster,
            _ => return None,
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, hosts) =
            authority.rsplit_once('@').map_or((None, authority), |(login, hosts)| (Some(login), hosts));
        Some(Self { kind, scheme, plain, login, hosts, path, query })
    }

    fn cluster(&self) -> Result<Place, &'static str> {
        if !["", "/", "/0"].contains(&self.path) || !self.query.is_empty() {
            return Err("redis+cluster://host:6379,host2:6379 without anything after it: a cluster has one database");
        }
        self.each(self.login, REDIS_PORT, "").map(Place::Cluster)
    }

    fn sentinels(&self) -> Result<Place, &'static str> {
        let path = self.path.strip_prefix('/').unwrap_or_default();
        let (master, db) = path.split_once('/').unwrap_or((path, ""));
        let named =
            !master.is_empty() && master.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !named {
            return Err(
                "redis+sentinel://host:26379,host2:26379/mymaster, with the name by which sentinels know the master",
            );
        }
        let login = self.sentinel_login()?;
        let sentinels = self.each(login.as_deref(), SENTINEL_PORT, "")?;
        let data = self.each(self.login, REDIS_PORT, db)?.swap_remove(0);
        Ok(Place::Sentinels { sentinels, master: master.to_owned(), data })
    }

    fn sentinel_login(&self) -> Result<Option<String>, &'static str> {
        let (mut user, mut password) = ("", "");
        for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sentinel_username", value)) => user = value,
                Some(("sentinel_password", value)) => password = value,
                _ => return Err("only sentinel_username and sentinel_password after the question mark"),
            }
        }
        Ok((!password.is_empty()).then(|| format!("{user}:{password}")))
    }

    fn each(&self, login: Option<&str>, port: u16, db: &str) -> Result<Vec<ConnectionInfo>, &'static str> {
        let login = login.map(|login| format!("{login}@")).unwrap_or_default();
        let url = |host: &str| {
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            let port = if has_port { String::new() } else { format!(":{port}") };
            format!("{}://{login}{host}{port}/{db}", self.plain)
        };
        self.hosts.split(',').map(str::trim).map(|host| server(&url(host))).collect()
    }
}

/// The client's own error may quote the address, password and all, so it is not passed on.
fn server(text: &str) -> Result<ConnectionInfo, &'static str> {
    text.into_connection_info().map_err(|_| EXPECTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> RedisUrl {
        text.parse().unwrap_or_else(|expected| panic!("{text} is refused: {expected}"))
    }

    fn addresses(infos: &[ConnectionInfo]) -> Vec<String> {
        infos.iter().map(|info| info.addr().to_string()).collect()
    }

    #[test]
    fn a_redis_address_is_shown_without_its_password() {
        let url = url("redis://ann:hunter2@redis.example:6380/3");
        assert_eq!(url.to_string(), "redis://ann:***@redis.example:6380/3");
        assert_eq!(format!("{url:?}"), url.to_string());
        assert!(url.expose().contains("hunter2"));
    }

    #[test]
    fn an_address_of_several_servers_is_shown_without_its_passwords() {
        let sentinel = url("redis+sentinel://ann:hunter2@a,b:7/main/2?sentinel_password=hunter3");
        assert_eq!(sentinel.to_string(), "redis+sentinel://ann:***@a,b:7/main/2");
        assert_eq!(url("rediss+cluster://:hunter2@a,b").to_string(), "rediss+cluster://:***@a,b");
    }

    #[test]
    fn a_password_in_the_query_of_a_socket_address_is_not_shown_either() {
        assert_eq!(url("unix:///run/redis.sock?db=1&pass=hunter2").to_string(), "unix:///run/redis.sock");
    }

    #[test]
    fn sentinels_have_a_port_and_a_login_of_their_own() {
        let text = "redis+sentinel://ann:data@a,b:7,[::1]:8/main/2?sentinel_username=bob&sentinel_password=p%40ss";
        let Ok(Place::Sentinels { sentinels, master, data }) = url(text).place() else { panic!("sentinels") };
        assert_eq!(addresses(&sentinels), ["a:26379", "b:7", "::1:8"]);
        assert_eq!((master.as_str(), data.redis_settings().db()), ("main", 2));
        assert_eq!((data.redis_settings().username(), data.redis_settings().password()), (Some("ann"), Some("data")));
        let first = sentinels[0].redis_settings();
        assert_eq!((first.username(), first.password()), (Some("bob"), Some("p@ss")));
    }

    #[test]
    fn nodes_of_a_cluster_share_one_login() {
        for text in ["redis+cluster://:secret@a,b:7", "redis-cluster://:secret@a:6379,b:7/"] {
            let Ok(Place::Cluster(nodes)) = url(text).place() else { panic!("a cluster") };
            assert_eq!(addresses(&nodes), ["a:6379", "b:7"]);
            assert!(nodes.iter().all(|node| node.redis_settings().password() == Some("secret")));
            assert!(url(text).is_cluster());
        }
        assert!(!url("redis://a").is_cluster());
    }

    #[test]
    fn what_is_no_redis_address_is_refused() {
        for text in [
            "",
            "127.0.0.1:6379",
            "http://x",
            "redis://:port",
            "redis+cluster://a/3",
            "redis+cluster://",
            "redis+cluster://a,,b",
            "redis+sentinel://a",
            "redis+sentinel://a/",
            "redis+sentinel://a/main?password=x",
            "redis+ring://a",
        ] {
            assert!(text.parse::<RedisUrl>().is_err(), "{text:?}");
        }
    }
}
