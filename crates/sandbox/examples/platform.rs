//! The platform alone on 127.0.0.1:8081, until Ctrl-C: `cargo run -p sandbox --example platform [ADDRESS]`.

use sandbox::Platform;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8081".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let stop = async {
        // Without the signal there is no way to ask for an end; then it runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    Platform::new().serve(listener, stop).await;
    Ok(())
}
