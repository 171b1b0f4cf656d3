//! What TLS to Redis needs beyond what the machine trusts.

use redis::{ClientTlsConfig, TlsCertificates};

use super::layers::Layers;
use super::redis_url::RedisUrl;
use super::setting;
use super::value::Parsed;

/// A file of PEM, already read.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem(Vec<u8>);

impl Pem {
    /// The PEM text, as it stands in a file.
    #[must_use]
    pub fn new(text: impl Into<Vec<u8>>) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It may be a private key.
        write!(f, "Pem({} bytes)", self.0.len())
    }
}

/// By what the server is known, and by what it knows us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedisTls {
    /// The authorities that may vouch for the server, in place of those that the machine trusts.
    pub ca: Option<Pem>,
    /// Our own certificate and its key, for a server that asks for one.
    pub identity: Option<(Pem, Pem)>,
}

impl RedisTls {
    pub(super) fn take(layers: &mut Layers<'_>, url: &RedisUrl) -> Self {
        let ca = layers.optional(&setting::REDIS_CA, pem("CERTIFICATE"));
        let certificate = layers.optional(&setting::REDIS_CERT, pem("CERTIFICATE"));
        let key = layers.optional(&setting::REDIS_KEY, pem("PRIVATE KEY"));
        let settings = [(&setting::REDIS_CA, &ca), (&setting::REDIS_CERT, &certificate), (&setting::REDIS_KEY, &key)];
        if !url.is_tls()
            && let Some((setting, _)) = settings.iter().find(|(_, given)| given.is_some())
        {
            layers.conflict(setting, "the address of Redis is one without TLS: it would begin with rediss".to_owned());
        }
        match (&certificate, &key) {
            (Some(_), None) => layers.conflict(&setting::REDIS_CERT, "a certificate needs its redis-key".to_owned()),
            (None, Some(_)) => layers.conflict(&setting::REDIS_KEY, "a key needs its redis-cert".to_owned()),
            _ => {}
        }
        Self { ca, identity: certificate.zip(key) }
    }

    /// As the client takes them; none if there is nothing of our own.
    pub(crate) fn certificates(&self) -> Option<TlsCertificates> {
        if self.ca.is_none() && self.identity.is_none() {
            return None;
        }
        let client_tls = self.identity.as_ref().map(|(certificate, key)| ClientTlsConfig {
            client_cert: certificate.0.clone(),
            client_key: key.0.clone(),
        });
        Some(TlsCertificates { client_tls, root_cert: self.ca.as_ref().map(|ca| ca.0.clone()) })
    }
}

/// Reads a file that holds PEM with this label.
fn pem(label: &'static str) -> impl Fn(&str) -> Parsed<Pem> {
    move |path| {
        let text = std::fs::read(path).map_err(|error| format!("a file that can be read ({error})"))?;
        let is_pem =
            String::from_utf8_lossy(&text).lines().any(|line| line.starts_with("-----BEGIN ") && line.contains(label));
        if is_pem { Ok(Pem(text)) } else { Err(format!("a file of PEM with a {label}")) }
    }
}
