//! Makes the messages and the service of `ojs.v1` from their definitions, without a system's `protoc`.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let descriptors = protox::compile(["ojs/v1/service.proto"], ["proto"])?;
    // What reflection shows to those who ask.
    std::fs::write(out.join("ojs.v1.bin"), protox::prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
