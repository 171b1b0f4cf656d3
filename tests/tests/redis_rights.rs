//! Redis over TLS, and under a user that may do what is needed and nothing else.

use std::net::TcpListener;
use std::path::PathBuf;

use carillon_shared::config::{Pem, RedisTls};
use carillon_shared::store::{Grade, Store, StoreError, StoreOptions, acl_rules};
use carillon_tests::cluster::Cluster;
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::load::{Load, assert_each_completed_once};
use carillon_tests::process::{Process, scheduler, worker};
use carillon_tests::redis::{Server, namespace};
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::options;
use carillon_tests::wait::until;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// An authority, and what it has signed for a server on loopback and for us.
struct Papers {
    directory: PathBuf,
    ca: String,
    client: (String, String),
}

impl Papers {
    /// Writes them into the directory of a server.
    fn write(server: &Server) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        // Or it would have the name of what it signs, which would then seem to have signed itself.
        params.distinguished_name.push(DnType::CommonName, "the authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority");
        let signed = |name: &str| {
            let (key, params) = (key(), CertificateParams::new(vec![name.to_owned()]).expect("a name"));
            let certificate = params.signed_by(&key, &authority).expect("the authority signs");
            (certificate.pem(), key.serialize_pem())
        };
        let (served, client, directory) = (signed("127.0.0.1"), signed("carillon"), server.directory().to_owned());
        let papers = Self { directory, ca: authority.pem(), client };
        let files = [("ca", &papers.ca), ("server", &served.0), ("server-key", &served.1)];
        for (name, text) in files.into_iter().chain([("client", &papers.client.0), ("client-key", &papers.client.1)]) {
            std::fs::write(papers.path(name), text).expect("a file in a directory of ours");
        }
        papers
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(format!("{name}.pem")).to_string_lossy().into_owned()
    }

    /// Lets the server listen for TLS, and returns the address.
    async fn serve(&self, server: &Server) -> String {
        for _ in 0..20 {
            let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
            let port = listener.local_addr().expect("it is bound").port();
            drop(listener);
            let mut set = redis::cmd("CONFIG");
            set.arg("SET")
                .arg("tls-cert-file")
                .arg(self.path("server"))
                .arg("tls-key-file")
                .arg(self.path("server-key"));
            set.arg("tls-ca-cert-file").arg(self.path("ca")).arg("tls-port").arg(port);
            if set.exec_async(&mut server.connection().await).await.is_ok() {
                return format!("rediss://127.0.0.1:{port}/");
            }
        }
        panic!("redis-server does not listen for TLS");
    }

    fn tls(&self) -> RedisTls {
        let (certificate, key) = &self.client;
        RedisTls {
            ca: Some(Pem::new(self.ca.clone())),
            identity: Some((Pem::new(certificate.clone()), Pem::new(key.clone()))),
        }
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

async fn opened(url: &str, tls: RedisTls) -> Result<Store, StoreError> {
    let mut options = options(url);
    // What is refused is refused each time.
    options.connection.patience = std::time::Duration::from_millis(100);
    options.connection.tls = tls;
    Store::open(options).await
}

#[tokio::test]
async fn tls_needs_the_right_authority_and_the_right_certificate() {
    let server = Server::dedicated();
    let papers = Papers::write(&server);
    let url = papers.serve(&server).await;
    opened(&url, papers.tls()).await.expect("both know each other");
    let nameless = RedisTls { identity: None, ..papers.tls() };
    assert!(opened(&url, nameless).await.is_err(), "the server asks for a certificate");
    let trusting = RedisTls { ca: None, ..papers.tls() };
    let error = opened(&url, trusting).await.expect_err("this machine does not trust an authority of a test");
    assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
    let () = server.ask(&["CONFIG", "SET", "tls-auth-clients", "no"]).await;
    opened(&url, RedisTls { identity: None, ..papers.tls() }).await.expect("the server asks for none");
}

#[tokio::test]
async fn programs_reach_redis_over_tls_with_files() {
    let server = Server::dedicated();
    let papers = Papers::write(&server);
    let url = papers.serve(&server).await;
    let (ca, certificate, key) = (papers.path("ca"), papers.path("client"), papers.path("client-key"));
    let flags = ["--redis-url", &url, "--redis-ca", &ca, "--redis-cert", &certificate, "--redis-key", &key];
    let serve = Process::start(scheduler().args(["serve", "--port", "0", "--grpc-port", "off"]).args(flags));
    serve.printed("leading").await;
    let running = Process::start(worker().args(["--metrics-addr", "off"]).args(flags));
    running.printed("the worker is ready").await;
    let mut half = Process::start(worker().args(&flags[..6]));
    half.printed("a certificate needs its redis-key").await;
    assert_eq!(half.ended().await.code(), Some(64));
}

/// Makes a user of these rules on a server, and returns the address with its login.
async fn user(server: &Server, rules: &str) -> String {
    let words: Vec<&str> =
        ["ACL", "SETUSER", "carillon", "reset", "on", ">secret"].into_iter().chain(rules.split(' ')).collect();
    let () = server.ask(&words).await;
    format!("redis://carillon:secret@127.0.0.1:{}/", server.port())
}

#[tokio::test]
async fn everything_works_under_the_least_rights() {
    let server = Server::dedicated();
    let options = options(&server.url());
    let url = user(&server, &acl_rules(&options.namespace)).await;
    let mut options = StoreOptions { ..options };
    options.connection.url = url;
    let load = Load::start(options).await;
    load.goes_on(30).await;
    load.rings(1).await;
    let (store, jobs) = load.end().await;
    assert_each_completed_once(&store, &jobs).await;
    let findings = store.findings().await.expect("Redis is there");
    assert!(findings.iter().all(|finding| finding.grade == Grade::Fine), "{findings:?}");
    assert_all_hold(store.keys(), &Snapshot::take(&server, store.keys()).await);
    assert_nothing_was_forbidden(&server).await;
}

#[tokio::test]
async fn programs_work_under_the_least_rights_and_can_do_nothing_else() {
    let server = Server::dedicated();
    let namespace = namespace();
    let url = user(&server, &acl_rules(&namespace)).await;
    let common = ["--redis-url", &url, "--namespace", namespace.as_str()];
    let serve = Process::start(scheduler().args(["serve", "--port", "0"]).args(common));
    serve.printed("leading").await;
    let running = Process::start(worker().args(["--metrics-addr", "off"]).args(common));
    running.printed("the worker is ready").await;
    let mut events = scheduler();
    let events = Process::start(events.args(["events", "--since", "oldest"]).args(common));
    let () = server.ask(&["RPUSH", &format!("{namespace}:inbox"), r#"{"type":"echo","args":[1]}"#]).await;
    events.printed("job.completed").await;
    assert_nothing_was_forbidden(&server).await;
    let mut own =
        redis::Client::open(url).expect("an address").get_multiplexed_async_connection().await.expect("a login");
    let others = [
        vec!["GET", "other:key"],
        vec!["PUBLISH", "other", "x"],
        vec!["KEYS", "*"],
        vec!["FLUSHALL"],
        vec!["CONFIG", "SET", "save", ""],
        vec!["SCRIPT", "FLUSH"],
        vec!["FUNCTION", "FLUSH"],
        vec!["ACL", "LIST"],
        vec!["SHUTDOWN"],
    ];
    for words in others {
        let mut command = redis::cmd(words[0]);
        let answer = command.arg(&words[1..]).query_async::<redis::Value>(&mut own).await;
        assert!(answer.is_err_and(|error| error.code() == Some("NOPERM")), "{words:?}");
    }
}

/// By the log that Redis keeps of what it denied.
async fn assert_nothing_was_forbidden(server: &Server) {
    let log: Vec<redis::Value> = server.ask(&["ACL", "LOG"]).await;
    assert!(log.is_empty(), "{log:?}");
}

#[tokio::test]
async fn the_least_rights_are_enough_on_a_cluster() {
    let cluster = Cluster::start().await;
    let mut options = StoreOptions { partitions: 16, ..options(&cluster.url()) };
    for master in &cluster.masters {
        user(master, &acl_rules(&options.namespace)).await;
    }
    options.connection.url = cluster.url().replace("://", "://carillon:secret@");
    let load = Load::start(options).await;
    load.goes_on(30).await;
    load.rings(1).await;
    let (store, jobs) = load.end().await;
    assert_each_completed_once(&store, &jobs).await;
    for master in &cluster.masters {
        assert_nothing_was_forbidden(master).await;
    }
}

#[tokio::test]
async fn each_right_that_is_missing_is_named_before_work_begins() {
    let server = Server::dedicated();
    let mut options = options(&server.url());
    let rules = acl_rules(&options.namespace);
    let finding = async |rules: &str| {
        options.connection.url = user(&server, rules).await;
        let store = Store::open(options.clone()).await.expect("enough for that");
        let rights =
            store.findings().await.expect("Redis is there").into_iter().find(|finding| finding.subject == "rights");
        rights.expect("rights are looked at")
    };
    let mut finding = finding;
    for command in ["xadd", "publish", "blpop", "subscribe", "multi", "zscore", "getex"] {
        let found = finding(&rules.replace(&format!(" +{command} "), " ")).await;
        assert_eq!(found.grade, Grade::Refused, "{command}");
        assert!(found.message.contains(&format!("forbids `{}", command.to_uppercase())), "{}", found.message);
    }
    let found = finding(&rules.replacen("resetchannels &", "resetchannels &other", 1)).await;
    assert!(found.message.contains("PUBLISH"), "{}", found.message);
    let found = finding(&rules.replacen("~{", "~{other", 1)).await;
    assert!(found.message.contains("GET {"), "{}", found.message);
}

#[tokio::test]
async fn a_program_says_which_right_it_lacks_and_ends() {
    let server = Server::dedicated();
    let namespace = namespace();
    let url = user(&server, &acl_rules(&namespace).replace(" +xadd ", " ")).await;
    let common = ["--redis-url", &url, "--namespace", namespace.as_str()];
    let mut serve = Process::start(scheduler().args(["serve", "--port", "0"]).args(common));
    serve.printed("the ACL of this user forbids `XADD").await;
    assert_eq!(serve.ended().await.code(), Some(78));
    let mut running = Process::start(worker().args(["--metrics-addr", "off"]).args(common));
    running.printed("the ACL of this user forbids `XADD").await;
    assert_eq!(running.ended().await.code(), Some(78));
    let none = user(&server, &acl_rules(&namespace).replace(" +hget ", " ")).await;
    let mut serve = Process::start(scheduler().args([
        "serve",
        "--port",
        "0",
        "--redis-url",
        &none,
        "--namespace",
        namespace.as_str(),
    ]));
    serve.printed("'hget'").await;
    assert_ne!(serve.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_user_that_may_not_ask_for_settings_is_not_held_up() {
    let server = Server::dedicated();
    let namespace = namespace();
    let rules = acl_rules(&namespace).replace(" +info ", " ").replace(" +config|get", "").replace(" +role ", " ");
    let url = user(&server, &rules).await;
    let serve = Process::start(scheduler().args([
        "serve",
        "--port",
        "0",
        "--redis-url",
        &url,
        "--namespace",
        namespace.as_str(),
    ]));
    serve.printed("could not be checked").await;
    serve.printed("leading").await;
    until("the leader to be known", async || server.ask::<bool>(&["EXISTS", &format!("{namespace}:leader")]).await)
        .await;
}
