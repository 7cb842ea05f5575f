# docker build -t wechat-proxy .      How to run it: README, "Docker".
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --profile dist --locked --bin wechat-proxy

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin wechat-proxy \
    && install -d -m 700 -o wechat-proxy -g wechat-proxy /data
COPY --from=build /src/target/dist/wechat-proxy /usr/local/bin/wechat-proxy
USER wechat-proxy
WORKDIR /data
VOLUME /data
# Reachable from outside the container, so WECHAT_PROXY_PUBLIC_URL (or WECHAT_PROXY_OPEN=true) has to be given too.
ENV WECHAT_PROXY_LISTEN=0.0.0.0:8080 \
    WECHAT_PROXY_DATABASE=sqlite:///data/wechat-proxy.db \
    WECHAT_PROXY_LOG=json
EXPOSE 8080
ENTRYPOINT ["wechat-proxy"]
CMD ["serve"]
