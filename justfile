# Short names for what people do here: `just` lists them.

# List the recipes
default:
    @just --list

# Run the proxy, local, with its database in target/dev/
dev *ARGS:
    mkdir -p target/dev
    cargo run --bin wechat-proxy -- serve --database sqlite://target/dev/wechat-proxy.db {{ARGS}}

# Run the product against the simulated WeChat platform
demo *ARGS:
    cargo run --release --bin wechat-proxy -- sandbox {{ARGS}}

# Run all tests, or one part: rust, fuzz, clients, pages
test *PART:
    scripts/test {{PART}}

# Format, lints, licences
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo deny check bans licenses sources

# Try random bytes on the parsers: how many seconds each, which targets
fuzz *ARGS:
    scripts/fuzz {{ARGS}}

# Compare with nginx, all or one part: reads, pages, callbacks
bench *ARGS:
    scripts/bench {{ARGS}}

# Format the code
fmt:
    cargo fmt --all
