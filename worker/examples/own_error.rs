//! A handler with an error type of its own, which says for each error whether another attempt may help. Send it
//! `{"type": "mail.send", "args": ["ann@example.org", "Hello"]}`.

use std::time::Duration;

use carillon_worker::{Context, HandlerError, Shutdown, Worker};

/// What can go wrong with a mail.
#[derive(Debug)]
enum MailError {
    NoSuchAddress(String),
    Greylisted { wait: Duration },
    Connection(std::io::Error),
}

/// The judgement stands in one place. A type that implements [`std::error::Error`] is converted by itself, and may always be
/// tried again; this one does not, so that nobody forgets to judge.
impl From<MailError> for HandlerError {
    fn from(error: MailError) -> Self {
        match error {
            MailError::NoSuchAddress(address) => Self::permanent(format!("{address} is no address"))
                .with_code("no_such_address")
                .with_kind("MailError.NoSuchAddress"),
            MailError::Greylisted { wait } => {
                Self::retry("the server wants us to come back later").with_retry_after(wait)
            }
            MailError::Connection(error) => Self::from(error).with_kind("MailError.Connection"),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let worker = Worker::builder().queues(["mail"]).handler("mail.send", send).build()?;
    worker.run(Shutdown::on_signals()?).await?;
    Ok(())
}

async fn send(context: Context, (address, _text): (String, String)) -> Result<(), MailError> {
    if !address.contains('@') {
        return Err(MailError::NoSuchAddress(address));
    }
    if context.attempt() == 1 {
        return Err(MailError::Greylisted { wait: Duration::from_secs(60) });
    }
    tokio::net::TcpStream::connect("127.0.0.1:25").await.map(drop).map_err(MailError::Connection)
}
