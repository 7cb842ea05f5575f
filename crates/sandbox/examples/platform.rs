//! The platform alone on 127.0.0.1:8081, with TLS on any port (`/sandbox/tls` says which), until Ctrl-C:
//! `cargo run -p sandbox --example platform [ADDRESS [TLS_ADDRESS]]`.

use sandbox::Platform;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut addresses = std::env::args().skip(1);
    let mut listen = async |usual: &str| {
        let address = addresses.next().unwrap_or_else(|| usual.to_owned());
        TcpListener::bind(&address).await
    };
    let (plain, tls) = (listen("127.0.0.1:8081").await?, listen("127.0.0.1:0").await?);
    let stop = async {
        // Without the signal there is no way to ask for an end; then it runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    Platform::new().serve_with_tls(plain, tls, stop).await;
    Ok(())
}
